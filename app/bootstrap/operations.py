"""What operations watch, erase and delete across the capabilities."""

import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import date, datetime
from importlib import metadata
from zoneinfo import ZoneInfo

import anyio.to_thread

from app.auth.api_keys import KeyAdministration
from app.bootstrap.foundation import Foundation
from app.bootstrap.mirror import Mirror
from app.bootstrap.monitoring import describe_mirror
from app.bootstrap.upstreams import connect_organisation
from app.calls.erasure import erase_rejected_lines, purge_rejected_lines
from app.operations.alert_rules import (
    AlertRule,
    LateAnswers,
    find_backlog,
    find_gone_receiver,
    find_guessing,
    find_late_mirror,
    find_open_breaker,
    find_store_away,
    find_switches_on,
    find_unwritable_journal,
    find_unwritable_store,
)
from app.operations.alerts import AlertList, AlertMonitor
from app.operations.components import OperationComponents
from app.operations.credentials import CredentialKind, Credentials
from app.operations.deliveries import AlertDeliveries
from app.operations.erasure import Erasure, Purge, Retention
from app.operations.golive.handoff import replace_in_handoff
from app.operations.hook_sender import AddressPolicy, HookSender
from app.operations.jobs import JobRunner
from app.operations.receivers import ReceiverTeller
from app.operations.signed_hooks import HookMessage, SignedHooks
from app.operations.silence import SilenceWatch
from app.operations.updates.components import UpdateComponents
from app.operations.updates.plans import UpdatePlans
from app.operations.updates.releases import SolutionReader
from app.routing.calendars import OpeningHours
from app.rulesets.erasure import RulesetErasure
from app.rulesets.switches.store import StoredSwitch
from app.store.kept_connections import Leadership
from app.store.number_erasure import NumberErasure, replace_in
from app.store.tables import audit, confirmations, number_corrections, settings_versions, switches

__all__ = ["make_alert_monitor", "make_operations", "make_retention", "open_deliveries", "open_updates"]


def make_operations(
    foundation: Foundation, jobs: JobRunner, monitor: AlertMonitor, deliveries: AlertDeliveries
) -> OperationComponents:
    """Make what the routes of operators use."""
    settings, stores, clock = foundation.settings, foundation.stores, foundation.upstreams.clock
    return OperationComponents(
        alerts=AlertList(alerts=stores.alerts, list_unstored=monitor.list_unstored, audit=stores.audit, clock=clock),
        audit=stores.audit,
        credentials=_make_credentials(foundation),
        deliveries=deliveries,
        erasure=_make_erasure(foundation),
        jobs=jobs,
        keys=KeyAdministration(
            store=stores.api_keys, audit=stores.audit, reserved=settings.admin.api_keys, clock=clock
        ),
    )


def make_retention(foundation: Foundation) -> Retention:
    """Make what deletes old records."""
    settings, stores = foundation.settings, foundation.stores

    async def purge_decisions(before: float) -> int:
        purged = await stores.decisions.purge_before(before)
        await stores.rollup.forget_purged()
        return purged

    async def purge_lines(before: float) -> int:
        return await anyio.to_thread.run_sync(purge_rejected_lines, settings.store.journal, before)

    async def purge_alerts(before: float) -> int:
        await stores.deliveries.forget_others(list(foundation.live_settings.read().alerts.receivers))
        return await stores.alerts.purge_before(before) + await stores.deliveries.purge_before(before)

    async def purge_callers(before: float) -> int:
        return await stores.callers.purge_before(before) + await stores.numbers.purge_finds_before(before)

    async def purge_jobs(before: float) -> int:
        return await stores.jobs.purge_before(before) + await stores.numbers.purge_corrections_before(before)

    purges: dict[str, Purge] = {
        "decisions": purge_decisions,
        "callers": purge_callers,
        "alerts": purge_alerts,
        "shadow": stores.shadow_results.purge_before,
        "event_runs": stores.event_runs.purge_before,
        "enterprise_calls": stores.enterprise_calls.purge_before,
        "jobs": purge_jobs,
        "rejected_lines": purge_lines,
        "reports": stores.rollup.purge_before,
    }

    def read_days(name: str) -> int:
        present = foundation.live_settings.read()
        days: int | None = getattr(present.retention, f"{name}_days")
        return present.store.retention_days if days is None else days

    return Retention(
        purges=purges,
        read_days=read_days,
        forget_old_pages=stores.database.forget_old_pages,
        clock=foundation.upstreams.clock,
    )


