"""Makes what operators use: fire drills, erasure, retention, credentials, alarms."""

import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import anyio.to_thread
import httpx
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from app.bootstrap.components import Components
from app.bootstrap.directory import remember_numbers
from app.calls.drills import DrillCallers, DrillLog, FireDrill
from app.calls.loop_guard import LoopGuard
from app.calls.route_call import Arrival, RouteCall
from app.observability.call_lines import open_call_log
from app.observability.identifiers import new_id
from app.operations.alert_list import AlertList
from app.operations.alert_monitor import AlertMonitor
from app.operations.alert_rule import Check
from app.operations.alert_rules import (
    LateAnswers,
    find_backlog,
    find_open_breaker,
    find_store_away,
    find_unwritable_journal,
)
from app.operations.background import Background
from app.operations.credentials import CredentialKind, Credentials
from app.operations.erasure import Erasure
from app.operations.job_store import JobStore
from app.operations.retention import Purge, Retention
from app.operations.signed_hooks import HookMessage, HookOptions, SignedHooks
from app.operations.silence import SilenceWatch
from app.routing.calls import Call
from app.routing.hours import OpeningHours
from app.store.leader import Leadership
from app.store.rejected_lines import erase_rejected, purge_rejected

__all__ = ["make_operation_state", "open_operations"]

_ALERT_SECONDS = 5.0
_DRILL_RESERVE = 0.05
"""Seconds of a drill's deadline kept back, as for a real call that is alone."""
_RETENTION_HOUR = 3
"""UTC; nobody calls, and the database is not busy."""


def make_operation_state(parts: Components) -> dict[str, Any]:
    """Make what requests find in the lifespan state, by the names that `operation_deps` reads."""
    return {
        "erasure": _make_erasure(parts),
        "fire_drill": _make_fire_drill(parts),
        "credentials": _make_credentials(parts),
        "alert_list": AlertList(alerts=parts.stores.alerts, audit=parts.stores.audit, clock=parts.upstreams.clock),
    }


async def open_operations(parts: Components, stack: AsyncExitStack) -> Callable[[Background], None]:
    """Open what alarms and timed jobs need, and return what starts them; the stack must outlive their tasks."""
    leadership = Leadership(database=parts.stores.database, role="operations")
    stack.push_async_callback(leadership.resign)
    hooks = await _open_hooks(parts, stack)
    alert_monitor = _make_alert_monitor(parts, leadership.lead, _drop if hooks is None else hooks.send)
    retention = _make_retention(parts, leadership.lead)
    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.add_job(retention.run, "cron", hour=_RETENTION_HOUR, coalesce=True, misfire_grace_time=3600)
    scheduler.start()
    stack.callback(scheduler.shutdown, wait=False)

    async def run_retention() -> None:
        await retention.run()

    def start(background: Background) -> None:
        background.start("retention", run_retention)
        background.start("alarms", lambda: alert_monitor.run(_ALERT_SECONDS))
        background.start("lag", parts.load_shedding.watch_lag)
        if hooks is not None:
            background.start("hooks", hooks.run)

    return start


def _make_erasure(parts: Components) -> Erasure:
    journal = parts.settings.store.journal

    async def erase_lines(e164: str) -> int:
        return await anyio.to_thread.run_sync(erase_rejected, journal, e164)

    return Erasure(
        read_number=remember_numbers(parts.settings.phone.default_region),
        drain=parts.mover.drain,
        places={
            "shadow": parts.stores.shadow_results.erase_number,
            "decisions": parts.stores.decisions.erase_number,
            "rejected_lines": erase_lines,
        },
        memory=parts.directory,
        audit=parts.stores.audit,
        clock=parts.upstreams.clock,
    )


