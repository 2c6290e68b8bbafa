"""Opens the components of the process in order, and hands them to requests as one typed state."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import structlog

from app.auth.access import AuthState
from app.auth.issuer import IssuerMetadata
from app.bootstrap.access import make_admin_access, open_signing_keys
from app.bootstrap.directory import CallerFinder
from app.bootstrap.foundation import Foundation, open_foundation
from app.bootstrap.golive import open_golive
from app.bootstrap.monitoring import make_health, read_metrics
from app.bootstrap.operations import make_alert_monitor, make_operations, make_retention, open_deliveries, open_updates
from app.bootstrap.registrations import open_registrations
from app.bootstrap.reports import open_reports
from app.bootstrap.upstreams import Upstreams, connect_graph, open_http
from app.calls.components import CallsState, open_calls
from app.calls.decision_feed import READ_SECONDS
from app.calls.spans import open_spans
from app.configurator.components import ConfiguratorState, open_configurator
from app.configurator.events.components import EventStores, open_events
from app.dataverse.batch import BatchedReads
from app.directory.mirror.status import WATCH_SECONDS
from app.enterprise_calls.components import EnterpriseCallComponents, EnterpriseCallsState, open_enterprise_calls
from app.enterprise_calls.watch import TICK_SECONDS
from app.numbers.components import NumbersState, open_numbers
from app.operations.alert_rules import AlertRule
from app.operations.alerts import AlertMonitor
from app.operations.components import OperationsState
from app.operations.deliveries import AlertDeliveries
from app.operations.golive.components import GoLiveState
from app.operations.jobs import BEAT_SECONDS, JobRunner
from app.operations.registrations.components import RegistrationsState
from app.operations.schedule import Schedule
from app.operations.signed_hooks import HookOptions, SignedHooks
from app.operations.updates.components import UpdatesState
from app.reports.components import ReportsState
from app.routing.callers import Selection
from app.rulesets.components import RulesetsState, open_rulesets
from app.rulesets.publish_checks import find_losses
from app.rulesets.upstream_checks import describe_columns
from app.settings import Settings
from app.store.errors import StoreError
from app.store.kept_connections import Leadership
from app.users.components import UserComponents, UsersState, open_users
from app.web.health import Departure, Exposition, WebState
from app.web.limits import LimitsState

__all__ = ["State", "open_components"]

log = structlog.get_logger()

_ALERT_SECONDS = 3.0
"""A database that cannot be written is told within ten seconds: three until the next look, and five to find out."""
_SETTINGS_SECONDS = 1.0
"""How often another process's change of settings is looked for; two seconds are promised."""
_DATA_SECONDS = 1.0
"""How often switches that another process set are looked for; two seconds are promised."""
_RULESET_SECONDS = 1.0
"""How often another process's publishing is looked for; two seconds are promised."""
_RECENT_CALLS_SECONDS = 2.0
"""How often calls that other processes decided are looked for."""
_KEY_USE_SECONDS = 5.0
_FINDS_SECONDS = 2.0
_COUNT_TIME = "30 2 * * *"
_ENREACH_ID_SECONDS = 2.0
_RETENTION_TIME = "0 3 * * *"
"""Three in the morning, UTC; nobody calls, and the database is not busy."""


class State(
    AuthState,
    WebState,
    LimitsState,
    CallsState,
    OperationsState,
    GoLiveState,
    RegistrationsState,
    UpdatesState,
    ReportsState,
    RulesetsState,
    UsersState,
    NumbersState,
    EnterpriseCallsState,
    ConfiguratorState,
):
    """The lifespan state: what each room reads of it, together."""

    find_issuer: Callable[[], IssuerMetadata | None]


