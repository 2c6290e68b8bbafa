import { askFirst, drawFindings } from "./dialog.js";
import { choose, field, make, sheet, show, table, tell } from "./dom.js";
import { changeDraft, editDraft, leave } from "./draft.js";
import { ask } from "./http.js";
import { showRule } from "./rule.js";
import { tellDestination, tellRule } from "./sentences.js";
import { name, say, showTime } from "./texts.js";
import { drawRules } from "./trace.js";

/**
 * One draft or revision: its rules as sentences, a call typed by hand, its publish checks, and what makes it live. Who may
 * edit a draft does so here; `?rule=ID` opens one of its rules.
 */
export async function showRuleset(query, me, signal, ref) {
  if (query.has("rule") && me.permissions.includes("edit-rules")) return showRule(ref, query.get("rule"), signal);
  const [found, live] = await Promise.all([ask(`admin/rulesets/${encodeURIComponent(ref)}`), findLive()]);
  if (!signal.aborted) drawScreen(found, { live, me, signal });
}

function drawScreen(found, place, notice = []) {
  const { live, me, signal } = place;
  const { ref, draft, revision, document: rules } = found.content;
  const may = (permission) => me.permissions.includes(permission);
  const editor = draft && may("edit-rules") && editDraft(found, signal, (...changed) => drawScreen(changed[0], place, changed[1]));
  const title = draft ? say("draft.title", { name: draft.name }) : say("revision.title", { revision: ref });
  document.title = `${title} · Smart Routing`;
  const changed = draft ? say("changed-by", { who: draft.author, at: showTime(draft.updated_at) })
    : revision && say("published-by", { who: revision.author, at: showTime(revision.at), comment: revision.comment });
  show(make("p", {}, make("a", { href: "#rules" }, say("rules.back"))), make("h1", {}, title),
    make("p", { class: "quiet" }, changed ?? ""), notice.length ? make("div", { role: "alert" }, ...notice) : "",
    editor ? editor.tools : "", ...drawRuleset(rules, editor?.dress),
    make("h2", {}, say("checks")), drawChecks(ref, rules, Boolean(editor)),
    ...(may("simulate") ? [make("h2", {}, say("simulation")), drawSimulation(rules)] : []),
    may("publish-rules") && live?.content.ref !== ref ? drawRelease(found, live) : "");
}

/** The rules from first to last as sentences, and the destinations; `dress` adds to the line of a rule. */
export function drawRuleset({ rules = [], destinations = {}, tests = [] }, dress = () => {}) {
  const items = rules.map((rule, index) => {
    const line = make("li", {},
      make("strong", { class: rule.enabled === false ? "off" : null }, rule.name || rule.id),
      rule.enabled === false ? ` · ${say("rule.off")}` : "", rule.share == null ? "" : ` · ${say("rule.share", { share: rule.share })}`,
      make("p", { class: "miss" }, tellRule(rule, destinations)));
    dress(line, rule, index);
    return line;
  });
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

/** The publish checks with the tests; of a draft that can be edited they run at once, and so after every change. */
function drawChecks(ref, { tests = [] }, atOnce) {
  const result = make("div", { "aria-live": "polite" });
  const check = async () => {
    result.replaceChildren(make("p", {}, say("loading")));
    const findings = await validate(ref).then((content) => drawFindings(content, tests), (error) => [make("p", { class: "error" }, error.message)]);
    result.replaceChildren(...findings);
  };
  if (atOnce) check();
  return sheet(make("button", { type: "button", click: check }, say("checks.run")), result);
}

async function validate(ref) {
  return (await ask(`admin/rulesets/${encodeURIComponent(ref)}/validate`, { method: "POST" })).content;
}

/** The ruleset that decides calls now; `null` when none was published yet. */
export function findLive() {
  return ask("admin/rulesets/current").catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
}

/** The button that publishes a draft, once its checks were seen, or rolls back to a revision; a dialog asks why. */
function drawRelease({ content, version }, live) {
  const { ref, draft, document: { tests = [] } } = content;
  const open = () => {
    const comment = make("input", { required: true, maxlength: 500 });
    const findings = make("div", { class: "wide", "aria-live": "polite" }, draft ? say("loading") : "");
    const check = async () => {
      const checked = await validate(ref);
      findings.replaceChildren(...drawFindings(checked, tests));
      return checked.publishable;
    };
    const publish = async () => {
      const body = { comment: comment.value.trim(), expected_revision: live && Number(live.content.ref) };
      const made = await changeDraft(ref, draft ? "publish" : "rollback", { method: "POST", body, version: draft ? version : undefined });
      return () => leave("rules", say("published", { revision: made.content.revision.revision }));
    };
    askFirst({ title: say(draft ? "publish" : "roll-back"), contents: [field(say("comment"), comment), findings], ready: draft ? check() : undefined }, publish);
  };
  return make("p", {}, make("button", { type: "button", class: "main", click: open }, say(draft ? "publish.begin" : "roll-back.begin")));
}
