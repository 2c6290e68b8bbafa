import { field, make, sheet, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { drawRuleset, findLive } from "./ruleset.js";
import { name, say, showTime } from "./texts.js";

/** The live ruleset as sentences, the drafts, and the revisions; `?old=1&new=2` compares two of them. */
export async function showRules(query, me, signal) {
  if (query.has("new")) return showDifference(query.get("old"), query.get("new"), signal);
  const [live, drafts, revisions] = await Promise.all([
    findLive(),
    ask("admin/rulesets/drafts?limit=200"),
    ask(`admin/rulesets/revisions?${new URLSearchParams({ limit: 20, ...Object.fromEntries(query) })}`),
  ]);
  if (signal.aborted) return;
  document.title = `${say("rules")} · Smart Routing`;
  show(make("h1", {}, say("rules")),
    make("h2", {}, live ? say("rules.live", { revision: live.content.ref }) : say("rules.unpublished")),
    ...(live ? drawRuleset(live.content.document) : []),
    make("h2", {}, say("drafts")), drawDrafts(drafts.content.items),
    me.permissions.includes("edit-rules") ? drawNewDraft(live) : "",
    make("h2", {}, say("revisions")), drawRevisions(revisions.content, live?.content.ref));
}

function drawDrafts(drafts) {
  if (drafts.length === 0) return make("p", {}, say("drafts.none"));
  const heads = [say("name"), say("based-on"), say("author"), say("changed-at"), say("compare")];
  return sheet(table(heads, drafts.map((draft) => [
    make("a", { href: `#rules/${draft.id}` }, draft.name), String(draft.based_on ?? ""), draft.author, showTime(draft.updated_at),
    drawCompare("current", draft.id),
  ]), { class: "list" }));
}

/** A form that makes a draft of the live rules, or an empty one before there are any. */
function drawNewDraft(live) {
  const title = make("input", { required: true, maxlength: 200 });
  const submit = async (event) => {
    event.preventDefault();
    tell(say("loading"));
    try {
      const made = await ask("admin/rulesets/drafts", { method: "POST", body: { name: title.value.trim(), source: live ? "current" : null } });
      location.hash = `rules/${made.content.ref}`;
    } catch (error) {
      tell(error.message, true);
    }
  };
  return make("form", { submit, class: "tools" }, field(say("draft.name"), title), make("button", {}, say("draft.make")));
}

function drawRevisions(page, live) {
  const heads = [say("revision"), say("comment"), say("author"), say("published-at"), say("compare")];
  const rows = page.items.map((item) => [
    make("a", { href: `#rules/${item.revision}` }, String(item.revision)),
    item.rollback_of ? say("revision.rollback", { revision: item.rollback_of, comment: item.comment }) : item.comment,
    item.author, showTime(item.at), String(item.revision) === live ? say("revision.live") : drawCompare(item.revision, "current"),
  ]);
  const older = page.next && make("p", {}, make("a", { href: `#rules?after=${page.next}` }, say("revisions.older")));
  return sheet(table(heads, rows, { class: "list" }), older || "");
}

function drawCompare(old, wanted) {
  return make("a", { href: `#rules?${new URLSearchParams({ old, new: wanted })}` }, say("compare.with-live"));
}

async function showDifference(old, wanted, signal) {
  const { content } = await ask(`admin/rulesets/diff?${new URLSearchParams({ old, new: wanted })}`);
  if (signal.aborted) return;
  const label = (ref) => (ref === "current" ? say("revision.live") : ref);
  document.title = `${say("compare")} · Smart Routing`;
  const rows = content.items.map((item) => [
    name("change", item.kind), `${name("part", item.part)} ${item.id}`, write(item.before), write(item.after),
  ]);
  show(make("p", {}, make("a", { href: "#rules" }, say("rules.back"))),
    make("h1", {}, say("compare.title", { old: label(old), new: label(wanted) })),
    rows.length ? sheet(table([say("change"), say("part"), say("before"), say("after")], rows, { class: "list" })) : make("p", {}, say("compare.same")));
}

function write(value) {
  return value == null ? "" : make("pre", {}, typeof value === "string" ? value : JSON.stringify(value, null, 1));
}
