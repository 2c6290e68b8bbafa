import { summarise } from "./calls.js";
import { make, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { name, say, showMilliseconds, showTime } from "./texts.js";

const STAGES = ["receive", "look_up", "rules", "record"];

/** One call: what was decided and why, how its time was spent, and the answer as it went out. */
export async function showCall(id, me, signal) {
  const { content: call } = await ask(`admin/decisions/${id}`);
  const drafts = me.permissions.includes("edit-rules") ? (await ask("admin/rulesets/drafts?limit=200")).content.items : [];
  if (signal.aborted) return;
  document.title = `${say("call")} · Smart Routing`;
  const facts = [
    [say("at"), showTime(call.at)], [say("caller"), call.caller ?? ""], [say("called"), call.called ?? ""],
    [say("target_id"), call.target_id ?? ""], [say("caller_status"), name("caller_status", call.caller_status)],
    [say("revision"), String(call.revision ?? "")],
  ];
  show(make("p", {}, make("a", { href: "#calls" }, say("call.back"))), make("h1", {}, summarise(call)),
    make("div", { class: "sheet" }, table([say("fact"), say("value")], facts)),
    make("h2", {}, say("waterfall")), drawWaterfall(call.waterfall),
    make("h2", {}, say("rules")), drawRules(call.trace),
    make("h2", {}, say("answer")), make("div", { class: "sheet" },
      make("p", {}, say("answer.status", { status: call.status })), make("pre", {}, call.body ?? say("answer.empty"))),
    ...(drafts.length ? [make("h2", {}, say("test")), drawTest(id, drafts)] : []));
}

function drawWaterfall(waterfall) {
  const most = waterfall.total || 1;
  const rows = STAGES.filter((stage) => stage in waterfall).map((stage) => [
    name("stage", stage),
    make("progress", { max: most, value: waterfall[stage], "aria-label": name("stage", stage) }),
    showMilliseconds(waterfall[stage]),
  ]);
  rows.push([say("total"), "", showMilliseconds(waterfall.total)]);
  return make("div", { class: "sheet" }, table([say("stage"), say("share"), say("milliseconds")], rows));
}

function drawRules(trace) {
  if (!trace) return make("p", {}, say("rules.none"));
  const items = trace.rules.map((rule) => make("li", { class: rule.decided ? "decided" : null },
    make("strong", {}, rule.name || rule.id), ` · ${rule.decided ? say("rule.decided") : name("verdict", rule.verdict)}`,
    make("ul", {}, ...listConditions(rule.when).map((one) => make("li", {}, tellCondition(one))))));
  return make("div", { class: "sheet" }, make("ol", { class: "rules" }, ...items));
}

function listConditions(node) {
  if (node == null || typeof node !== "object") return [];
  if (Array.isArray(node)) return node.flatMap(listConditions);
  return "fact" in node ? [node] : Object.values(node).flatMap(listConditions);
}

function tellCondition(one) {
  const expected = one.expected == null ? "" : ` ${JSON.stringify(one.expected)}`;
  const actual = one.actual == null ? say("rule.no-value") : JSON.stringify(one.actual);
  return say("rule.condition", { condition: `${one.fact} ${one.op}${expected}`, actual, verdict: name("verdict", one.verdict) });
}

function drawTest(id, drafts) {
  const select = make("select", {}, ...drafts.map((draft) => make("option", { value: draft.id }, draft.name)));
  const submit = async (event) => {
    event.preventDefault();
    tell(say("loading"));
    const ref = encodeURIComponent(select.value);
    try {
      const { version } = await ask(`admin/rulesets/${ref}`);
      const added = await ask(`admin/decisions/${id}/test?draft=${ref}`, { method: "POST", version });
      tell(say("test.added", { test: added.content.test }));
    } catch (error) {
      tell(error.message, true);
    }
  };
  return make("form", { submit, class: "sheet" }, make("label", {}, say("test.draft"), select),
    make("button", { class: "main" }, say("test.make")));
}
