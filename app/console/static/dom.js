/** Make an element; children that are not nodes become text, never HTML. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Replace the screen and lead keyboard and screen reader to its start. */
export function show(...children) {
  const main = document.getElementById("main");
  main.replaceChildren(...children);
  main.focus();
}

/** Tell what happened, also to a screen reader. */
export function tell(text, error = false) {
  const status = document.getElementById("status");
  status.className = error ? "error" : "";
  status.textContent = text;
}

/** A table with a head row; cells are text or nodes. */
export function table(heads, rows, attributes = {}) {
  const head = make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text))));
  const body = make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)))));
  return make("table", attributes, head, body);
}
