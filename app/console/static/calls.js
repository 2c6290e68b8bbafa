import { choose, field, make, row, sheet, show, table, tell } from "./dom.js";
import { ask, follow } from "./http.js";
import { name, say, showMilliseconds, showTime } from "./texts.js";

const SHOWN = 50;
const CATCH_UP_MILLISECONDS = 3000;
const PAUSED = "paused";
const CHOICES = {
  outcome: ["redirect", "disconnect", "no_change"],
  caller_status: ["identified", "ambiguous", "unknown", "withheld", "unavailable"],
};
const TEXTS = ["target_id", "rule"];
const MOMENTS = ["since", "until"];
const COLUMNS = ["at", "caller", "called", "target_id", "caller_status", "decision", "milliseconds"];

/** The list of calls, newest first; its first page follows what happens until it is paused. */
export async function showCalls(query, _me, signal) {
  document.title = `${say("calls")} · Smart Routing`;
  const list = sheet();
  const load = async () => {
    const { content } = await ask(`admin/decisions?${new URLSearchParams({ ...listConditions(query), limit: SHOWN })}`);
    if (!signal.aborted) list.replaceChildren(...drawList(content, query));
    return content.items;
  };
  const items = await load();
  if (signal.aborted) return;
  const live = !query.has("after") && !query.has("until");
  const pause = live && make("input", { type: "checkbox", checked: query.has(PAUSED) });
  show(make("h1", {}, say("calls")), drawFilters(query, pause), list);
  if (live) runLive(query, items[0]?.id, { list, load, pause, signal });
}

/** Follow what is decided from the call `newest` on, and hold it back while the box is ticked. */
function runLive(query, newest, { list, load, pause, signal }) {
  const { since, ...conditions } = listConditions(query);
  let stop = new AbortController();
  let lost = false;
  signal.addEventListener("abort", () => stop.abort());
  const reload = () => load().catch((error) => signal.aborted || tell(error.message, true));
  let due = null;
  const catchUp = () => {
    due ??= setTimeout(() => {
      due = null;
      if (!stop.signal.aborted) reload();
    }, CATCH_UP_MILLISECONDS);
  };
  const begin = (after) => follow(`admin/decisions/events?${new URLSearchParams(conditions)}`, {
    after,
    signal: stop.signal,
    take: (event) => (event.name === "decision" ? insert(list, event.data) : catchUp()),
    watch: (error) => {
      if (stop.signal.aborted) return;
      tell(error?.message ?? "", error !== null);
      if (lost && !error) reload();
      lost = error !== null;
    },
  });
  pause.addEventListener("change", async () => {
    stop.abort();
    const next = new URLSearchParams(query);
    pause.checked ? next.set(PAUSED, "1") : next.delete(PAUSED);
    history.replaceState(null, "", `#calls?${next}`);
    if (pause.checked) return;
    stop = new AbortController();
    const items = await reload();
    if (!signal.aborted) begin(items?.[0]?.id);
  });
  if (!pause.checked) begin(newest);
}

/** Put a call at its place by its id, which begins with the time. */
function insert(list, call) {
  const body = list.querySelector("tbody");
  if (!body) return list.replaceChildren(...drawList({ items: [call], next: null }));
  const behind = [...body.rows].find((other) => other.dataset.id <= call.id) ?? null;
  if (behind?.dataset.id === call.id) return;
  body.insertBefore(drawRow(call), behind);
  if (body.rows.length > SHOWN) body.lastElementChild.remove();
}

function listConditions(query) {
  const conditions = Object.fromEntries([...query].filter(([key, value]) => key !== PAUSED && value));
  for (const key of MOMENTS) if (conditions[key]) conditions[key] = new Date(conditions[key]).toISOString();
  return conditions;
}

function turn(query, changes) {
  const next = new URLSearchParams(query);
  for (const [key, value] of Object.entries(changes)) value ? next.set(key, value) : next.delete(key);
  location.hash = `calls?${next}`;
}

function drawFilters(query, pause) {
  const inputs = {};
  for (const [key, values] of Object.entries(CHOICES)) {
    inputs[key] = choose([["", say("any")], ...values.map((value) => [value, name(key, value)])], query.get(key) ?? "");
  }
  for (const key of TEXTS) inputs[key] = make("input", { value: query.get(key), maxlength: 200 });
  for (const key of MOMENTS) inputs[key] = make("input", { type: "datetime-local", value: query.get(key) });
  const submit = (event) => {
    event.preventDefault();
    const wanted = Object.entries(inputs).map(([key, input]) => [key, input.value.trim()]);
    turn(query, { ...Object.fromEntries(wanted), after: "" });
  };
  return make("form", { submit }, ...Object.entries(inputs).map(([key, input]) => field(say(key), input)),
    make("button", {}, say("calls.filter")), pause ? field(say("calls.pause"), pause) : "");
}

function drawList(page, query) {
  if (page.items.length === 0) return [make("p", {}, say("calls.none"))];
  const list = table(COLUMNS.map((key) => say(key)), [], { class: "list" });
  list.tBodies[0].append(...page.items.map(drawRow));
  const older = page.next && make("button", { type: "button", click: () => turn(query, { after: page.next }) }, say("calls.older"));
  return [list, older || ""];
}

function drawRow(call) {
  return row([
    make("a", { href: `#calls/${call.id}` }, showTime(call.at)), call.caller ?? "", call.called ?? "", call.target_id ?? "",
    name("caller_status", call.caller_status), summarise(call), showMilliseconds(call.milliseconds),
  ], { "data-id": call.id });
}

/** What was decided, in one sentence. */
export function summarise(call) {
  const rule = call.rule ? say("decision.by", { rule: call.rule }) : say("decision.no-rule");
  return `${name("outcome", call.outcome)}, ${rule}`;
}