async def open_components(
    settings: Settings,
    upstreams: Upstreams,
    sample: Mapping[str, Any] | None,
    stack: AsyncExitStack,
    *,
    departure: Departure,
) -> State:
    """Open every component and start the work beside calls; `stack` closes them in the opposite order.

    `sample` is the ruleset that is published where there is none, and `departure` is told when the process is to end.
    Raises AppError with one clear line.
    """
    foundation = await open_foundation(settings, upstreams, sample, stack)
    stores, clock = foundation.stores, upstreams.clock
    spans, graph = open_spans(stack), connect_graph(settings, upstreams, stack)
    operating = await _open_schedule(foundation, stack)
    schedule, lead = operating.schedule, operating.lead
    issuer_http = open_http(upstreams.issuer, stack)
    keys = open_signing_keys(settings.admin, issuer_http, stack)
    if keys is not None:
        schedule.keep("signing_keys", keys.warm_up)
    jobs = await stack.enter_async_context(
        JobRunner(store=stores.jobs, clock=clock, foresee_pause=foundation.organisation.foresee_pause)
    )
    schedule.every(BEAT_SECONDS, "jobs", jobs.beat)
    rulesets = open_rulesets(
        store=stores.rulesets,
        decisions=stores.decisions,
        jobs=jobs,
        documents=stores.documents,
        audit=stores.audit,
        live_ruleset=foundation.live_ruleset,
        live_data=foundation.live_data,
        switches=stores.switches,
        tables=foundation.tables,
        shadow=foundation.shadow,
        heavy_work=foundation.heavy_work,
        column_types=foundation.column_types,
        enreach=foundation.enreach,
        live_settings=foundation.live_settings,
        clock=clock,
    )
    registrations = open_registrations(
        foundation,
        graph,
        schedule=schedule,
        monitor=operating.monitor,
        lead=lead,
        authority=open_http(upstreams.authority, stack),
    )
    updates = open_updates(foundation, stack)
    operating.monitor.add_rules(AlertRule("update_due", updates.plans.find_due, shared=True))
    mirror = foundation.mirror
    numbers = open_numbers(
        store=stores.numbers,
        read_settings=lambda: foundation.live_settings.current().settings,
        read_live=lambda: None if mirror is None else mirror.status.live,
        mirrored=None if mirror is None else mirror.directory,
        dataverse=foundation.organisation.people,
        audit=stores.audit,
        clock=clock,
    )
    schedule.every(_FINDS_SECONDS, "search_finds", foundation.search_finds.save)
    schedule.daily(_COUNT_TIME, "number_counts", numbers.hygiene.save_counts, leader=True, at_start=True)
    users = open_users(
        settings=settings,
        read_settings=foundation.live_settings.read,
        dataverse=foundation.organisation.people,
        enreach=foundation.enreach,
        enreach_ids=stores.enreach_ids,
        enreach_id_cache=foundation.enreach_id_cache,
        confirmations=stores.confirmations,
        list_users_with_calls=stores.enterprise_calls.list_users,
        audit=stores.audit,
        clock=clock,
    )
    enterprise_calls = _open_enterprise_calls(foundation, users, jobs, lead)
    schedule.every(TICK_SECONDS, "enterprise_calls", enterprise_calls.watch.tick)
    operating.monitor.add_rules(*enterprise_calls.watch.list_rules())
    reports = open_reports(
        foundation, schedule=schedule, lead=lead, announce=operating.deliveries.announce, numbers=numbers, users=users
    )
    configurator = open_configurator(
        documents=stores.documents,
        confirmations=stores.confirmations,
        audit=stores.audit,
        live_settings=foundation.live_settings,
        judge=lambda wanted: find_losses(
            foundation.live_ruleset.current().ruleset,
            foundation.live_settings.call_settings(),
            wanted,
            heavy_work=foundation.heavy_work,
        ),
        events=open_events(
            settings=settings,
            stores=EventStores(
                documents=stores.documents,
                runs=stores.event_runs,
                decisions=stores.decisions,
                revisions=stores.rulesets,
                audit=stores.audit,
            ),
            live_events=foundation.live_events,
            live_settings=foundation.live_settings,
            read_settings=lambda: foundation.live_settings.current().settings,
            dataverse=foundation.organisation.people,
            runs=foundation.journal,
            key_use=foundation.key_use,
            guess_brake=foundation.guess_brake,
            clock=clock,
            stack=stack,
        ),
        issuer_http=issuer_http,
        clock=clock,
    )
    calls = open_calls(
        settings=settings,
        live_settings=foundation.live_settings,
        describe_columns=lambda ruleset: describe_columns(ruleset, foundation.column_types),
        directory=foundation.directory,
        live_ruleset=foundation.live_ruleset,
        read_data=foundation.read_data,
        revisions=stores.rulesets,
        recent_calls=foundation.recent_calls,
        typed_callers=foundation.typed_callers,
        journal=foundation.journal,
        decisions=stores.decisions,
        audit=stores.audit,
        key_use=foundation.key_use,
        guess_brake=foundation.guess_brake,
        heavy_work=foundation.heavy_work,
        metrics=foundation.metrics,
        spans=spans,
        find_arrival=foundation.load_shedding.find_arrival,
        is_leaving=lambda: departure.begun,
        clock=clock,
    )
    schedule.every(READ_SECONDS, "decision_feed", calls.decision_feed.read)
    if settings.demo:
        await configurator.events.add_sample_row()
    return State(
        departure=departure,
        heavy_work=foundation.heavy_work,
        admin_access=make_admin_access(foundation, keys),
        find_issuer=lambda: keys.metadata if keys else None,
        health=make_health(foundation),
        exposition=Exposition(
            lambda: partial(
                foundation.metrics.render,
                read_metrics(foundation, enterprise_calls.watch.readings, registrations.registrations.expiries),
            ),
            monotonic=time.monotonic,
        ),
        calls=calls,
        operations=make_operations(foundation, jobs, operating.monitor, operating.deliveries),
        registrations=registrations,
        updates=updates,
        golive=open_golive(foundation, jobs, operating.deliveries, numbers, stack),
        reports=reports,
        rulesets=rulesets,
        numbers=numbers,
        users=users,
        enterprise_calls=enterprise_calls,
        configurator=configurator,
    )


