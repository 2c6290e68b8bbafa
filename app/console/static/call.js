import { summarise } from "./calls.js";
import { choose, draw, field, make, sheet, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { name, say, showMilliseconds, showTime } from "./texts.js";
import { drawRules } from "./trace.js";

const STAGES = ["receive", "look_up", "rules", "record"];
const PARTS = ["look_up.turn", "look_up.token", "look_up.dataverse"];

/** One call: what was decided and why, how its time was spent, and the answer as it went out. */
export async function showCall(_query, me, signal, id) {
  const may = (permission) => me.permissions.includes(permission);
  const [{ content: call }, drafts] = await Promise.all([
    ask(`admin/decisions/${id}`),
    may("read-rules") ? ask("admin/rulesets/drafts?limit=200").then((answer) => answer.content.items) : [],
  ]);
  if (signal.aborted) return;
  document.title = `${say("call")} · Smart Routing`;
  const facts = [
    [say("at"), showTime(call.at)], [say("caller"), call.caller ?? ""], [say("called"), call.called ?? ""],
    [say("target_id"), call.target_id ?? ""], [say("caller_status"), name("caller_status", call.caller_status)],
    [say("revision"), String(call.revision ?? "")],
  ];
  show(make("p", {}, make("a", { href: "#calls" }, say("call.back"))), make("h1", {}, summarise(call)),
    sheet(table([say("fact"), say("value")], facts)),
    make("h2", {}, say("waterfall")), drawWaterfall(call),
    make("h2", {}, say("rules")), call.trace ? sheet(drawRules(call.trace)) : make("p", {}, say("rules.none")),
    make("h2", {}, say("answer")), sheet(
      make("p", {}, say("answer.status", { status: call.status })), make("pre", {}, call.body ?? say("answer.empty"))),
    ...(drafts.length ? [make("h2", {}, say("drafts")), drawDrafts(id, drafts, may)] : []));
}

/** Each stage as a bar on the way to the deadline, which is the right end unless the call took longer. */
function drawWaterfall({ waterfall, deadline_ms: deadline }) {
  const end = Math.max(deadline ?? 0, waterfall.total ?? 0, 1);
  let begun = 0;
  const rows = [];
  for (const stage of STAGES.filter((each) => each in waterfall)) {
    rows.push([name("stage", stage), drawBar(begun, waterfall[stage], end, deadline), showMilliseconds(waterfall[stage])]);
    if (stage === "look_up") rows.push(...PARTS.filter((part) => part in waterfall).map((part) => [
      make("span", { class: "part" }, name("stage", part)), "", showMilliseconds(waterfall[part]),
    ]));
    begun += waterfall[stage];
  }
  rows.push([say("total"), drawBar(0, waterfall.total ?? begun, end, deadline), showMilliseconds(waterfall.total)]);
  if (deadline) rows.push([say("deadline"), "", showMilliseconds(deadline)]);
  return sheet(table([say("stage"), say("waterfall.scale", { end: showMilliseconds(end) }), say("milliseconds")], rows, { class: "waterfall" }));
}

function drawBar(begin, length, end, deadline) {
  const scale = 1000 / end;
  return draw("svg", { class: "time", viewBox: "0 0 1000 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { class: "ground", width: 1000, height: 12 }),
    draw("rect", { class: "bar", x: begin * scale, width: Math.max(2, length * scale), height: 12 }),
    deadline ? draw("rect", { class: "deadline", x: Math.min(deadline * scale, 1000) - 2, width: 2, height: 12 }) : null);
}

/** What can be done with a draft: decide this call by it, and make the call one of its tests. */
function drawDrafts(id, drafts, may) {
  const draft = choose(drafts.map((each) => [each.id, each.name]));
  const result = make("div", {});
  const run = (work) => async () => {
    tell(say("loading"));
    await work(encodeURIComponent(draft.value)).then(tell, (error) => tell(error.message, true));
  };
  const replay = async (ref) => {
    const { content } = await ask(`admin/decisions/${id}/replay?ref=${ref}`);
    const decided = content.after.rules.find((rule) => rule.decided);
    const same = JSON.stringify(content.before?.decision) === JSON.stringify(content.after.decision);
    result.replaceChildren(
      make("p", {}, say(same ? "replay.same" : "replay.changed", { rule: decided?.name || decided?.id || say("decision.no-rule") })),
      drawRules(content.after));
    return "";
  };
  const addTest = async (ref) => {
    const { version } = await ask(`admin/rulesets/${ref}`);
    const added = await ask(`admin/decisions/${id}/test?draft=${ref}`, { method: "POST", version });
    return say("test.added", { test: added.content.test });
  };
  return sheet(make("form", { submit: (event) => event.preventDefault() }, field(say("draft"), draft),
    may("simulate") ? make("button", { type: "button", click: run(replay) }, say("replay.try")) : null,
    may("edit-rules") ? make("button", { type: "button", click: run(addTest) }, say("test.make")) : null), result);
}
