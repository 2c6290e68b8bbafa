import { make, table } from "./dom.js";
import { name, say, showTime } from "./texts.js";

/**
 * Ask in a dialog before something is done. `work` does it and may return what is to happen once the dialog is closed;
 * what goes wrong is said in the dialog. `ready` holds its button back until that promise gives true.
 */
export function askFirst({ title, contents = [], ready }, work) {
  const refused = make("div", { role: "alert" });
  const go = make("button", { class: "main", disabled: ready !== undefined }, title);
  const submit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    refused.replaceChildren();
    try {
      const then = await work();
      dialog.close();
      then?.();
    } catch (error) {
      refused.replaceChildren(...drawRefusal(error));
      go.disabled = false;
      go.focus();
    }
  };
  const dialog = make("dialog", { "aria-label": title, close: () => dialog.remove() }, make("h2", {}, title),
    make("form", { submit }, ...contents, go, make("button", { type: "button", click: () => dialog.close() }, say("cancel"))), refused);
  document.getElementById("main").append(dialog);
  dialog.showModal();
  ready?.then((may) => { go.disabled = !may; }, (error) => refused.replaceChildren(...drawRefusal(error)));
}

/** Why something was refused: the message, what is wrong where, and what others changed meanwhile. */
export function drawRefusal(error, drawPlace = (each) => each.pointer ?? "") {
  const errors = (error.problem?.errors ?? []).map((each) => make("li", {}, drawPlace(each), " ", each.detail, " ", each.hint ?? ""));
  return [make("p", { class: "error" }, error.message), errors.length ? make("ul", {}, ...errors) : "", ...drawChanges(error.changes ?? [])];
}

function drawChanges(records) {
  return records.map(({ who, at, after }) => make("div", {}, make("p", {}, say("changed-by", { who, at: showTime(at) })),
    make("ul", {}, ...(after?.changes ?? []).map((change) => make("li", {}, drawChange(change))))));
}

function drawChange({ kind, part, id, pointer, after }) {
  const title = `${name("change", kind)}: ${name("part", part)} ${id} (${pointer})`;
  if (kind === "moved" || after == null) return title;
  return make("details", {}, make("summary", {}, title), make("pre", {}, JSON.stringify(after, null, 1)));
}

/** What the publish checks say of a ruleset with these tests. */
export function drawFindings({ publishable, findings }, tests) {
  const failed = new Set(findings.filter((each) => each.severity === "error").map((each) => /^\/tests\/(\d+)/.exec(each.pointer)?.[1]));
  failed.delete(undefined);
  // Tests run only when every destination exists.
  const ran = !findings.some((each) => each.code === "unknown-destination");
  const rows = findings.map((each) => [name("severity", each.severity), each.rule ?? each.pointer, each.detail, each.hint ?? ""]);
  return [
    make("p", {}, ran ? say("tests.passed", { passed: tests.length - failed.size, count: tests.length }) : say("tests.waiting")),
    make("p", {}, say(publishable ? "checks.passed" : "checks.failed")),
    rows.length ? table([say("severity"), say("place"), say("finding"), say("remedy")], rows) : "",
  ];
}
