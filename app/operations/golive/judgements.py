"""What each item of the readiness means, judged from what was read; pure but for the types."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Network, ip_network

from app.dataverse.check import CheckResult
from app.operations.deliveries import ReceiverState
from app.operations.golive.handoff import Handoff
from app.operations.golive.readiness import Answer, not_needed, ok, unknown, wrong
from app.operations.registrations.registration import KnownRegistration, count_days
from app.routing.compiled import CompiledRuleset
from app.routing.evaluation import FALSE
from app.routing.rule_tests import run_tests
from app.settings import DataverseAuth, Settings
from app.settings.base import PREFIX

__all__ = [
    "ENREACH_NETWORKS",
    "QUEUE_SECONDS",
    "judge_alerts",
    "judge_checks",
    "judge_clock",
    "judge_deadline",
    "judge_decision_log",
    "judge_drills",
    "judge_networks",
    "judge_response_keys",
    "judge_ruleset",
    "judge_secrets",
    "judge_webhook_keys",
]

ENREACH_NETWORKS = ("80.88.186.0/24", "80.88.187.0/24")
"""Where Enreach's queues ask from (Enreach contract, section 1.2)."""
QUEUE_SECONDS = 5
"""How long a queue waits (Enreach contract, section 1.2)."""
_MARGIN_MS = 1000
_KEYS_TO_ROTATE = 2
_MIN_SECRET_DAYS = 30
_CLOCK_SECONDS = 30.0
"""Further apart the clocks may not be: tokens and the decision log depend on it."""
_RESTART = "and restart"


def judge_webhook_keys(settings: Settings) -> Answer:
    """Two credentials are needed to change one without losing a call."""
    webhook = settings.webhook
    labels = [label for label in (*webhook.api_keys, *webhook.basic_users) if label not in webhook.retiring]
    if len(labels) < _KEYS_TO_ROTATE:
        count = "no credential" if not labels else "only one credential"
        return wrong(
            f"there is {count} that stays, so none can be replaced without losing calls",
            f"set a second key in {PREFIX}WEBHOOK__API_KEYS {_RESTART}",
        )
    return ok(f"{len(labels)} credentials: {', '.join(labels)}")


def judge_networks(settings: Settings) -> Answer:
    """Enreach's networks are let in, and not everybody."""
    if settings.demo:
        return not_needed("the demo is no deployment")
    networks = settings.webhook.allowed_networks
    variable = f"{PREFIX}WEBHOOK__ALLOWED_NETWORKS"
    if any(each.prefixlen == 0 for each in networks) or not networks:
        return wrong("any network may try keys", f"set {variable} to {_spell(ENREACH_NETWORKS)} {_RESTART}")
    allowed = [network for each in networks if isinstance(network := ip_network(str(each)), IPv4Network)]
    missing = [each for each in ENREACH_NETWORKS if not any(map(IPv4Network(each).subnet_of, allowed))]
    if missing:
        return wrong(f"Enreach's queues ask from {', '.join(missing)} too", f"add that to {variable} {_RESTART}")
    return ok("Enreach's networks are let in")


def judge_deadline(settings: Settings) -> Answer:
    """The answer must be on its way a second before the queue gives up."""
    deadline, most = settings.webhook.deadline_ms, QUEUE_SECONDS * 1000 - _MARGIN_MS
    if deadline > most:
        return wrong(
            f"{deadline} ms leave less than {_MARGIN_MS} ms of the {QUEUE_SECONDS} s a queue waits",
            f"set deadline_ms of {PREFIX}WEBHOOK__DEADLINE_MS or of the settings to at most {most}",
        )
    return ok(f"{deadline} ms of the {QUEUE_SECONDS} s a queue waits")


def judge_decision_log(*, journal: str, database: str, detail: str = "journal and database can be written") -> Answer:
    """Both can be written; `journal` and `database` say why not, or nothing."""
    if journal:
        return wrong(f"journal: {journal}", f"let this process write in the folder of {PREFIX}STORE__JOURNAL")
    if database:
        return wrong(f"database: {database}", f"look at {PREFIX}STORE__URL and the database")
    return ok(detail)


def judge_ruleset(
    rules: CompiledRuleset, handoff: Handoff, drafts: Collection[str], *, region: str, now: float
) -> Answer:
    """Published, its tests green, no newer draft, and every queue of the hand-off decided by some rule.

    `drafts` are the names of those that were changed after the live revision.
    """
    if rules.revision is None:
        names = f"; not published: {', '.join(sorted(drafts))}" if drafts else ""
        return wrong(f"no ruleset is published{names}", "publish one with POST /admin/rulesets/{ref}/publish")
    if drafts:
        names = ", ".join(sorted(drafts))
        return wrong(
            f"changed after revision {rules.revision} and not published: {names}",
            "publish the draft, or delete it: DELETE /admin/rulesets/{ref}",
        )
    failed = [result.name for result in run_tests(rules.ruleset, region=region) if not result.passed]
    if failed:
        return wrong(f"tests fail: {', '.join(failed)}", "correct the ruleset or its tests, and publish it")
    if idle := [queue.name for queue in handoff.queues if not _is_decided(rules, queue.target_id, queue.queue_id, now)]:
        return wrong(
            f"no rule decides calls of {', '.join(idle)}",
            "add a rule for its target id (call.target_id), or correct the target id in the hand-off",
        )
    return ok(f"revision {rules.revision}, {len(rules.ruleset.rules)} rules, {len(rules.ruleset.tests)} tests pass")


