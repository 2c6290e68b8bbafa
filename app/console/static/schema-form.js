import { choose, make } from "./dom.js";

/** A schema without references, and whether `null` fits it, too. */
export function resolve(schema, definitions = {}) {
  const { $ref: reference, anyOf: choices, ...rest } = schema;
  if (reference) return { ...resolve(definitions[reference.split("/").pop()], definitions), ...rest };
  if (!choices) return rest;
  const real = choices.filter((each) => each.type !== "null");
  const only = real.length === 1 ? resolve(real[0], definitions) : {};
  return { ...only, ...rest, nullable: real.length < choices.length };
}

/**
 * A control for a value of a schema: `read` gives the value and throws where it is no JSON, `spell` what stands in the
 * control as text, which `put` takes back. `others` are values that fit although the schema's list leaves them out.
 */
export function makeControl(schema, value, others, attributes) {
  if (schema.enum) return makeChoice(schema, value, others, attributes);
  if (schema.type === "boolean") return makeBox(value, attributes);
  if (schema.type === "integer" || schema.type === "number") return makeNumber(schema, value, attributes);
  if (schema.type === "string") return makeLine(schema, value, attributes);
  if (schema.type === "array" && schema.items?.type === "string") return makeLines(value, attributes);
  return makeRaw(value, attributes);
}

function ofText(node, read) {
  return { node, read, spell: () => node.value, put: (text) => { node.value = text; } };
}

function makeChoice(schema, value, others, attributes) {
  const values = [...new Set([...(schema.nullable ? [null] : []), value, ...others, ...schema.enum])];
  const pairs = values.map((each, place) => [String(place), each === null ? "–" : String(each)]);
  const node = choose(pairs, String(values.indexOf(value)), attributes);
  return ofText(node, () => values[Number(node.value)]);
}

function makeBox(value, attributes) {
  const node = make("input", { type: "checkbox", checked: value === true, ...attributes });
  return { node, read: () => node.checked, spell: () => String(node.checked), put: (text) => { node.checked = text === "true"; } };
}

function makeNumber(schema, value, attributes) {
  const { minimum: min, maximum: max, type, nullable } = schema;
  const node = make("input", { type: "number", min, max, step: type === "integer" ? 1 : "any", required: !nullable, value, ...attributes });
  return ofText(node, () => node.value === "" ? null : Number(node.value));
}

function makeLine(schema, value, attributes) {
  const node = make("input", { type: "text", maxlength: schema.maxLength, value: value ?? "", ...attributes });
  return ofText(node, () => node.value === "" && schema.nullable ? null : node.value);
}

/** One text a line. */
function makeLines(value, attributes) {
  const node = make("textarea", { rows: Math.max(2, (value ?? []).length + 1), ...attributes }, (value ?? []).join("\n"));
  return ofText(node, () => node.value.split("\n").map((line) => line.trim()).filter(Boolean));
}

function makeRaw(value, attributes) {
  const text = JSON.stringify(value, null, 2);
  const node = make("textarea", { rows: Math.min(16, text.split("\n").length + 1), class: "code", spellcheck: "false", ...attributes }, text);
  return ofText(node, () => JSON.parse(node.value));
}