def _open_enterprise_calls(
    foundation: Foundation, users: UserComponents, jobs: JobRunner, lead: Callable[[], Awaitable[bool]]
) -> EnterpriseCallComponents:
    background, clock = foundation.organisation.background, foundation.upstreams.clock
    reads = BatchedReads(background)
    finder = CallerFinder(
        client=reads,
        search_client=reads,
        live_settings=foundation.live_settings,
        find_agents=lambda: foundation.enreach_id_cache.agent_of,
        finds=foundation.search_finds,
        clock=clock,
    )
    return open_enterprise_calls(
        enreach=foundation.enreach,
        dataverse=background,
        find_callers=lambda e164s: finder.find(e164s, Selection()),
        read_users=users.repository.read_all,
        store=foundation.stores.enterprise_calls,
        audit=foundation.stores.audit,
        runner=jobs,
        lead=lead,
        read_settings=foundation.live_settings.read,
        clock=clock,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operating:
    """The work beside calls, and what of it others use."""

    schedule: Schedule
    monitor: AlertMonitor
    deliveries: AlertDeliveries
    lead: Callable[[], Awaitable[bool]]
    """Tells whether this process does the work of the leader."""


async def _open_schedule(foundation: Foundation, stack: AsyncExitStack) -> _Operating:
    """Start the work beside calls. It is entered last and so left first: nothing runs when the last lines are moved."""

    async def save_key_use() -> None:
        await _save_key_use(foundation)

    async def save_last_key_use() -> None:
        try:
            await save_key_use()
        except StoreError as error:
            log.warning("key_use.not_saved", error=error.code)

    stack.push_async_callback(save_last_key_use)
    stack.push_async_callback(foundation.mover.drain)
    stack.push_async_callback(foundation.shadow.aclose)
    leadership = Leadership(database=foundation.stores.database, role="operations")
    stack.push_async_callback(leadership.resign)
    hooks = await _open_hooks(foundation, stack)
    deliveries = open_deliveries(foundation, leadership.lead, stack)
    monitor = make_alert_monitor(foundation, leadership, hooks, deliveries)
    mirror = foundation.mirror
    if mirror is not None:
        stack.push_async_callback(mirror.leadership.resign)
    schedule = await stack.enter_async_context(Schedule(lead=leadership.lead, clock=foundation.upstreams.clock))
    schedule.keep("token", foundation.organisation.tokens.keep_fresh)
    schedule.keep("journal", foundation.mover.run)
    schedule.keep("shadow", foundation.shadow.run)
    schedule.keep("lag", foundation.load_shedding.watch_lag)
    if hooks is not None:
        schedule.keep("hooks", hooks.run)
    schedule.every(_ALERT_SECONDS, "alerts", monitor.evaluate)
    schedule.every(_ALERT_SECONDS, "alert_deliveries", deliveries.run_once)
    schedule.every(_SETTINGS_SECONDS, "live_settings", foundation.settings_file.follow)
    schedule.every(_SETTINGS_SECONDS, "live_events", foundation.live_events.refresh)
    schedule.every(_RECENT_CALLS_SECONDS, "recent_calls", foundation.recent_calls.follow)
    _watch_enreach(foundation, schedule)
    schedule.every(_DATA_SECONDS, "live_data", foundation.live_data.follow)
    schedule.every(_RULESET_SECONDS, "live_ruleset", foundation.revision_file.follow)
    schedule.every(_KEY_USE_SECONDS, "key_use", save_key_use)
    if (column_ids := foundation.column_id_cache) is None:
        schedule.every(_ENREACH_ID_SECONDS, "enreach_ids", foundation.enreach_id_cache.refresh)
    else:

        async def refresh_column_ids() -> None:
            if foundation.live_ruleset.current().selection.users:
                await column_ids.refresh()

        schedule.every(_ENREACH_ID_SECONDS, "enreach_ids", refresh_column_ids)
    if mirror is None:
        schedule.daily(_RETENTION_TIME, "mirror", foundation.stores.mirror.clear, leader=True, at_start=True)
    else:
        schedule.every(WATCH_SECONDS, "mirror_status", mirror.status.refresh)
        schedule.keep("mirror", mirror.follower.run)
    schedule.daily(_RETENTION_TIME, "retention", make_retention(foundation).run, leader=True, at_start=True)
    return _Operating(schedule=schedule, monitor=monitor, deliveries=deliveries, lead=leadership.lead)


def _watch_enreach(foundation: Foundation, schedule: Schedule) -> None:
    for name, watch in (("queue_states", foundation.queue_watch), ("agent_states", foundation.agent_watch)):
        if watch is not None:
            schedule.every(watch.seconds, name, watch.refresh)


async def _open_hooks(foundation: Foundation, stack: AsyncExitStack) -> SignedHooks | None:
    alerts = foundation.settings.alerts
    if alerts.url is None or alerts.secret is None:
        return None
    http = await stack.enter_async_context(httpx.AsyncClient(follow_redirects=False))
    return SignedHooks(
        http=http,
        url=alerts.url,
        secret=alerts.secret.get_secret_value(),
        clock=foundation.upstreams.clock,
        monotonic=time.monotonic,
        options=HookOptions(),
    )


async def _save_key_use(foundation: Foundation) -> None:
    """Save the uses noted since the last time; what the database does not take is noted again. Raises StoreError."""
    uses = foundation.key_use.take_changes()
    try:
        await foundation.stores.key_uses.save(uses)
    except StoreError:
        latest = foundation.key_use.last_used
        for label in uses:
            foundation.key_use.touch(label, latest[label])
        raise
