// A day of administration with nothing but the client that openapi-typescript generates: publish a rule, call the
// webhook, read the decision. Prints what the decision says as JSON.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[] };

const NEW_LINE = "+358912345000";
const [baseUrl, adminKey, queueKey] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl });
const headers = { Authorization: `Bearer ${adminKey}` };

function need<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const live = need(await client.GET("/admin/rulesets/{ref}", { params: { path: { ref: "current" } }, headers }));
const draft = need(
  await client.POST("/admin/rulesets/drafts", { body: { name: "Night", source: "current" }, headers }),
);
const changed = need(
  await client.POST("/admin/rulesets/{ref}/rules", {
    params: { path: { ref: draft.ref }, query: { position: 0 }, header: { "if-match": draft.draft!.etag } },
    body: { id: "new-line", when: { fact: "call.called", op: "is", value: NEW_LINE }, then: { redirect: "overflow" } },
    headers,
  }),
);
const published = need(
  await client.POST("/admin/rulesets/{ref}/publish", {
    params: { path: { ref: draft.ref }, header: { "if-match": changed.draft!.etag } },
    body: { comment: "Night", expected_revision: live.revision!.revision },
    headers,
  }),
);
await client.POST("/smartrouting", {
  body: { anum: "+358501234567", bnum: NEW_LINE, targetid: "SALES_QUEUE" },
  headers: { "X-Benemen-APIKey": queueKey },
});
async function readDecisions() {
  const page = need(await client.GET("/admin/decisions", { headers }));
  return typeof page === "string" ? [] : page.items; // text is CSV, which was not asked for
}

let decisions = await readDecisions();
for (let tries = 0; decisions.length === 0 && tries < 100; tries++) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  decisions = await readDecisions();
}
const { rule, outcome, revision } = decisions[0]!;
console.log(JSON.stringify({ published: published.published, rule, outcome, revision }));
