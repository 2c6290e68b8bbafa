import { make, show, tell } from "./dom.js";
import { ask, useKey } from "./http.js";
import { say } from "./texts.js";

const base = new URL("../", import.meta.url);
const page = new URL("console", base).href;
/** Where a sign-in under way is kept while the tab is at the issuer. */
const UNDER_WAY = "sign-in";

/** Ask for a key or an account; `enter` gets what `/admin/me` says of whoever signed in. */
export async function showSignIn(enter) {
  document.title = `${say("sign-in")} · Smart Routing`;
  const key = make("input", { type: "password", required: true, autocomplete: "off" });
  const submit = async (event) => {
    event.preventDefault();
    if (!await signIn(key.value.trim(), enter)) key.focus();
  };
  const account = make("p", {});
  show(make("h1", {}, say("sign-in")), account, make("form", { submit, class: "sheet" },
    make("label", {}, say("sign-in.key"), key), make("button", { class: "main" }, say("sign-in"))),
  make("p", {}, say("sign-in.note")));
  key.focus();
  const client = await fetchClient();
  if (!client || !isSecureContext) return;
  const click = () => leaveForIssuer(client).catch((error) => tell(error.message, true));
  account.append(make("button", { type: "button", class: "main", click }, say("sign-in.account")));
}

/** What the issuer sent back, when this page was opened by it; the address is again what it was before. */
export function takeAnswer() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return null;
  const underWay = JSON.parse(sessionStorage.getItem(UNDER_WAY) ?? "null");
  sessionStorage.removeItem(UNDER_WAY);
  history.replaceState(null, "", underWay?.place ?? page);
  return { answer, underWay };
}

/** End the sign-in that the issuer answered. */
export async function endSignIn({ answer, underWay }, enter) {
  tell(say("loading"));
  try {
    if (answer.get("state") !== underWay?.state) throw new Error(say("sign-in.stranger"));
    if (!answer.has("code")) throw new Error(answer.get("error_description") ?? answer.get("error"));
    await signIn(await fetchToken(answer.get("code"), underWay.verifier), enter);
  } catch (error) {
    tell(error.message, true);
  }
}

async function signIn(credential, enter) {
  useKey(credential);
  tell(say("loading"));
  try {
    await enter((await ask("admin/me")).content);
    return true;
  } catch (error) {
    useKey(null);
    tell(error.message, true);
    return false;
  }
}

async function leaveForIssuer(client) {
  const [state, verifier] = [makeSecret(), makeSecret()];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(UNDER_WAY, JSON.stringify({ state, verifier, place: location.href }));
  const url = new URL(client.authorization_url);
  const asked = {
    response_type: "code", client_id: client.client_id, redirect_uri: page, scope: client.scope, state,
    code_challenge: spell(new Uint8Array(digest)), code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  location.assign(url);
}

async function fetchToken(code, verifier) {
  const client = await fetchClient();
  const body = new URLSearchParams({
    grant_type: "authorization_code", code, redirect_uri: page, client_id: client?.client_id, code_verifier: verifier,
  });
  const answer = await fetch(client?.token_url, { method: "POST", body, credentials: "omit" }).catch(() => null);
  const content = await answer?.json().catch(() => null);
  if (!content?.access_token) throw new Error(content?.error_description ?? say("sign-in.no-token"));
  return content.access_token;
}

async function fetchClient() {
  const answer = await fetch(new URL("console/sign-in", base), { credentials: "omit" }).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

function makeSecret() {
  return spell(crypto.getRandomValues(new Uint8Array(32)));
}

/** Base64url without padding (RFC 4648, section 5). */
function spell(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