def _make_fire_drill(parts: Components) -> FireDrill:
    deadline = parts.settings.webhook.deadline_ms / 1000
    hops = LoopGuard(most=1, monotonic=time.monotonic)

    async def decide(call: Call, callers: DrillCallers, log: DrillLog, who: str) -> object:
        route_call = RouteCall(
            directory=callers,
            live_ruleset=parts.live_ruleset,
            profile=parts.profile,
            decision_log=log,
            hops=hops,
            call_log=open_call_log(parts.settings.log.level, parts.settings.log.format),
            monotonic=time.monotonic,
        )
        started, drill_id = time.monotonic(), new_id()
        arrival = Arrival(
            id=drill_id,
            request_id=drill_id,
            trace_id=drill_id.replace("-", ""),
            credential=who,
            at=parts.upstreams.clock(),
            started=started,
            until=started + deadline - min(_DRILL_RESERVE, deadline / 5),
        )
        return await route_call(call, arrival)

    return FireDrill(
        decide=decide,
        decision_log=parts.journal,
        live_ruleset=parts.live_ruleset,
        read_number=remember_numbers(parts.settings.phone.default_region),
    )


def _make_credentials(parts: Components) -> Credentials:
    webhook = parts.settings.webhook
    return Credentials(
        kinds={
            **dict.fromkeys(webhook.api_keys, CredentialKind.API_KEY),
            **dict.fromkeys(webhook.basic_users, CredentialKind.BASIC),
        },
        retiring=webhook.retiring,
        load=parts.stores.key_uses.load,
        read_own=lambda: parts.key_use.last_used,
        clock=parts.upstreams.clock,
    )


def _make_retention(parts: Components, lead: Callable[[], Awaitable[bool]]) -> Retention:
    async def purge_lines(before: float) -> int:
        return await anyio.to_thread.run_sync(purge_rejected, parts.settings.store.journal, before)

    purges: dict[str, Purge] = {
        "decisions": parts.stores.decisions.purge_before,
        "callers": parts.stores.callers.purge_before,
        "alerts": parts.stores.alerts.purge_before,
        "shadow": parts.stores.shadow_results.purge_before,
        "jobs": JobStore(database=parts.stores.database).purge_before,
        "rejected_lines": purge_lines,
    }
    return Retention(purges=purges, days=parts.settings.store.retention_days, lead=lead, clock=parts.upstreams.clock)


def _make_alert_monitor(
    parts: Components, lead: Callable[[], Awaitable[bool]], send: Callable[[HookMessage], None]
) -> AlertMonitor:
    late = LateAnswers(count=lambda: (parts.metrics.answers, parts.metrics.late_answers), monotonic=time.monotonic)
    silence = SilenceWatch(
        times=parts.stores.call_times, read_hours=lambda: _read_hours(parts), clock=parts.upstreams.clock
    )
    return AlertMonitor(
        checks=(
            Check("silence", silence.find, shared=True),
            Check("credential_retiring", _make_credentials(parts).find_retiring_in_use, shared=True),
            Check("late_answers", late.find),
            Check("breaker_open", find_open_breaker(lambda: parts.directory.statistics().breaker.value)),
            Check("journal_backlog", find_backlog(lambda: parts.journal.backlog)),
            Check("journal_unwritable", find_unwritable_journal(lambda: parts.journal.health.detail)),
            Check("store_away", find_store_away(parts.stores.database.ping)),
        ),
        alerts=parts.stores.alerts,
        lead=lead,
        instance=os.environ.get("HOSTNAME") or socket.gethostname(),
        send=send,
        clock=parts.upstreams.clock,
    )


def _read_hours(parts: Components) -> Sequence[Callable[[datetime], bool]]:
    calendars = parts.live_ruleset.current().ruleset.calendars
    return [OpeningHours(calendar).is_open for calendar in calendars.values()]


async def _open_hooks(parts: Components, stack: AsyncExitStack) -> SignedHooks | None:
    alerts = parts.settings.alerts
    if alerts.url is None or alerts.secret is None:
        return None
    http = await stack.enter_async_context(httpx.AsyncClient(follow_redirects=False))
    return SignedHooks(
        http=http,
        url=alerts.url,
        secret=alerts.secret.get_secret_value(),
        clock=parts.upstreams.clock,
        options=HookOptions(),
    )


def _drop(_notice: HookMessage) -> None:
    """Tell nobody: there is no URL to send alerts to."""
