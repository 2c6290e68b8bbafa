"""Makes what answers calls and tells how the service is: webhook, simulation, decision log, health, metrics."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from app.auth.webhook import WebhookAccess
from app.bootstrap.components import Components
from app.bootstrap.directory import remember_numbers
from app.bootstrap.spans import TracedLog
from app.calls.decision_log import DecisionLog
from app.calls.loop_guard import LoopGuard
from app.calls.route_call import RouteCall
from app.calls.simulation import Simulation
from app.calls.webhook import Webhook
from app.observability.call_lines import open_call_log
from app.observability.readings import Readings
from app.routing.numbers import PhoneNumber
from app.rulesets.shadow import ShadowedLog
from app.web.health import Dependency, Health, judge

__all__ = ["make_call_state"]

_MAX_HOPS = 5


def make_call_state(parts: Components) -> dict[str, Any]:
    """Make what requests find in the lifespan state, by the names that `app.web.deps` and `ruleset_deps` read."""
    settings, clock = parts.settings, parts.upstreams.clock
    read_number = remember_numbers(settings.phone.default_region)
    decision_log = DecisionLog(
        decisions=parts.stores.decisions, rulesets=parts.stores.rulesets, audit=parts.stores.audit, clock=clock
    )
    simulation = Simulation(
        directory=parts.directory,
        live_ruleset=parts.live_ruleset,
        profile=parts.profile,
        read_number=read_number,
        clock=clock,
        monotonic=time.monotonic,
    )
    return {
        "webhook": _make_webhook(parts, read_number),
        "exposition": lambda: parts.metrics.render(_read_state(parts)),
        "health": _make_health(parts),
        "decision_log": decision_log,
        "simulation": simulation,
    }


def _make_webhook(parts: Components, read_number: Callable[[object], PhoneNumber]) -> Webhook:
    settings = parts.settings
    return Webhook(
        gate=WebhookAccess(settings.webhook),
        key_use=parts.key_use,
        route_call=RouteCall(
            directory=parts.load_shedding,
            live_ruleset=parts.live_ruleset,
            profile=parts.profile,
            decision_log=_make_decision_log(parts),
            hops=LoopGuard(most=_MAX_HOPS, monotonic=time.monotonic),
            call_log=open_call_log(settings.log.level, settings.log.format),
            monotonic=time.monotonic,
        ),
        read_number=read_number,
        metrics=parts.metrics,
        no_change_status=parts.profile.no_change_status,
        deadline=settings.webhook.deadline_ms / 1000,
        max_body_bytes=settings.webhook.max_body_bytes,
        clock=parts.upstreams.clock,
        monotonic=time.monotonic,
    )


def _make_decision_log(parts: Components) -> ShadowedLog | TracedLog:
    decision_log = ShadowedLog(decision_log=parts.journal, shadow=parts.shadow)
    return decision_log if parts.export_call is None else TracedLog(decision_log=decision_log, export=parts.export_call)


def _read_state(parts: Components) -> Readings:
    directory = parts.directory.statistics()
    states = {name: getattr(directory, name) for name in ("fresh", "stale", "miss", "negative")}
    return Readings(
        cache_requests=states,
        coalesced_look_ups=directory.coalesced,
        breaker=directory.breaker.value,
        journal_backlog=parts.journal.backlog,
        journal_writable=parts.journal.health.writable,
        calls_waiting=parts.load_shedding.waiting,
        event_loop_lag=parts.load_shedding.lag,
        key_use=parts.key_use.last_used,
        secret_expiry=_tell_last_days(parts.settings.webhook.retiring),
        revision=parts.live_ruleset.current().revision,
    )


def _tell_last_days(retiring: Mapping[str, date]) -> dict[str, float]:
    return {
        f"webhook:{label}": datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        for label, day in retiring.items()
    }


def _make_health(parts: Components) -> Health:
    async def check_journal() -> Dependency:
        health = parts.journal.health
        return Dependency("journal", "ok" if health.writable else "degraded", health.detail)

    return Health(
        (
            judge("dataverse", parts.organisation.client.ping),
            judge("store", parts.stores.database.ping),
            check_journal,
        )
    )
