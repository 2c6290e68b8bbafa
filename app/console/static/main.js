import { showCall } from "./call.js";
import { showCalls } from "./calls.js";
import { make, show, tell } from "./dom.js";
import { ask, hasKey, onRefusal, useKey } from "./http.js";
import { say, speak } from "./texts.js";

let me = null;
let leave = () => {};

/** Show the screen that the address names: `#calls?outcome=redirect` or `#calls/ID`. */
async function open() {
  leave();
  tell("");
  document.getElementById("language-label").textContent = say("language");
  const signOut = document.getElementById("sign-out");
  signOut.textContent = say("sign-out");
  signOut.hidden = !hasKey();
  document.getElementById("who").textContent = me ? `${me.name} · ${me.role}` : "";
  const stop = new AbortController();
  leave = () => stop.abort();
  if (!hasKey()) return showSignIn();
  const [path, query] = location.hash.slice(1).split("?");
  const id = /^calls\/([0-9a-f-]{36})$/.exec(path)?.[1];
  try {
    await (id ? showCall(id, me, stop.signal) : showCalls(new URLSearchParams(query), me, stop.signal));
  } catch (error) {
    if (!stop.signal.aborted) showError(error);
  }
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

function showSignIn() {
  document.title = `${say("sign-in")} · Smart Routing`;
  const key = make("input", { type: "password", required: true, autocomplete: "off" });
  const submit = async (event) => {
    event.preventDefault();
    useKey(key.value.trim());
    tell(say("loading"));
    try {
      me = (await ask("admin/me")).content;
      await open();
    } catch (error) {
      useKey(null);
      tell(error.message, true);
      key.focus();
    }
  };
  show(make("h1", {}, say("sign-in")), make("form", { submit, class: "sheet" },
    make("label", {}, say("sign-in.key"), key), make("button", { class: "main" }, say("sign-in"))),
  make("p", {}, say("sign-in.note")));
  key.focus();
}

async function start() {
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
}

start();
