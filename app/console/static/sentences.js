import { name, say } from "./texts.js";

/** A rule as one sentence; destinations are called by the labels that the ruleset gives them. */
export function tellRule(rule, destinations) {
  const when = tellCondition(rule.when ?? { all: [] });
  const then = tellAction(rule.then, destinations);
  return when ? say("sentence.rule", { when, then }) : say("sentence.always", { then });
}

/** A destination by its label, else its name. */
export function tellDestination(id, destinations) {
  return destinations?.[id]?.label || id;
}

function tellCondition(node, nested = false) {
  if ("fact" in node) return tellLeaf(node);
  if ("not" in node) return say("sentence.not", { condition: tellCondition(node.not) });
  if ("defined" in node) return say("sentence.defined", { name: node.defined });
  const word = "all" in node ? "all" : "any";
  const parts = node[word].map((part) => tellCondition(part, true));
  const joined = parts.join(` ${say(`sentence.${word}`)} `);
  return nested && parts.length > 1 ? `(${joined})` : joined;
}

function tellLeaf({ fact, op, value }) {
  const label = name("fact", fact);
  if (op === "is" && typeof value === "boolean") return say(value ? "sentence.yes" : "sentence.no", { fact: label });
  return [label, name("op", op), value == null ? "" : tellValue(op, value)].filter(Boolean).join(" ");
}

function tellValue(op, value) {
  if (op === "between" && Array.isArray(value)) return `${value[0]}–${value[1]}`;
  return [value].flat().map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join(", ");
}

function tellAction(then, destinations) {
  const place = (id) => tellDestination(id, destinations);
  const parts = [];
  if (then.redirect) parts.push(say("sentence.redirect", { to: place(then.redirect) }));
  if (then.split) parts.push(say("sentence.split", { to: Object.entries(then.split).map(([id, weight]) => `${place(id)} (${weight})`).join(", ") }));
  if (then.redirect_to_agent) parts.push(say("sentence.agent", { fact: name("fact", then.redirect_to_agent) }));
  if (then.redirect_to_column) parts.push(say("sentence.column", { column: JSON.stringify(then.redirect_to_column) }));
  if (then.disconnect) parts.push(say("sentence.disconnect"));
  if (then.no_change) parts.push(say("sentence.no-change"));
  if (then.on_fail) parts.push(say("sentence.on-fail", { to: place(then.on_fail) }));
  for (const key of ["required_agent", "preferred_agents", "priority", "extra_priority"]) {
    if (then[key] != null) parts.push(`${say(`action.${key}`)} ${[then[key]].flat().map((each) => name("fact", each)).join(", ")}`);
  }
  for (const message of then.messages ?? []) parts.push(say("sentence.message", message));
  return parts.join(", ");
}