def make_alert_monitor(
    foundation: Foundation, leadership: Leadership, hooks: SignedHooks | None, deliveries: AlertDeliveries
) -> AlertMonitor:
    """Make what evaluates the alert rules; `hooks` tell the receiver of the environment, if there is one."""
    metrics, stores, clock = foundation.metrics, foundation.stores, foundation.upstreams.clock
    read = foundation.live_settings.read
    late = LateAnswers(
        count=lambda: (metrics.answers, metrics.late_answers),
        read_percent=lambda: read().alerts.late_answers_percent,
        monotonic=time.monotonic,
    )
    backlog = find_backlog(lambda: foundation.journal.backlog, lambda: read().alerts.journal_backlog)
    silence = SilenceWatch(times=stores.call_times, read_hours=lambda: _read_hours(foundation), clock=clock)
    return AlertMonitor(
        rules=(
            AlertRule("silence", silence.find, shared=True),
            AlertRule("credential_retiring", _make_credentials(foundation).find_retiring_in_use, shared=True),
            AlertRule("late_answers", late.find),
            AlertRule("breaker_open", find_open_breaker(lambda: foundation.directory.statistics().breaker.value)),
            AlertRule("journal_backlog", backlog),
            AlertRule("journal_unwritable", find_unwritable_journal(lambda: foundation.journal.health.detail)),
            AlertRule("credential_guessing", find_guessing(foundation.guess_brake.count_guessing)),
            AlertRule("store_away", find_store_away(lambda: stores.health.error)),
            AlertRule("store_unwritable", find_unwritable_store(lambda: stores.health.error)),
            AlertRule("switch_on", find_switches_on(lambda: _list_on(foundation)), shared=True),
            AlertRule("alert_undelivered", deliveries.find_undelivered, shared=True),
            AlertRule("alert_receiver_gone", find_gone_receiver(lambda: hooks is not None and hooks.gone)),
            *([] if foundation.mirror is None else [_make_mirror_rule(foundation.mirror)]),
        ),
        alerts=stores.alerts,
        check_store=stores.health.check,
        lead=leadership.lead,
        instance=os.environ.get("HOSTNAME") or socket.gethostname(),
        send=_drop if hooks is None else hooks.send,
        send_unstored=deliveries.send_unstored,
        clock=clock,
    )


def _make_mirror_rule(mirror: Mirror) -> AlertRule:
    def explain() -> str:
        return describe_mirror(mirror) if mirror.status.read().late else ""

    return AlertRule("mirror_behind", find_late_mirror(explain), shared=True)


def _make_erasure(foundation: Foundation) -> Erasure:
    settings, stores = foundation.settings, foundation.stores

    async def erase_lines(e164: str) -> int:
        return await anyio.to_thread.run_sync(erase_rejected_lines, settings.store.journal, e164)

    async def erase_in_revisions(e164: str) -> int:
        erased = await rulesets.erase_in_revisions(e164)
        await foundation.revision_file.follow()
        return erased

    async def forget(e164: str | None) -> int:
        foundation.typed_callers.forget()
        return await foundation.directory.purge(e164)

    async def erase_in_decisions(e164: str) -> int:
        erased = await stores.decisions.erase_number(e164)
        foundation.recent_calls.forget(e164)
        return erased

    async def erase_in_audit(e164: str) -> int:
        return await numbers.erase(audit, e164, replace_in("before", "after"))

    async def erase_in_corrections(e164: str) -> int:
        return await numbers.erase(number_corrections, e164, replace_in("before", "after"))

    async def erase_in_confirmations(e164: str) -> int:
        return await numbers.erase(confirmations, e164, replace_in("note"))

    async def erase_in_handoff(e164: str) -> int:
        return await numbers.erase(settings_versions, e164, replace_in_handoff)

    async def erase_in_switches(e164: str) -> int:
        erased = await numbers.erase(switches, e164, replace_in("reason"))
        await foundation.live_data.follow()
        return erased

    numbers = NumberErasure(database=stores.database)
    rulesets = RulesetErasure(numbers=numbers, live_ruleset=foundation.live_ruleset)
    return Erasure(
        read_number=lambda value: foundation.live_settings.call_settings().read_number(value),
        drain=foundation.mover.drain,
        places={
            "drafts": rulesets.erase_in_drafts,
            "revisions": erase_in_revisions,
            "jobs": rulesets.erase_in_replays,
            "audit": erase_in_audit,
            "confirmations": erase_in_confirmations,
            "handoff": erase_in_handoff,
            "switches": erase_in_switches,
            "tables": foundation.tables.erase_number,
            "shadow": stores.shadow_results.erase_number,
            "decisions": erase_in_decisions,
            "event_runs": stores.event_runs.erase_number,
            "enterprise_calls": stores.enterprise_calls.erase_number,
            "rejected_lines": erase_lines,
            "mirror": stores.mirror.erase_number,
            "number_corrections": erase_in_corrections,
            "search_finds": foundation.search_finds.erase,
        },
        forget=forget,
        forget_old_pages=stores.database.forget_old_pages,
        audit=stores.audit,
        clock=foundation.upstreams.clock,
    )


