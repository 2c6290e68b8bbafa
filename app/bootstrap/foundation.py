"""What every capability stands on: stores, connections, the directory of callers, the live ruleset and the journal."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import msgspec

from app.auth.guessing import GuessBrake
from app.auth.webhook import KeyUse
from app.bootstrap.directory import CallerFinder, make_directory, make_load_shedding, make_typed_callers
from app.bootstrap.mirror import Mirror, make_mirror
from app.bootstrap.stores import Stores, open_stores
from app.bootstrap.upstreams import Organisation, Upstreams, connect_enreach, connect_organisation
from app.calls.call_settings import CallSettings
from app.calls.recent_calls import RecentCalls
from app.configurator.events.live_events import LiveEvents
from app.configurator.settings.live_settings import LiveSettings, SettingsFile, SettingsSnapshot
from app.dataverse.column_types import ColumnTypes
from app.dataverse.queries import plan_search
from app.directory.cached import CachedDirectory
from app.directory.load_shedding import LoadShedding
from app.directory.mirror.directory import MirroredDirectory
from app.directory.typed import TypedCallers
from app.enreach.agent_watch import AgentWatch
from app.enreach.client import EnreachClient
from app.enreach.queue_watch import QueueWatch
from app.numbers.search_finds import SearchFinds
from app.observability.metrics import Metrics
from app.routing.compiled import CompiledRuleset
from app.routing.related import AgentOf
from app.routing.rule_data import RuleData
from app.rulesets.live_data import LiveRuleData
from app.rulesets.live_ruleset import LiveRuleset, RevisionFile
from app.rulesets.publish import publish_at_start, read_ruleset_file, require_sound
from app.rulesets.replay.shadow import ShadowRun
from app.rulesets.repository import RulesetRepository
from app.rulesets.tables.tables import Tables
from app.settings import Settings
from app.store.journal import Journal
from app.store.mover import JournalMover, MoverOptions
from app.store.settings_documents import EVERYBODY, Confirmation
from app.users.column_ids import ColumnIdCache
from app.users.readiness import ASSIGNEE, WEB_PHONE
from app.users.store import EnreachIdCache
from app.web.limits import HeavyWork

__all__ = ["Foundation", "open_foundation"]

_START_SECONDS = 10.0
"""How long a start waits for a database that does not answer, or that another process upgrades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Everything that is opened once a process, before the capabilities."""

    settings: Settings
    upstreams: Upstreams
    live_settings: LiveSettings
    settings_file: SettingsFile
    live_events: LiveEvents
    metrics: Metrics
    stores: Stores
    organisation: Organisation
    column_types: ColumnTypes
    enreach: EnreachClient | None
    """`None` when the Enreach API is not configured."""
    queue_watch: QueueWatch | None
    """`None` when rules are not to know the states of queues."""
    agent_watch: AgentWatch | None
    """`None` when rules are not to know whether agents take calls."""
    enreach_id_cache: EnreachIdCache
    column_id_cache: ColumnIdCache | None
    """`None` when no column of users holds their Enreach ids."""
    directory: CachedDirectory | MirroredDirectory
    mirror: Mirror | None
    """`None` when callers are looked up live only."""
    search_finds: SearchFinds
    load_shedding: LoadShedding
    heavy_work: HeavyWork
    live_ruleset: LiveRuleset
    recent_calls: RecentCalls
    typed_callers: TypedCallers
    revision_file: RevisionFile
    live_data: LiveRuleData
    tables: Tables
    shadow: ShadowRun
    journal: Journal
    mover: JournalMover
    key_use: KeyUse
    guess_brake: GuessBrake

    def read_data(self) -> RuleData:
        """Tell what calls read besides the caller, as it is now: switches, tables, states of queues and agents."""
        data = self.live_data.current()
        if self.queue_watch is None and self.agent_watch is None:
            return data
        queues = {} if self.queue_watch is None else self.queue_watch.states
        return msgspec.structs.replace(data, queues=queues, agents=self.agent_watch)


async def open_foundation(
    settings: Settings,
    upstreams: Upstreams,
    sample: Mapping[str, Any] | None,
    stack: AsyncExitStack,
) -> Foundation:
    """Open everything in order; `stack` closes it in the opposite one.

    `sample` is the ruleset that is published where there is none. Raises AppError with one clear line.
    """
    metrics = Metrics(version=metadata.version("smartrouting"), deadline_ms=settings.webhook.deadline_ms)
    stores = open_stores(settings, stack)
    live_settings = LiveSettings(base=settings, store=stores.documents)
    rules = _read_rules(settings, live_settings.call_settings(), sample)
    organisation = connect_organisation(settings, upstreams, stack)
    column_types = ColumnTypes(client=organisation.people, monotonic=time.monotonic)
    enreach_id_cache = EnreachIdCache(store=stores.enreach_ids)
    column_id_cache = _make_column_id_cache(settings, organisation, upstreams)
    load_shedding = make_load_shedding(live_settings.call_settings().deadline, metrics)
    search_finds = SearchFinds(store=stores.numbers, clock=upstreams.clock)

    def find_agents() -> AgentOf | None:
        return enreach_id_cache.agent_of if column_id_cache is None else column_id_cache.find_agents()

    finder = CallerFinder(
        client=organisation.client,
        search_client=organisation.search,
        live_settings=live_settings,
        find_agents=find_agents,
        finds=search_finds,
        clock=upstreams.clock,
    )
    live = make_directory(settings, finder, stores, metrics, shedding=load_shedding)
    mirror = make_mirror(live_settings, organisation, stores, upstreams, live=live, find_agents=find_agents)
    directory = live if mirror is None else mirror.directory
    typed_callers = make_typed_callers(finder, live_settings, metrics, stack)
    live_settings.subscribe(lambda before, after: _apply_settings(directory, load_shedding, before, after))
    stack.push_async_callback(directory.aclose)
    heavy_work = HeavyWork()
    live_data = LiveRuleData(
        switches=stores.switches, tables=stores.rule_tables, folder=settings.store.journal, heavy_work=heavy_work
    )
    recent_calls = RecentCalls(reader=stores.recent_calls, clock=upstreams.clock)

    def prepare_for(rules: CompiledRuleset) -> None:
        directory.select(rules.selection)
        recent_calls.begin(asked=rules.asks_recent_calls)

    live_ruleset = LiveRuleset(store=stores.rulesets, on_change=prepare_for, heavy_work=heavy_work)
    journal = _open_journal(settings, stack)
    revision_file = RevisionFile(
        settings.store.journal / "live-revision.json", live_ruleset=live_ruleset, store=stores.rulesets
    )
    settings_file = SettingsFile(settings.store.journal / "live-settings.json", live_settings=live_settings)
    live_events = LiveEvents(store=stores.documents)
    key_use = KeyUse()

    async def prepare() -> None:
        await live_settings.refresh()
        await live_events.refresh()
        if rules is not None:
            await _publish_rules(rules, settings, stores, live_settings.call_settings(), upstreams.clock())
        if settings.demo:
            await _confirm_samples(stores, upstreams.clock())
        await enreach_id_cache.refresh()
        key_use.remember(await stores.key_uses.load())
        await live_data.refresh()
        await live_ruleset.refresh()
        await recent_calls.load_some()
        if mirror is not None:
            await mirror.status.refresh()

    await stores.health.open(prepare, within=_START_SECONDS)
    if stores.health.error is not None:
        await settings_file.load()
        await revision_file.load()
        await live_data.load()
    return Foundation(
        settings=settings,
        upstreams=upstreams,
        live_settings=live_settings,
        settings_file=settings_file,
        live_events=live_events,
        metrics=metrics,
        stores=stores,
        organisation=organisation,
        column_types=column_types,
        enreach=(enreach := connect_enreach(settings.enreach, upstreams, stack)),
        queue_watch=_watch_queues(settings, enreach, upstreams),
        agent_watch=_watch_agents(settings, enreach, upstreams),
        enreach_id_cache=enreach_id_cache,
        column_id_cache=column_id_cache,
        directory=directory,
        mirror=mirror,
        search_finds=search_finds,
        load_shedding=load_shedding,
        heavy_work=heavy_work,
        live_ruleset=live_ruleset,
        recent_calls=recent_calls,
        typed_callers=typed_callers,
        revision_file=revision_file,
        live_data=live_data,
        tables=Tables(
            store=stores.rule_tables,
            live_data=live_data,
            live_ruleset=live_ruleset,
            read_region=lambda: live_settings.call_settings().region,
            heavy_work=heavy_work,
            clock=upstreams.clock,
        ),
        shadow=ShadowRun(
            settings=stores.documents,
            results=stores.shadow_results,
            repository=RulesetRepository(rulesets=stores.rulesets, column_types=column_types, heavy_work=heavy_work),
            live_ruleset=live_ruleset,
            find_profile=live_settings.find_profile,
            metrics=metrics,
            journal=journal,
            read_data=live_data.current,
            clock=upstreams.clock,
        ),
        journal=journal,
        mover=JournalMover(
            journal=journal, sink=stores.decisions, event_runs=stores.event_runs, options=MoverOptions()
        ),
        key_use=key_use,
        guess_brake=GuessBrake(monotonic=time.monotonic),
    )


def _open_journal(settings: Settings, stack: AsyncExitStack) -> Journal:
    """Open the journal; raises StoreUnwritableError where its files cannot be written and locked."""
    journal = Journal(folder=settings.store.journal, clock=time.monotonic)
    journal.require_folder()
    stack.callback(journal.close)
    return journal


def _make_column_id_cache(settings: Settings, organisation: Organisation, upstreams: Upstreams) -> ColumnIdCache | None:
    column = settings.dataverse.agent_id_column
    if column is None:
        return None
    return ColumnIdCache(client=organisation.people, column=column, clock=upstreams.clock)


def _watch_queues(settings: Settings, enreach: EnreachClient | None, upstreams: Upstreams) -> QueueWatch | None:
    seconds = settings.enreach.queue_poll_seconds
    if enreach is None or seconds is None:
        return None
    return QueueWatch(
        client=enreach, seconds=seconds, max_age=settings.enreach.queue_max_age_seconds, clock=upstreams.clock
    )


def _watch_agents(settings: Settings, enreach: EnreachClient | None, upstreams: Upstreams) -> AgentWatch | None:
    asked = settings.enreach
    if enreach is None or asked.agent_poll_seconds is None:
        return None
    return AgentWatch(
        client=enreach,
        seconds=asked.agent_poll_seconds,
        max_age=asked.agent_max_age_seconds,
        key=asked.availability_key,
        unavailable=asked.unavailable_values,
        clock=upstreams.clock,
    )


def _apply_settings(
    directory: CachedDirectory | MirroredDirectory,
    load_shedding: LoadShedding,
    before: SettingsSnapshot,
    after: SettingsSnapshot,
) -> None:
    """Have the next call recognised by the new settings, and shed by the new deadline."""
    if before.calls is after.calls:
        return
    load_shedding.set_deadline(after.calls.deadline)
    old, new = before.settings, after.settings
    if (old.phone, old.dataverse, old.vip) != (new.phone, new.dataverse, new.vip):
        if isinstance(directory, MirroredDirectory):
            directory.plan_anew(plan_search(new.dataverse, new.vip, new.phone), region=new.phone.default_region)
        directory.outdate()


def _read_rules(settings: Settings, calls: CallSettings, sample: Mapping[str, Any] | None) -> object | None:
    """Read the ruleset that is published at the start, if any; raises InvalidInputError for one that cannot be."""
    file = settings.rules.file
    document = sample if file is None else read_ruleset_file(file)
    if document is not None:
        require_sound(document, calls.profile, region=calls.region)
    return document


async def _publish_rules(document: object, settings: Settings, stores: Stores, calls: CallSettings, now: float) -> None:
    file = settings.rules.file
    await publish_at_start(
        document,
        store=stores.rulesets,
        profile=calls.profile,
        region=calls.region,
        comment="the demo's sample" if file is None else f"from the file {file.name}",
        now=now,
        replace=file is not None,
    )


async def _confirm_samples(stores: Stores, now: float) -> None:
    """Confirm for the sample organisation what no system can tell, unless somebody did."""
    for item in (WEB_PHONE, ASSIGNEE):
        if not await stores.confirmations.list_of(item):
            sample = Confirmation(subject=EVERYBODY, item=item, who="demo", at=now, note="sample data")
            await stores.confirmations.put(sample)
