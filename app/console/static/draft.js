import { askFirst, drawRefusal } from "./dialog.js";
import { make, tell } from "./dom.js";
import { ask } from "./http.js";
import { say } from "./texts.js";

/**
 * Change a part of a draft from the version that was seen. When somebody was faster, the error has the draft as it is now
 * (`found`) and what was changed by whom, newest first (`changes`).
 */
export async function changeDraft(ref, part, options) {
  const path = `admin/rulesets/${encodeURIComponent(ref)}`;
  try {
    return await ask(part ? `${path}/${part}` : path, options);
  } catch (error) {
    if (error.status !== 412) throw error;
    const [found, audit] = await Promise.all([ask(path), ask(`admin/audit?${new URLSearchParams({ target: `draft/${ref}`, limit: 50 })}`)]);
    const seen = audit.content.items.findIndex((record) => `"${record.before?.version}"` === options.version);
    throw Object.assign(error, { found, changes: audit.content.items.slice(0, seen + 1 || undefined) });
  }
}

/**
 * What an editor of a draft gets: `dress` puts the tools to the line of a rule, `tools` are those of the draft itself.
 * `draw` shows the draft anew, with a notice above its rules.
 */
export function editDraft({ content, version }, signal, draw) {
  const { ref, draft, document } = content;
  const rules = document.rules ?? [];
  let busy = false;
  const change = async (part, options, done) => {
    try {
      const found = await changeDraft(ref, part, { ...options, version });
      return () => done(found);
    } catch (error) {
      if (!error.found) throw error;
      return () => draw(error.found, drawRefusal(error));
    }
  };
  const move = async (rule, position, tool) => {
    if (busy || position === rules.indexOf(rule)) return;
    busy = true;
    tell(say("loading"));
    try {
      const then = await change(`rules/${encodeURIComponent(rule.id)}/move`, { method: "POST", body: { position } }, (found) => {
        draw(found);
        focusTool(position, tool);
        tell(say("rule.moved", { rule: rule.name || rule.id, place: position + 1 }));
      });
      tell("");
      if (!signal.aborted) then();
    } catch (error) {
      busy = false;
      tell(error.message, true);
    }
  };
  const remove = (rule) => askFirst({ title: say("rule.delete"), contents: [make("p", {}, say("rule.delete.ask", { rule: rule.name || rule.id }))] },
    () => change(`rules/${encodeURIComponent(rule.id)}`, { method: "DELETE" }, (found) => {
      draw(found);
      tell(say("rule.deleted", { rule: rule.name || rule.id }));
    }));
  const discard = () => askFirst({ title: say("draft.discard"), contents: [make("p", {}, say("draft.discard.ask", { name: draft.name }))] },
    () => change("", { method: "DELETE" }, () => leave("rules", say("draft.discarded", { name: draft.name }))));
  const dress = (line, rule, index) => {
    const tool = (key, click, off = false) => make("button", {
      type: "button", click, disabled: off, "data-tool": key, "aria-label": `${say(key)}: ${rule.name || rule.id}`,
    }, say(key));
    line.append(make("p", { class: "tools" }, drawHandle(rule, index),
      make("a", { href: linkRule(ref, rule.id), "aria-label": `${say("edit")}: ${rule.name || rule.id}` }, say("edit")),
      tool("move.up", () => move(rule, index - 1, "move.up"), index === 0),
      tool("move.down", () => move(rule, index + 1, "move.down"), index === rules.length - 1),
      tool("delete", () => remove(rule))));
    line.addEventListener("dragover", (event) => event.preventDefault());
    line.addEventListener("drop", (event) => {
      event.preventDefault();
      const dragged = rules[Number(event.dataTransfer.getData("text/plain"))];
      if (dragged) move(dragged, index, "move.up");
    });
  };
  return { dress, tools: make("p", { class: "tools" }, make("a", { href: linkRule(ref, "") }, say("rule.add")),
    make("button", { type: "button", click: discard }, say("draft.discard.begin"))) };
}

/** The address at which a rule of a draft is edited; an empty id is that of a new rule. */
function linkRule(ref, id) {
  return `#rules/${encodeURIComponent(ref)}?${new URLSearchParams({ rule: id })}`;
}

/** Go to another screen and say there what was done. */
export function leave(place, message) {
  addEventListener("hashchange", () => tell(message), { once: true });
  location.hash = place;
}

function drawHandle(rule, index) {
  const dragstart = (event) => event.dataTransfer.setData("text/plain", String(index));
  return make("span", { class: "handle", draggable: "true", "aria-hidden": "true", title: say("move.drag"), dragstart }, "⠿");
}

function focusTool(position, tool) {
  const line = document.querySelectorAll("ol.rules > li")[position];
  const wanted = line?.querySelector(`[data-tool="${tool}"]:enabled`) ?? line?.querySelector("button:enabled");
  wanted?.focus();
}