def _is_decided(rules: CompiledRuleset, target_id: str, queue_id: str | None, now: float) -> bool:
    facts = {"call.target_id": target_id} | ({} if queue_id is None else {"call.queue_id": queue_id})
    return any(each.verdict != FALSE for each in rules.trace(facts, now).rules)


def judge_response_keys(settings: Settings, rules: CompiledRuleset, handoff: Handoff) -> Answer:
    """Only InitialTarget and FailTarget are known for certain; others must be confirmed by Enreach."""
    keys = {field: spelling.key for field, spelling in settings.response.fields.items()}
    used = {keys[field] for field in _list_fields(rules) if field in keys}
    if not used:
        return not_needed("the rules send nothing but InitialTarget and FailTarget")
    if missing := sorted(used - set(handoff.confirmed_response_keys)):
        return wrong(
            f"Enreach has not confirmed {', '.join(missing)}",
            "ask Enreach, then add what they confirm to confirmed_response_keys of PUT /admin/handoff",
        )
    return ok(f"confirmed: {', '.join(sorted(used))}")


def _list_fields(rules: CompiledRuleset) -> set[str]:
    fields = ("required_agent", "preferred_agents", "priority", "extra_priority", "messages")
    return {
        field
        for rule in rules.ruleset.rules
        for field in fields
        if rule.enabled and getattr(rule.then, field) not in (None, ())
    }


def judge_drills(passed: Mapping[str, bool], kinds: Iterable[str]) -> Answer:
    """Every kind of fire drill was held within 30 days, and answered in time; `passed` tells how the newest went."""
    missing = [kind for kind in kinds if not passed.get(kind, False)]
    if missing:
        return wrong(
            f"not passed within 30 days: {', '.join(missing)}",
            'hold each: POST /admin/drills with {"pretend": KIND, "call": {"anum": null}}',
        )
    return ok("each kind was passed within 30 days")


def judge_clock(theirs: str, ours: float) -> Answer:
    """Compare seconds since the epoch with the header `Date` of an answer of Dataverse."""
    try:
        told = parsedate_to_datetime(theirs).timestamp()
    except ValueError:
        return unknown("Dataverse did not tell its time", "look at Dataverse first, then again")
    if (apart := abs(told - ours)) > _CLOCK_SECONDS:
        return wrong(f"it is {apart:.0f} s away from that of Dataverse", "synchronise the machine's clock (NTP)")
    return ok(f"within {_CLOCK_SECONDS:g} s of that of Dataverse")


def judge_secrets(settings: Settings, registrations: Mapping[str, KnownRegistration], *, now: float) -> Answer:
    """Nothing that app registrations sign in with ends within a month, and their days are known."""
    left = {
        f"{name}/{credential.label}": days
        for name, registration in registrations.items()
        for credential in registration.credentials
        if (days := count_days(credential, now)) is not None
    }
    if near := [f"{name} ({days} days left)" for name, days in sorted(left.items()) if days < _MIN_SECRET_DAYS]:
        return wrong(
            f"expires soon or has expired: {', '.join(near)}",
            "renew it as docs/staying-live.md says; unless it is read from Microsoft Graph, enter the new one: "
            "PUT /admin/app-registrations/{name}",
        )
    expires = settings.dataverse.auth in {DataverseAuth.CLIENT_SECRET, DataverseAuth.CERTIFICATE}
    if expires and not any(each.entered.used_by == "routing" and each.credentials for each in registrations.values()):
        return unknown(
            "when the credential of this service's app registration expires is not known",
            "enter its application id, and its days too unless SMARTROUTING_GRAPH__URL lets them be read: "
            "PUT /admin/app-registrations/{name}",
        )
    if not left:
        return not_needed("nothing that expires is used for Dataverse")
    return ok(f"the first expires in {min(left.values())} days")


def judge_alerts(settings: Settings, receivers: Sequence[ReceiverState]) -> Answer:
    """Somebody is told, and has been told once."""
    if not receivers:
        remedy = "name a receiver in the settings alerts, and test it: POST /admin/alerts/receivers/{receiver}/test"
        if settings.alerts.url is not None:
            return unknown(f"what {PREFIX}ALERTS__URL takes is not kept", remedy)
        return wrong("nobody is told of alerts", remedy)
    if silent := [each.name for each in receivers if each.delivered_at is None or each.error is not None]:
        return wrong(
            f"has not taken an alert: {', '.join(silent)}",
            "look at GET /admin/alerts/receivers, then POST /admin/alerts/receivers/{receiver}/test",
        )
    return ok(f"told: {', '.join(each.name for each in receivers)}")


def judge_checks(results: Sequence[CheckResult], *, absent: str) -> Answer:
    """Make one answer of several results; `absent` is the reason when there are none."""
    bad = [result for result in results if result.ok is False]
    if bad:
        reasons = "; ".join(f"{result.name}: {result.detail}" for result in bad)
        return wrong(reasons, "; ".join(dict.fromkeys(filter(None, (result.hint for result in bad)))) or _LOOK)
    found = [result for result in results if result.ok]
    if not found:
        return not_needed(absent)
    return ok("; ".join(f"{result.name}: {result.detail}" for result in found))


_LOOK = "see what Dataverse and the settings of the application user say"


def _spell(networks: Iterable[str]) -> str:
    return "[" + ",".join(f'"{network}"' for network in networks) + "]"
