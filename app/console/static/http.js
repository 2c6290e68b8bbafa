import { say } from "./texts.js";

const base = new URL("../", import.meta.url);
const AGAIN_MILLISECONDS = 3000;
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

/**
 * Ask an endpoint, with JSON or with a text of another `type`; gives its JSON and ETag. Throws an Error whose message can be
 * shown, with status and problem.
 */
export async function ask(path, { method = "GET", body, version, type = "application/json" } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = type;
  if (version) headers["If-Match"] = version;
  const answer = await send(path, { method, headers, body: type === "application/json" ? JSON.stringify(body) : body });
  return { content: await answer.json().catch(() => null), version: answer.headers.get("ETag") };
}

/** Fetch an answer in a media type, as a file. */
export async function fetchFile(path, type) {
  return (await send(path, { headers: { Accept: type } })).blob();
}

/**
 * Follow a stream of server-sent events behind the event `after` until the signal aborts, and ask again whenever it ends.
 * `take` gets each event; `watch` an Error when the stream is lost, and `null` when it is there again.
 */
export async function follow(path, { after, signal, take, watch }) {
  let last = after;
  while (!signal.aborted) {
    try {
      const answer = await send(path, { headers: last ? { "Last-Event-ID": last } : {}, signal });
      watch(null);
      for await (const event of readEvents(answer.body)) {
        last = event.id ?? last;
        take(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      watch(error.status ? error : new Error(say("error.away")));
      if ([401, 403, 422].includes(error.status)) return;
    }
    await new Promise((resume) => setTimeout(resume, AGAIN_MILLISECONDS));
  }
}

async function send(path, { headers, ...options }) {
  const used = key;
  let answer;
  try {
    answer = await fetch(new URL(path, base), {
      ...options, headers: { Authorization: `Bearer ${used}`, ...headers }, credentials: "omit",
    });
  } catch {
    throw new Error(say("error.away"));
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => null);
  const detail = problem?.detail ?? problem?.title ?? say("error.status", { status: answer.status });
  if (answer.status === 401 && used === key) refuse(detail);
  throw Object.assign(new Error(detail), { status: answer.status, problem });
}

/** Read the events of a stream: name, id and JSON of each. */
async function* readEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.data) yield { name: fields.event, id: fields.id, data: JSON.parse(fields.data) };
    }
  }
}
