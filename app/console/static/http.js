import { say } from "./texts.js";

const base = new URL("../", import.meta.url);
let key = null;
let refuse = () => {};

/** Call this with a message whenever the service refuses the key. */
export function onRefusal(listener) {
  refuse = listener;
}

/** Keep the key in the memory of this tab only; `null` forgets it. */
export function useKey(value) {
  key = value;
}

/** Whether somebody is signed in. */
export function hasKey() {
  return key !== null;
}

/** Ask an endpoint; gives its JSON and ETag. Throws an Error whose message can be shown, with the HTTP status. */
export async function ask(path, { method = "GET", body, version } = {}) {
  const used = key;
  const headers = { Authorization: `Bearer ${used}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version) headers["If-Match"] = version;
  let answer;
  try {
    answer = await fetch(new URL(path, base), {
      method, headers, credentials: "omit", body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error(say("error.away"));
  }
  const content = await answer.json().catch(() => null);
  if (answer.ok) return { content, version: answer.headers.get("ETag") };
  const detail = content?.detail ?? content?.title ?? say("error.status", { status: answer.status });
  if (answer.status === 401 && used === key) refuse(detail);
  throw Object.assign(new Error(detail), { status: answer.status });
}
