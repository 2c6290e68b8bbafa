import { askFirst } from "./dialog.js";
import { choose, field, make, sheet, show, tell } from "./dom.js";
import { ask } from "./http.js";
import { startBulk, tellStep } from "./job.js";
import { name, say } from "./texts.js";

const OPEN = ["missing", "unknown"];

/** The users of Dynamics as a board of ready and not ready, with what is missing and what to do; filters are in the address. */
export async function showUsers(query, me, signal) {
  const conditions = { limit: "200", active: "true", ...Object.fromEntries([...query].filter(([, value]) => value)) };
  if (conditions.active === "any") delete conditions.active;
  const { content: page } = await ask(`admin/users?${new URLSearchParams(conditions)}`);
  if (signal.aborted) return;
  document.title = `${say("users")} · Smart Routing`;
  const may = me.permissions.includes("manage-users");
  const board = make("div", { class: "board" });
  const draw = () => board.replaceChildren(...drawBoard(page.items, may && replace));
  const replace = (changed) => {
    const index = page.items.findIndex((user) => user.id === changed.user_id);
    if (signal.aborted) return;
    if (changed.user) page.items[index] = changed.user;
    draw();
    document.getElementById(`user-${changed.user_id}`).focus();
    tell(summarise(page.items[index], changed), changed.state === "incomplete");
  };
  draw();
  show(make("h1", {}, say("users")), drawFilters(query), board,
    page.next ? make("p", {}, make("a", { href: `#users?${new URLSearchParams({ ...Object.fromEntries(query), after: page.next })}` }, say("users.more"))) : "",
    ...(may ? [make("h2", {}, say("users.many")), drawMany()] : []));
}

function drawFilters(query) {
  const search = make("input", { value: query.get("search"), maxlength: 100 });
  const active = choose([["true", say("active.true")], ["false", say("active.false")], ["any", say("any")]], query.get("active") || "true");
  const submit = (event) => {
    event.preventDefault();
    location.hash = `users?${new URLSearchParams({ search: search.value.trim(), active: active.value })}`;
  };
  return make("form", { submit }, field(say("users.search"), search), field(say("users.active"), active), make("button", {}, say("calls.filter")));
}

function drawBoard(users, replace) {
  const columns = [["users.not-ready", users.filter((user) => !user.ready)], ["users.ready", users.filter((user) => user.ready)]];
  return columns.map(([title, shown]) => make("section", {}, make("h2", {}, say(title, { count: shown.length })),
    ...shown.map((user) => drawUser(user, replace))));
}

/** One user; `replace` takes what came of a change, for those who may make one. */
function drawUser(user, replace) {
  const marks = [user.is_application && say("user.application"), !user.active && say("active.false"),
    ...user.roles.map((role) => (role.team ? say("user.role-of-team", role) : role.name))].filter(Boolean);
  const open = user.readiness.filter((item) => OPEN.includes(item.state));
  const button = (key, click) => make("button", { type: "button", click, "aria-label": `${say(key)}: ${user.name}` }, say(key));
  const tools = replace && !user.is_application && user.active ? [
    user.ready ? "" : button("user.enable", () => enable(user, replace)),
    user.roles.length ? button("user.disable", () => disable(user, replace)) : "",
    user.roles.length ? button("user.update-id", () => updateIds(user)) : "",
  ] : [];
  return make("article", { class: "sheet" }, make("h3", { id: `user-${user.id}`, tabindex: "-1" }, user.name),
    make("p", { class: "quiet" }, [user.email ?? user.login ?? "", ...marks].filter(Boolean).join(" · ")),
    open.length ? make("ul", {}, ...open.map(drawItem)) : "", make("p", { class: "tools" }, ...tools));
}

function drawItem({ id, state, title, reason, what_to_do: remedy }) {
  const label = name("item", id);
  return make("li", { class: "item" }, make("strong", {}, label === id ? title : label), ` · ${name("item-state", state)} `,
    make("span", { class: "quiet" }, [reason, remedy].filter(Boolean).join(" ")));
}

function enable(user, replace) {
  const email = make("input", { type: "email", maxlength: 200 });
  const overwrite = make("input", { type: "checkbox" });
  const plan = make("div", { class: "wide", "aria-live": "polite" }, say("loading"));
  ask(`admin/users/${user.id}/enable?dry_run=true`, { method: "POST", body: {} }).then(
    ({ content }) => plan.replaceChildren(make("ul", {}, ...content.steps.map((step) => make("li", {}, tellStep(step))))),
    (error) => plan.replaceChildren(make("p", { class: "error" }, error.message)));
  askFirst({ title: `${say("user.enable")}: ${user.name}`, contents: [plan, field(say("user.enreach-email"), email), field(say("user.overwrite"), overwrite)] }, async () => {
    const body = { overwrite: overwrite.checked, enreach_email: email.value.trim() || null };
    const { content } = await ask(`admin/users/${user.id}/enable`, { method: "POST", body });
    return () => replace(content);
  });
}

function disable(user, replace) {
  const client = choose([["", say("client.settings")], ["cif1", say("client.cif1")], ["cif2", say("client.cif2")]]);
  const teams = make("input", { type: "checkbox" });
  askFirst({ title: `${say("user.disable")}: ${user.name}`, contents: [field(say("user.client"), client), field(say("user.leave-teams"), teams)] }, async () => {
    const body = { client: client.value || null, leave_teams: teams.checked };
    const { content } = await ask(`admin/users/${user.id}/disable`, { method: "POST", body });
    return () => replace(content);
  });
}

/** Update the Enreach id of one user, or of everybody who may use Voice, in a job that has a screen of its own. */
function updateIds(user) {
  const overwrite = make("input", { type: "checkbox" });
  const dry = make("input", { type: "checkbox" });
  const title = user ? `${say("user.update-id")}: ${user.name}` : say("users.update-ids");
  askFirst({ title, contents: [field(say("user.overwrite"), overwrite), field(say("job.dry-run"), dry)] }, async () => {
    const body = { users: user ? [user.id] : null, overwrite: overwrite.checked, dry_run: dry.checked };
    const { content } = await ask("admin/users/enreach-ids", { method: "POST", body });
    return () => { location.hash = `users/${content.id}`; };
  });
}

/** A list from a file, which is tried first, and the update of all ids. */
function drawMany() {
  const file = make("input", { type: "file", accept: ".csv,text/csv", required: true });
  const action = choose([["enable", say("user.enable")], ["disable", say("user.disable")]]);
  const submit = async (event) => {
    event.preventDefault();
    tell(say("loading"));
    try {
      await startBulk(await file.files[0].text(), action.value, true);
    } catch (error) {
      tell([error.message, ...(error.problem?.errors ?? []).map((each) => each.detail)].join(" "), true);
    }
  };
  return sheet(make("form", { submit }, field(say("users.list"), file), field(say("users.action"), action), make("button", {}, say("job.dry-run"))),
    make("p", { class: "quiet" }, say("users.list.note")),
    make("p", { class: "tools" }, make("button", { type: "button", click: () => updateIds(null) }, say("users.update-ids"))));
}

/** What came of a change to a user, in one line. */
function summarise(user, { state, steps, still_granted_by: still }) {
  const told = steps.filter((step) => step.reason || step.state === "failed").map(tellStep);
  if (still.length) told.push(say("user.still-granted", { by: still.map((role) => role.team ?? role.name).join(", ") }));
  return [`${user.name}: ${name("outcome-of-change", state)}.`, ...told].join(" ");
}
