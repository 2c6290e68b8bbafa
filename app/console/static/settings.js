import { make, sheet, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { makeControl, resolve } from "./schema-form.js";
import { name, say, showTime } from "./texts.js";

/** The groups of settings. */
export async function showSettings(_query, _me, signal) {
  const { content } = await ask("admin/settings");
  if (signal.aborted) return;
  document.title = `${say("settings")} · Smart Routing`;
  const rows = content.items.map((each) => [make("a", { href: `#settings/${each.group}` }, each.group), each.description]);
  show(make("h1", {}, say("settings")), sheet(table([say("name"), say("detail")], rows, { class: "list" })));
}

/** One group: a form drawn from its schema, and its versions. */
export async function showSettingsGroup(_query, me, signal, group) {
  const path = `admin/settings/${encodeURIComponent(group)}`;
  const { content: schema } = await ask(`${path}/schema`);
  await draw({ group, path, schema, signal, mayChange: me.permissions.includes("manage-settings") });
}

/** Draw the group as it is now, with what was typed and not saved put in again. */
async function draw(place, typed = {}) {
  const [now, history] = await Promise.all([ask(place.path), ask(`${place.path}/history?limit=20`)]);
  if (place.signal.aborted) return;
  document.title = `${place.group} · Smart Routing`;
  const fields = Object.entries(now.content.values).map(([key, value]) => drawField(place, key, value, typed[key]));
  const change = (method, path, body, said) => send(place, now, fields, { method, path, body }, said);
  const submit = (event) => {
    event.preventDefault();
    const changed = fields.filter((field) => field.isChanged());
    const body = readAll(changed);
    if (body && changed.length) change("PATCH", place.path, body, say("settings.saved"));
  };
  for (const field of fields) field.onReset(() => change("PATCH", place.path, { [field.key]: null }, say("settings.saved")));
  const save = place.mayChange ? make("div", { class: "wide" }, make("button", { class: "main" }, say("save"))) : null;
  show(make("p", {}, make("a", { href: "#settings" }, say("settings"))), make("h1", {}, place.group), make("p", {}, place.schema.description),
    make("form", { submit, class: "sheet" }, ...fields.map((field) => field.node), save),
    make("h2", {}, say("settings.versions")), drawHistory(place, history.content.items, now.content.version, change));
}

function drawField(place, key, value, typed) {
  const schema = resolve(place.schema.properties[key], place.schema.$defs);
  const fixed = !place.mayChange || value.source === "environment";
  const control = makeControl(schema, value.value, [value.default], { disabled: fixed, id: `value-${key}`, "aria-describedby": `about-${key}` });
  const [untouched, fault] = [control.spell(), make("p", { class: "error miss", id: `fault-${key}` })];
  if (typed !== undefined) control.put(typed);
  const reset = make("button", { type: "button", hidden: fixed || value.source !== "saved" }, say("settings.reset"));
  const about = [name("settings-source", value.source), value.unit].filter(Boolean).join(" · ");
  const node = make("div", { class: "wide" }, make("label", { for: `value-${key}` }, value.description), control.node,
    make("p", { class: "quiet miss", id: `about-${key}` }, make("span", { class: "code" }, key), ` · ${about} `, reset), fault);
  return {
    key, node, control,
    isChanged: () => control.spell() !== untouched,
    blame(text) {
      fault.textContent = text;
      control.node.setAttribute("aria-invalid", text !== "");
      control.node.setAttribute("aria-describedby", `about-${key} fault-${key}`);
    },
    onReset: (listener) => reset.addEventListener("click", listener),
  };
}

/** What was typed, by key; `null` when some of it is no JSON, which is then said at its place. */
function readAll(fields) {
  const values = {};
  let sound = true;
  for (const field of fields) {
    field.blame("");
    try {
      values[field.key] = field.control.read();
    } catch (error) {
      sound = false;
      field.blame(say("json.broken", { detail: error.message }));
    }
  }
  return sound ? values : null;
}

/** Send a change; what somebody else has changed meanwhile is told, and what was typed here stays. */
async function send(place, now, fields, { method, path, body }, said) {
  try {
    await ask(path, { method, body, version: now.version });
    await draw(place);
    tell(said);
  } catch (error) {
    if (error.status === 412) return meetOthers(place, now, fields);
    for (const field of fields) {
      const faults = (error.problem?.errors ?? []).filter((each) => each.pointer?.split("/")[1] === field.key);
      field.blame(faults.map((each) => `${each.pointer}: ${[each.detail, each.hint].filter(Boolean).join(" ")}`).join("\n"));
    }
    tell(error.message, true);
  }
}

async function meetOthers(place, before, fields) {
  const typed = Object.fromEntries(fields.filter((field) => field.isChanged()).map((field) => [field.key, field.control.spell()]));
  const [now, history] = await Promise.all([ask(place.path), ask(`${place.path}/history?limit=1`)]);
  const differs = (key) => JSON.stringify(now.content.values[key].value) !== JSON.stringify(before.content.values[key].value);
  await draw(place, typed);
  const [last] = history.content.items;
  const keys = Object.keys(now.content.values).filter(differs).join(", ");
  tell(say("settings.stale", { who: last?.author ?? "", at: last ? showTime(last.at) : "", keys }), true);
}

function drawHistory(place, versions, current, change) {
  if (versions.length === 0) return make("p", {}, say("settings.never"));
  const restore = (version) => () => change("POST", `${place.path}/restore`, { version }, say("settings.restored", { version }));
  const offer = (version) => version === current || !place.mayChange ? ""
    : make("button", { type: "button", click: restore(version) }, say("settings.restore"));
  const rows = versions.map((each) => [
    each.version, each.author, showTime(each.at), make("pre", { class: "code" }, JSON.stringify(each.values, null, 1)), offer(each.version),
  ]);
  return sheet(table([say("settings.version"), say("author"), say("settings.at"), say("settings.values"), say("settings.restore")], rows, { class: "list" }));
}
