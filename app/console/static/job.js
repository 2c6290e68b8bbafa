import { make, sheet, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { name, say } from "./texts.js";

const AGAIN_MILLISECONDS = 1000;
const FINE = ["changed", "unchanged", "planned", "matched", "already_right"];

/** The lists that were tried in this tab, by job, so that they can be carried out as they were tried. */
const tried = new Map();

/** Enable or disable the users of a CSV file in a job, and go to its screen. */
export async function startBulk(text, action, dryRun) {
  const query = new URLSearchParams({ action, dry_run: dryRun });
  const { content } = await ask(`admin/users/bulk-csv?${query}`, { method: "POST", body: text, type: "text/csv" });
  if (dryRun) tried.set(content.id, { text, action });
  location.hash = `users/${content.id}`;
}

/** A job over users: how far it is until it has ended, then what came of every user. */
export async function showJob(_query, me, signal, id) {
  const path = `admin/jobs/${encodeURIComponent(id)}`;
  const first = (await ask(path)).content;
  if (signal.aborted) return;
  const title = name("job", first.kind);
  document.title = `${title} · Smart Routing`;
  const bar = make("progress", { max: 100, "aria-label": say("job.progress") });
  const state = make("p", { "aria-live": "polite" });
  const stop = make("button", { type: "button", click: () => ask(path, { method: "DELETE" }).catch((error) => tell(error.message, true)) }, say("job.stop"));
  const result = make("div", {});
  show(make("p", {}, make("a", { href: "#users" }, say("users.back"))), make("h1", {}, title), sheet(bar, state, stop), result);
  const draw = (job) => {
    bar.value = job.percent ?? (job.state === "running" ? 0 : 100);
    state.textContent = say("job.state", { state: name("job-state", job.state), done: job.done, total: job.total ?? "?" });
    stop.hidden = job.state !== "running";
  };
  const job = await followJob(path, first, signal, draw);
  if (!job) return;
  if (job.error) result.append(make("p", { class: "error" }, job.error));
  if (job.result) result.append(...await drawResult(job, me));
}

/** Ask for a job until it has ended; a service that is away for a while is asked again. */
async function followJob(path, first, signal, draw) {
  let job = first;
  for (;;) {
    if (signal.aborted) return null;
    draw(job);
    if (job.state !== "running") return job;
    await new Promise((resume) => setTimeout(resume, AGAIN_MILLISECONDS));
    try {
      job = signal.aborted ? job : (await ask(path)).content;
      if (!signal.aborted) tell("");
    } catch (error) {
      if (signal.aborted) return null;
      tell(error.message, true);
      if ([401, 403, 404].includes(error.status)) return null;
    }
  }
}

async function drawResult(job, me) {
  const { dry_run: dry, counts, rows, users } = job.result;
  const list = (rows ?? await nameUsers(users)).sort((one, other) => FINE.includes(one.outcome) - FINE.includes(other.outcome));
  const sums = Object.entries(counts).map(([outcome, count]) => `${name("outcome-of-change", outcome)}: ${count}`).join(" · ");
  const cells = list.map(({ user, outcome, reason, change }) => [
    user, name("outcome-of-change", outcome), [reason, ...(change?.steps ?? []).map(tellStep)].filter(Boolean).join("; "),
  ]);
  return [
    make("h2", {}, say(dry ? "job.planned" : "job.result")), make("p", {}, sums),
    dry && tried.has(job.id) && me.permissions.includes("manage-users") ? drawCarryOut(tried.get(job.id)) : "",
    cells.length ? sheet(table([say("user"), say("outcome"), say("detail")], cells, { class: "list" })) : "",
  ];
}

function drawCarryOut({ text, action }) {
  const click = () => startBulk(text, action, false).catch((error) => tell(error.message, true));
  return make("p", {}, make("button", { type: "button", class: "main", click }, say("job.carry-out")));
}

/** The rows of an id update with names, which the job knows by id only. */
async function nameUsers(rows) {
  const names = new Map();
  let after = "";
  do {
    const query = new URLSearchParams({ limit: 200, ...(after && { after }) });
    const { content } = rows.length ? await ask(`admin/users?${query}`) : { content: { items: [], next: null } };
    for (const user of content.items) names.set(user.id, user.name);
    after = content.next;
  } while (after && !rows.every((row) => names.has(row.user_id)));
  return rows.map((row) => ({ ...row, user: names.get(row.user_id) ?? row.user_id }));
}

/** One step of a change to a user, with its reason. */
export function tellStep({ name: step, state, reason }) {
  return [name("step", step), name("step-state", state), reason].filter(Boolean).join(" · ");
}
