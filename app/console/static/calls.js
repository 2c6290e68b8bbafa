import { make, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { name, say, showMilliseconds, showTime } from "./texts.js";

const EVERY_MILLISECONDS = 3000;
const FILTERS = {
  outcome: ["redirect", "disconnect", "no_change"],
  caller_status: ["identified", "ambiguous", "unknown", "withheld", "unavailable"],
};

/** The list of calls, newest first; its first page follows what happens until it is paused. */
export async function showCalls(query, me, signal) {
  document.title = `${say("calls")} · Smart Routing`;
  if (!me.permissions.includes("read-decisions")) return show(make("h1", {}, say("calls")), make("p", {}, say("calls.forbidden")));
  const list = make("div", { class: "sheet" });
  const pause = make("input", { type: "checkbox" });
  const turn = (changes) => {
    const next = new URLSearchParams(query);
    for (const [key, value] of Object.entries(changes)) value ? next.set(key, value) : next.delete(key);
    location.hash = `calls?${next}`;
  };
  const load = async () => {
    const { content } = await ask(`admin/decisions?${new URLSearchParams({ limit: 50, ...Object.fromEntries(query) })}`);
    if (signal.aborted || (list.contains(document.activeElement))) return;
    list.replaceChildren(...draw(content, turn));
  };
  await load();
  if (signal.aborted) return;
  show(make("h1", {}, say("calls")), drawFilters(query, turn, pause), list);
  const follow = async () => {
    if (signal.aborted) return;
    if (!pause.checked && !document.hidden && !query.has("after")) {
      await load().then(() => tell(""), (error) => signal.aborted || tell(error.message, true));
    }
    setTimeout(follow, EVERY_MILLISECONDS);
  };
  setTimeout(follow, EVERY_MILLISECONDS);
}

function drawFilters(query, turn, pause) {
  const selects = Object.entries(FILTERS).map(([key, values]) => {
    const options = values.map((value) => make("option", { value, selected: query.get(key) === value }, name(key, value)));
    const change = (event) => turn({ [key]: event.target.value, after: "" });
    return make("label", {}, say(key), make("select", { change }, make("option", { value: "" }, say("any")), ...options));
  });
  const target = make("input", { value: query.get("target_id") ?? "", maxlength: 100 });
  const submit = (event) => {
    event.preventDefault();
    turn({ target_id: target.value.trim(), after: "" });
  };
  return make("form", { submit }, ...selects, make("label", {}, say("target_id"), target),
    make("button", {}, say("calls.filter")), make("label", {}, say("calls.pause"), pause));
}

function draw(page, turn) {
  if (page.items.length === 0) return [make("p", {}, say("calls.none"))];
  const heads = ["at", "caller", "called", "target_id", "caller_status", "decision", "milliseconds"].map((key) => say(key));
  const rows = page.items.map((call) => [
    make("a", { href: `#calls/${call.id}` }, showTime(call.at)), call.caller ?? "", call.called ?? "", call.target_id ?? "",
    name("caller_status", call.caller_status), summarise(call), showMilliseconds(call.milliseconds),
  ]);
  const older = page.next && make("button", { type: "button", click: () => turn({ after: page.next }) }, say("calls.older"));
  return [table(heads, rows, { class: "calls" }), older || ""];
}

/** What was decided, in one sentence. */
export function summarise(call) {
  const rule = call.rule ? say("decision.by", { rule: call.rule }) : say("decision.no-rule");
  return `${name("outcome", call.outcome)}, ${rule}`;
}
