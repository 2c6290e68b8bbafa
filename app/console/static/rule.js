import { drawRefusal } from "./dialog.js";
import { choose, field, make, sheet, show } from "./dom.js";
import { changeDraft, leave } from "./draft.js";
import { ask } from "./http.js";
import { locate } from "./locate.js";
import { tellDestination } from "./sentences.js";
import { say } from "./texts.js";

const NEW = { id: "", name: "", when: { all: [{ fact: "caller.vip", op: "is", value: true }] }, then: { no_change: true } };

/** Edits that were not saved, by draft and rule: they outlive a look at other screens and a refused key. */
const unsaved = new Map();

/** One rule of a draft as JSON, with fields for what is simple in it; an empty id makes a new rule. */
export async function showRule(ref, id, signal) {
  const { content, version } = await ask(`admin/rulesets/${encodeURIComponent(ref)}`);
  if (signal.aborted) return;
  const { rules = [], destinations = {} } = content.document;
  const rule = id ? rules.find((each) => each.id === id) : NEW;
  const key = `${ref} ${id}`;
  if (!rule && !unsaved.has(key)) throw new Error(say("rule.gone", { rule: id }));
  const title = id ? say("rule.edit", { rule: rule?.name || id }) : say("rule.add");
  document.title = `${title} · Smart Routing`;
  const edit = unsaved.get(key) ?? { text: JSON.stringify(rule, null, 2), version };
  const place = choose([...rules.map((each, index) => [String(index), say("rule.before", { rule: each.name || each.id })]),
    [String(rules.length), say("rule.last")]], "0");
  const text = make("textarea", { class: "code", rows: 18, spellcheck: "false", "aria-describedby": "refused" });
  text.value = edit.text;
  const refused = make("div", { id: "refused", role: "alert" });
  const note = (value) => unsaved.set(key, { ...edit, text: value });
  const fields = drawFields(text, destinations, note);
  text.addEventListener("input", () => {
    note(text.value);
    fields.read();
  });
  const back = (message) => {
    unsaved.delete(key);
    leave(`rules/${ref}`, message);
  };
  const submit = async (event) => {
    event.preventDefault();
    save.disabled = true;
    refused.replaceChildren();
    try {
      const body = readJson(text.value);
      const part = id ? `rules/${encodeURIComponent(id)}` : `rules?position=${place.value}`;
      await changeDraft(ref, part, { method: id ? "PUT" : "POST", body, version: edit.version });
      back(say("rule.saved", { rule: body.name || body.id || id }));
    } catch (error) {
      if (error.found) edit.version = error.found.version;
      note(text.value);
      refused.replaceChildren(...drawRefusal(error, (each) => drawPlace(text, each)), error.found ? make("p", {}, say("rule.stale")) : "");
      save.disabled = false;
      save.focus();
    }
  };
  const save = make("button", { class: "main" }, say("save"));
  show(make("p", {}, make("a", { href: `#rules/${ref}` }, say("draft.back", { name: content.draft?.name ?? ref }))), make("h1", {}, title),
    sheet(make("form", { submit }, ...fields.shown, id ? "" : field(say("rule.place"), place),
      make("label", { class: "wide" }, say("rule.json"), text), save,
      make("button", { type: "button", click: () => back("") }, say("cancel"))), refused));
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(say("json.broken", { detail: error.message }));
  }
}

/** A button that leads to the place in the text that an error names. */
function drawPlace(text, { pointer }) {
  const [begin, end] = locate(text.value, pointer ?? "");
  const line = text.value.slice(0, begin).split("\n").length;
  const click = () => {
    text.focus();
    text.setSelectionRange(begin, end);
  };
  return make("button", { type: "button", click }, say("json.place", { line, pointer: pointer ?? "" }));
}

/** Fields for the simple parts of a rule; each writes its part into the text, and `read` takes all from there. */
function drawFields(text, destinations, note) {
  const places = Object.keys(destinations).map((each) => [each, tellDestination(each, destinations)]);
  const fields = [
    bind("rule.name", make("input", { maxlength: 200 }), (rule) => rule.name ?? "", (rule, value) => { rule.name = value; }),
    bind("rule.on", make("input", { type: "checkbox" }), (rule) => rule.enabled !== false, (rule, value) => { rule.enabled = value; }),
    bind("rule.redirect", choose(places), (rule) => rule.then.redirect, (rule, value) => { rule.then.redirect = value; }),
    bind("rule.on-fail", choose([["", say("rule.on-fail.none")], ...places]), (rule) => rule.then.on_fail ?? "", (rule, value) => put(rule.then, "on_fail", value)),
    bind("rule.valid-from", make("input", { type: "datetime-local" }), (rule) => toLocal(rule.valid_from), (rule, value) => put(rule, "valid_from", fromLocal(value))),
    bind("rule.valid-until", make("input", { type: "datetime-local" }), (rule) => toLocal(rule.valid_until), (rule, value) => put(rule, "valid_until", fromLocal(value))),
  ];
  const parse = () => {
    try {
      return JSON.parse(text.value);
    } catch {
      return null;
    }
  };
  const read = () => fields.forEach((each) => each.read(parse()));
  for (const { input, write } of fields) {
    input.addEventListener("change", () => {
      const rule = parse();
      write(rule);
      text.value = JSON.stringify(rule, null, 2);
      note(text.value);
      read();
    });
  }
  read();
  return { read, shown: fields.map(({ label, input }) => field(say(label), input)) };
}

/** Tie an input to a part of a rule; where the rule has no such part, or cannot be read, the input is disabled. */
function bind(label, input, get, set) {
  const kind = input.type === "checkbox" ? "checked" : "value";
  const read = (rule) => {
    const value = typeof rule?.then === "object" && rule.then ? get(rule) : undefined;
    input.disabled = value === undefined;
    input[kind] = value ?? "";
  };
  return { label, input, read, write: (rule) => set(rule, input[kind]) };
}

function put(object, key, value) {
  if (value) object[key] = value;
  else delete object[key];
}

/** A moment as the input shows it, in the time zone of this computer. */
function toLocal(text) {
  const moment = new Date(text ?? NaN);
  if (Number.isNaN(moment.getTime())) return "";
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function fromLocal(text) {
  return text ? new Date(text).toISOString() : "";
}
