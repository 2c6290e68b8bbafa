let catalogue = {};
let locale = "en-GB";

/** Load the catalogue of a language (`en` or `fi`). */
export async function speak(wanted) {
  locale = wanted === "en" ? "en-GB" : wanted;
  const answer = await fetch(new URL(`./${wanted}.json`, import.meta.url));
  catalogue = await answer.json();
  document.documentElement.lang = wanted;
}

/** The text of a key with its `{names}` filled in; a key that is no text of ours is shown as it is. */
export function say(key, values = {}) {
  return (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The text of a value of the API, e.g. an outcome. */
export function name(kind, value) {
  return catalogue[`${kind}.${value}`] ?? String(value ?? "");
}

export function showTime(text) {
  return new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "medium" }).format(new Date(text));
}

export function showMilliseconds(value) {
  if (value == null) return "";
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format(value)} ms`;
}
