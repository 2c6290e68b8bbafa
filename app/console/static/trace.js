import { make } from "./dom.js";
import { name, say } from "./texts.js";

/** The rules from first to last; the one that decided is marked, and near misses say what was missing. */
export function drawRules(trace) {
  const misses = new Map(trace.near_misses.map((miss) => [miss.rule, miss.sentence]));
  return make("ol", { class: "rules" }, ...trace.rules.map((rule) => make("li", { class: rule.decided ? "decided" : null },
    make("strong", {}, rule.name || rule.id), ` · ${rule.decided ? say("rule.decided") : name("verdict", rule.verdict)}`,
    misses.has(rule.id) ? make("p", { class: "miss" }, make("strong", {}, say("rule.near-miss")), ` ${misses.get(rule.id)}`) : null,
    make("ul", {}, ...listConditions(rule.when).map((one) => make("li", {}, tellCondition(one)))))));
}

function listConditions(node) {
  if (node == null || typeof node !== "object") return [];
  if (Array.isArray(node)) return node.flatMap(listConditions);
  return "fact" in node ? [node] : Object.values(node).flatMap(listConditions);
}

function tellCondition(one) {
  const expected = one.expected == null ? "" : ` ${JSON.stringify(one.expected)}`;
  const actual = one.actual == null ? say("rule.no-value") : JSON.stringify(one.actual);
  return say("rule.condition", { condition: `${one.fact} ${one.op}${expected}`, actual, verdict: name("verdict", one.verdict) });
}
