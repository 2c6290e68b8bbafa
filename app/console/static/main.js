import { showCall } from "./call.js";
import { showCalls } from "./calls.js";
import { make, show, tell } from "./dom.js";
import { hasKey, onRefusal, useKey } from "./http.js";
import { showJob } from "./job.js";
import { showReports } from "./reports.js";
import { showRules } from "./rules.js";
import { showRuleset } from "./ruleset.js";
import { showService } from "./service.js";
import { showSettings, showSettingsGroup } from "./settings.js";
import { endSignIn, showSignIn, takeAnswer } from "./sign-in.js";
import { say, speak } from "./texts.js";
import { showUsers } from "./users.js";

/** The screens of the head line: the permission that shows them, the screen, and that of one item of it. */
const SCREENS = {
  calls: ["read-decisions", showCalls, showCall],
  rules: ["read-rules", showRules, showRuleset],
  users: ["read-users", showUsers, showJob],
  service: ["read-status", showService, showService],
  settings: ["read-status", showSettings, showSettingsGroup],
  reports: ["read-decisions", showReports, showReports],
};

let me = null;
let leave = () => {};

/** Show the screen that the address names: `#calls?outcome=redirect` or `#calls/ID`. */
async function open() {
  leave();
  tell("");
  const stop = new AbortController();
  leave = () => stop.abort();
  const [path, query] = location.hash.slice(1).split("?");
  const [wanted, item] = path.split("/").map(decodeURIComponent);
  const screen = wanted in SCREENS ? wanted : "calls";
  drawHead(screen);
  if (!hasKey()) return showSignIn(enter);
  const [permission, showAll, showOne] = SCREENS[screen];
  if (!me.permissions.includes(permission)) {
    document.title = `${say(screen)} · Smart Routing`;
    return show(make("h1", {}, say(screen)), make("p", {}, say("forbidden", { role: me.role })));
  }
  try {
    await (item ? showOne : showAll)(new URLSearchParams(query), me, stop.signal, item);
  } catch (error) {
    if (!stop.signal.aborted) showError(error);
  }
}

function drawHead(screen) {
  document.getElementById("language-label").textContent = say("language");
  const signOut = document.getElementById("sign-out");
  signOut.textContent = say("sign-out");
  signOut.hidden = !hasKey();
  document.getElementById("who").textContent = me ? `${me.name} · ${me.role}` : "";
  const shown = Object.keys(SCREENS).filter((each) => me?.permissions.includes(SCREENS[each][0]));
  const screens = document.getElementById("screens");
  screens.setAttribute("aria-label", say("screens"));
  screens.replaceChildren(...shown.map((each) => make("a", { href: `#${each}`, "aria-current": each === screen ? "page" : null }, say(each))));
}

function showError(error) {
  show(make("h1", {}, say("error")), make("p", { class: "error" }, error.message),
    make("button", { type: "button", click: open }, say("error.again")));
}

function forget(message = "") {
  useKey(null);
  me = null;
  open();
  tell(message, message !== "");
}

async function enter(whoever) {
  me = whoever;
  await open();
}

async function start() {
  const answered = takeAnswer();
  const language = document.getElementById("language");
  const wanted = new URLSearchParams(location.search).get("language") ?? navigator.language.slice(0, 2);
  language.value = wanted === "fi" ? "fi" : "en";
  await speak(language.value);
  language.addEventListener("change", async () => {
    await speak(language.value);
    history.replaceState(null, "", `?language=${language.value}${location.hash}`);
    await open();
  });
  document.getElementById("sign-out").addEventListener("click", () => forget());
  addEventListener("hashchange", open);
  onRefusal((message) => me && forget(message));
  await open();
  if (answered) await endSignIn(answered, enter);
}

start();
