import { choose, field, make, sheet, show } from "./dom.js";
import { ask, fetchFile } from "./http.js";
import { name, say } from "./texts.js";

const GRAINS = ["hour", "day", "week", "month"];
const KEYS = ["report", "from", "until", "by", "time_zone"];

/** The charts of reports; which one, the range and the zone are in the address. */
export async function showReports(query, _me, signal) {
  const { content: list } = await ask("admin/reports");
  const chosen = query.get("report") ?? list.items[0].report;
  if (signal.aborted) return;
  document.title = `${say("reports")} · Smart Routing`;
  const chart = sheet(make("p", {}, say("loading")));
  show(make("h1", {}, say("reports")), drawForm(query, chosen, list.items), chart);
  const asked = new URLSearchParams([...query].filter(([key, value]) => KEYS.includes(key) && key !== "report" && value));
  const path = `admin/reports/${encodeURIComponent(chosen)}?${asked}`;
  try {
    const picture = await fetchFile(path, "image/svg+xml");
    if (!signal.aborted) chart.replaceChildren(await drawPicture(picture), drawDownload(path, chosen));
  } catch (error) {
    if (!signal.aborted) chart.replaceChildren(make("p", { class: "error", role: "alert" }, error.message));
  }
}

function drawForm(query, chosen, reports) {
  const inputs = {
    report: choose(reports.map((each) => [each.report, say(`report.${each.report}`)]), chosen),
    from: make("input", { type: "date", value: query.get("from") }),
    until: make("input", { type: "date", value: query.get("until") }),
    by: choose(GRAINS.map((each) => [each, name("grain", each)]), query.get("by") ?? "day"),
    time_zone: make("input", { value: query.get("time_zone"), list: "zones", maxlength: 100 }),
  };
  const zones = Intl.supportedValuesOf("timeZone").map((value) => make("option", { value }));
  const submit = (event) => {
    event.preventDefault();
    const wanted = KEYS.map((key) => [key, inputs[key].value.trim()]).filter(([, value]) => value);
    location.hash = `reports?${new URLSearchParams(wanted)}`;
  };
  return make("form", { submit }, ...KEYS.map((key) => field(say(`reports.${key}`), inputs[key])),
    make("datalist", { id: "zones" }, ...zones), make("button", { class: "main" }, say("reports.show")));
}

/** The picture as an image, so that nothing in it runs; a screen reader gets its title and its words. */
async function drawPicture(picture) {
  const text = await picture.text();
  const alt = ["title", "desc"].map((part) => readElement(text, part)).join(" ");
  const address = URL.createObjectURL(picture);
  return make("img", { class: "chart", src: address, alt, load: () => URL.revokeObjectURL(address) });
}

/** The text of the first such element; the rest is not parsed, since the page's policy refuses the styles in it. */
function readElement(text, part) {
  const found = new RegExp(`<${part}[ >].*?</${part}>`, "s").exec(text);
  return found ? new DOMParser().parseFromString(found[0], "text/xml").documentElement.textContent : "";
}

function drawDownload(path, report) {
  const save = async () => {
    const address = URL.createObjectURL(await fetchFile(path, "text/csv"));
    make("a", { href: address, download: `${report}.csv` }).click();
    URL.revokeObjectURL(address);
  };
  return make("p", { class: "tools" }, make("button", { type: "button", click: save }, say("reports.save")), " ",
    make("button", { type: "button", click: () => print() }, say("reports.print")));
}
