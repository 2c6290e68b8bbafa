const SVG = "http://www.w3.org/2000/svg";

/** Make an element; children that are not nodes become text, never HTML. */
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Make an element of a drawing. */
export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
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
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
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
  return make("table", attributes, head, make("tbody", {}, ...rows.map((cells) => row(cells))));
}

/** A row of a table. */
export function row(cells, attributes = {}) {
  return make("tr", attributes, ...cells.map((cell) => make("td", {}, cell)));
}

/** A box in which wide content scrolls by itself. */
export function sheet(...children) {
  return make("div", { class: "sheet" }, ...children);
}

/** A labelled field of a form. */
export function field(text, input) {
  return make("label", {}, text, input);
}

/** A list to choose from: pairs of value and text. */
export function choose(pairs, chosen, attributes = {}) {
  const options = pairs.map(([value, text]) => make("option", { value, selected: value === chosen }, text));
  return make("select", attributes, ...options);
}
