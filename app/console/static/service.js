import { make, sheet, show, table, tell } from "./dom.js";
import { ask } from "./http.js";
import { name, say, showTime } from "./texts.js";

const WORST_FIRST = ["wrong", "unknown", "ok", "not-needed"];

/** Readiness to go live, open alerts, and what the service depends on. */
export async function showService(_query, me, signal) {
  const [readiness, alerts, health] = await Promise.all([
    ask("admin/readiness"), ask("admin/alerts?limit=50"), ask("health/dependencies"),
  ]);
  if (signal.aborted) return;
  document.title = `${say("service")} · Smart Routing`;
  const again = () => showService(null, me, signal).catch((error) => tell(error.message, true));
  show(make("h1", {}, say("service")),
    make("p", {}, make("button", { type: "button", click: again }, say("look-again"))),
    make("h2", {}, say("alerts")), drawAlerts(alerts.content.items, me.permissions.includes("operate") && again),
    make("h2", {}, say("dependencies")), drawDependencies(health.content.dependencies),
    make("h2", {}, say(readiness.content.ready ? "readiness.ready" : "readiness.not-ready")), drawReadiness(readiness.content.items));
}

/** The newest alerts; `again` draws the screen anew after one was acknowledged, for those who may. */
function drawAlerts(alerts, again) {
  if (alerts.length === 0) return make("p", {}, say("alerts.none"));
  const acknowledge = (alert) => async () => {
    try {
      await ask(`admin/alerts/${alert.id}/acknowledge`, { method: "POST" });
      await again();
      tell(say("alert.acknowledged"));
    } catch (error) {
      tell(error.message, true);
    }
  };
  const tellSeen = (alert) => {
    if (alert.acknowledged_by) return say("alert.acknowledged-by", { who: alert.acknowledged_by, at: showTime(alert.acknowledged_at) });
    if (alert.state !== "open" || !again) return "";
    return make("button", { type: "button", click: acknowledge(alert) }, say("alert.acknowledge"));
  };
  const rows = alerts.map((alert) => [
    name("alert-state", alert.state), alert.detail.message ?? alert.key, showTime(alert.opened_at),
    alert.cleared_at ? showTime(alert.cleared_at) : "", tellSeen(alert),
  ]);
  return sheet(table([say("state"), say("alert"), say("opened-at"), say("cleared-at"), say("alert.acknowledge")], rows, { class: "list" }));
}

function drawDependencies(dependencies) {
  const rows = dependencies.map((each) => [name("dependency", each.name), name("health", each.state), each.detail]);
  return sheet(table([say("name"), say("state"), say("detail")], rows, { class: "list" }));
}

function drawReadiness(items) {
  const sorted = [...items].sort((one, other) => WORST_FIRST.indexOf(one.state) - WORST_FIRST.indexOf(other.state));
  const rows = sorted.map((item) => [
    make("strong", { class: `state-${item.state}` }, name("readiness-state", item.state)), name("readiness", item.id), item.reason, item.remedy,
  ]);
  return sheet(table([say("state"), say("name"), say("reason"), say("remedy")], rows, { class: "list" }));
}
