import { choose, field, make, sheet, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { tellDestination, tellRule } from "./sentences.js";
import { name, say, showTime } from "./texts.js";
import { drawRules } from "./trace.js";

/** One draft or revision: its rules as sentences, a call typed by hand, its publish checks, and what makes it live. */
export async function showRuleset(_query, me, signal, ref) {
  const path = `admin/rulesets/${encodeURIComponent(ref)}`;
  const [{ content: ruleset, version }, live] = await Promise.all([ask(path), findLive()]);
  if (signal.aborted) return;
  const may = (permission) => me.permissions.includes(permission);
  const { draft, revision } = ruleset;
  const isLive = live?.content.ref === ruleset.ref;
  const title = draft ? say("draft.title", { name: draft.name }) : say("revision.title", { revision: ruleset.ref });
  document.title = `${title} · Smart Routing`;
  const changed = draft ? say("changed-by", { who: draft.author, at: showTime(draft.updated_at) })
    : revision && say("published-by", { who: revision.author, at: showTime(revision.at), comment: revision.comment });
  show(make("p", {}, make("a", { href: "#rules" }, say("rules.back"))), make("h1", {}, title),
    make("p", { class: "quiet" }, changed ?? ""), ...drawRuleset(ruleset.document),
    ...(may("simulate") ? [make("h2", {}, say("simulation")), drawSimulation(ruleset.document)] : []),
    make("h2", {}, say("checks")), drawChecks(path),
    ...(may("publish-rules") && !isLive ? [drawRelease(path, draft, { live: live && Number(live.content.ref), version })] : []));
}

/** The rules from first to last as sentences, and the destinations. */
export function drawRuleset({ rules = [], destinations = {}, tests = [] }) {
  const items = rules.map((rule) => make("li", {},
    make("strong", { class: rule.enabled === false ? "off" : null }, rule.name || rule.id),
    rule.enabled === false ? ` · ${say("rule.off")}` : "", rule.share == null ? "" : ` · ${say("rule.share", { share: rule.share })}`,
    make("p", { class: "miss" }, tellRule(rule, destinations))));
  const places = Object.entries(destinations).map(([id, place]) => [
    tellDestination(id, destinations), name("kind", place.kind), String(place.id ?? ""),
  ]);
  return [
    sheet(items.length ? make("ol", { class: "rules" }, ...items) : make("p", {}, say("rules.empty")),
      make("p", { class: "quiet" }, say("tests.count", { count: tests.length }))),
    ...(places.length ? [make("h2", {}, say("destinations")), sheet(table([say("name"), say("kind"), say("id")], places, { class: "list" }))] : []),
  ];
}

function drawSimulation(document) {
  const inputs = {
    anum: make("input", { placeholder: "+358…", maxlength: 50 }), bnum: make("input", { placeholder: "+358…", maxlength: 50 }),
    targetid: make("input", { maxlength: 200 }),
  };
  const status = choose([["", say("simulation.look-up")], ...["identified", "ambiguous", "unknown", "withheld", "unavailable"]
    .map((each) => [each, name("caller_status", each)])]);
  const result = make("div", { "aria-live": "polite" });
  const submit = async (event) => {
    event.preventDefault();
    const call = Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, input.value.trim()]).filter(([key, value]) => value || key === "anum"));
    const caller = status.value ? { caller: { status: status.value } } : {};
    tell(say("loading"));
    try {
      const { content } = await ask("admin/simulate", { method: "POST", body: { call, ruleset: document, ...caller } });
      tell("");
      result.replaceChildren(make("p", {}, make("strong", {}, content.summary)),
        make("pre", {}, content.answer.body ? JSON.stringify(content.answer.body, null, 1) : say("answer.empty")),
        drawRules(content.trace));
    } catch (error) {
      tell(error.message, true);
    }
  };
  return sheet(make("form", { submit }, field(say("caller"), inputs.anum), field(say("called"), inputs.bnum),
    field(say("target_id"), inputs.targetid), field(say("caller_status"), status),
    make("button", {}, say("simulation.run"))), result);
}

function drawChecks(path) {
  const result = make("div", { "aria-live": "polite" });
  const check = async () => {
    tell(say("loading"));
    try {
      const { content } = await ask(`${path}/validate`, { method: "POST" });
      tell("");
      result.replaceChildren(...drawFindings(content));
    } catch (error) {
      tell(error.message, true);
    }
  };
  return sheet(make("button", { type: "button", click: check }, say("checks.run")), result);
}

/** What the publish checks say, each finding with its place. */
function drawFindings({ publishable, findings }) {
  const rows = findings.map((each) => [name("severity", each.severity), each.rule ?? each.pointer, each.detail, each.hint ?? ""]);
  return [make("p", {}, say(publishable ? "checks.passed" : "checks.failed")),
    rows.length ? table([say("severity"), say("place"), say("finding"), say("remedy")], rows) : ""];
}

/** The ruleset that decides calls now; `null` when none was published yet. */
export function findLive() {
  return ask("admin/rulesets/current").catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
}

/** The button that publishes a draft or rolls back to a revision, behind a dialog that asks why. */
function drawRelease(path, draft, { live, version }) {
  const comment = make("input", { required: true, maxlength: 500 });
  const refused = make("div", { role: "alert" });
  const dialog = make("dialog", { "aria-label": say(draft ? "publish" : "roll-back") });
  const submit = async (event) => {
    event.preventDefault();
    refused.replaceChildren();
    try {
      const body = { comment: comment.value.trim(), expected_revision: live };
      const made = await ask(`${path}/${draft ? "publish" : "rollback"}`, { method: "POST", body, version: draft ? version : undefined });
      dialog.close();
      addEventListener("hashchange", () => tell(say("published", { revision: made.content.revision.revision })), { once: true });
      location.hash = "rules";
    } catch (error) {
      refused.replaceChildren(make("p", { class: "error" }, error.message), ...drawErrors(error.problem));
    }
  };
  dialog.append(make("h2", {}, say(draft ? "publish" : "roll-back")), make("form", { submit },
    field(say("comment"), comment), make("button", { class: "main" }, say(draft ? "publish" : "roll-back")),
    make("button", { type: "button", click: () => dialog.close() }, say("cancel"))), refused);
  return make("p", {}, make("button", { type: "button", class: "main", click: () => dialog.showModal() },
    say(draft ? "publish.begin" : "roll-back.begin")), dialog);
}

function drawErrors(problem) {
  const errors = problem?.errors ?? [];
  return errors.length ? [make("ul", {}, ...errors.map((each) => make("li", {}, `${each.pointer ?? ""} ${each.detail}`)))] : [];
}