def _make_credentials(foundation: Foundation) -> Credentials:
    webhook = foundation.settings.webhook
    return Credentials(
        kinds={
            **dict.fromkeys(webhook.api_keys, CredentialKind.API_KEY),
            **dict.fromkeys(webhook.basic_users, CredentialKind.BASIC),
        },
        retiring=webhook.retiring,
        load=foundation.stores.key_uses.load,
        read_own=lambda: foundation.key_use.last_used,
        clock=foundation.upstreams.clock,
    )


def _read_hours(foundation: Foundation) -> Sequence[Callable[[datetime], bool]]:
    calendars = foundation.live_ruleset.current().ruleset.calendars
    return [OpeningHours(calendar).is_open for calendar in calendars.values()]


def _list_on(foundation: Foundation) -> Sequence[StoredSwitch]:
    now = foundation.upstreams.clock()
    return [switch for switch in foundation.live_data.switches.values() if switch.state.is_on(now)]


def _drop(_message: HookMessage) -> None:
    """Tell nobody: there is no URL to send alerts to."""


def open_deliveries(
    foundation: Foundation, lead: Callable[[], Awaitable[bool]], stack: AsyncExitStack
) -> AlertDeliveries:
    """Open what tells the receivers of the settings of alerts."""
    settings, clock = foundation.settings, foundation.upstreams.clock
    hooks = HookSender(policy=AddressPolicy(settings.plugins.allowed_networks), clock=clock)
    stack.push_async_callback(hooks.aclose)
    deliveries = AlertDeliveries(
        alerts=foundation.stores.alerts,
        store=foundation.stores.deliveries,
        teller=ReceiverTeller(hooks=hooks),
        read_settings=foundation.live_settings.read,
        lead=lead,
        clock=clock,
    )
    stack.push_async_callback(deliveries.aclose)
    return deliveries


def open_updates(foundation: Foundation, stack: AsyncExitStack) -> UpdateComponents:
    """Make what the routes of updates use; other environments are asked for nothing but their versions."""
    settings, upstreams = foundation.settings, foundation.upstreams
    clients = {settings.updates.environment: foundation.organisation.background}
    for name, url in settings.updates.other_environments.items():
        dataverse = settings.dataverse.model_copy(update={"url": url})
        other = settings.model_copy(update={"dataverse": dataverse})
        clients[name] = connect_organisation(other, upstreams, stack).background
    solutions = SolutionReader(clients=clients, solution=settings.updates.solution, clock=upstreams.clock)

    def read_today() -> date:
        zone = ZoneInfo(foundation.live_settings.read().general.time_zone)
        return datetime.fromtimestamp(upstreams.clock(), zone).date()

    documents = foundation.stores.documents
    return UpdateComponents(
        solutions=solutions,
        plans=UpdatePlans(documents=documents, solutions=solutions, clock=upstreams.clock, read_today=read_today),
        releases_file=settings.updates.releases_file,
        version=metadata.version("smartrouting"),
    )
