"""What every capability stands on: stores, connections, the directory of callers, the live ruleset and the journal."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from app.auth.webhook import KeyUse
from app.bootstrap.connections import Organisation, connect_enreach, connect_organisation
from app.bootstrap.directory import CallerFinder, make_directory, make_load_shedding
from app.bootstrap.stores import Stores, open_stores
from app.bootstrap.upstreams import Upstreams
from app.calls.call_settings import CallSettings
from app.configurator.settings.live_settings import LiveSettings, SettingsSnapshot
from app.directory.cached import CachedDirectory
from app.directory.load_shedding import LoadShedding
from app.enreach.client import EnreachClient
from app.observability.metrics import Metrics
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.publish import publish_at_start, read_ruleset_file
from app.rulesets.replay.shadow import ShadowRun
from app.rulesets.repository import RulesetRepository
from app.settings import Settings
from app.store.journal import Journal
from app.store.mover import JournalMover, MoverOptions
from app.users.store import EnreachIdCache

__all__ = ["Foundation", "open_foundation"]

_SETTINGS_SECONDS = 1.0
"""How often another process's change of settings is looked for; two seconds are promised."""
_RULESET_SECONDS = 1.0
"""How often another process's publishing is looked for; two seconds are promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Everything that is opened once a process, before the capabilities."""

    settings: Settings
    upstreams: Upstreams
    live_settings: LiveSettings
    metrics: Metrics
    stores: Stores
    organisation: Organisation
    enreach: EnreachClient | None
    """`None` when the Enreach API is not configured."""
    enreach_id_cache: EnreachIdCache
    directory: CachedDirectory
    load_shedding: LoadShedding
    live_ruleset: LiveRuleset
    shadow: ShadowRun
    journal: Journal
    mover: JournalMover
    key_use: KeyUse


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
    stores = await open_stores(settings, stack)
    live_settings = LiveSettings(base=settings, store=stores.documents, interval=_SETTINGS_SECONDS)
    await live_settings.refresh()
    await _publish_rules(settings, stores, live_settings.call_settings(), sample, upstreams.clock())
    organisation = connect_organisation(settings, upstreams, stack)
    enreach_id_cache = EnreachIdCache(store=stores.enreach_ids)
    await enreach_id_cache.refresh()
    load_shedding = make_load_shedding(live_settings.call_settings().deadline, metrics)
    finder = CallerFinder(
        client=organisation.client,
        live_settings=live_settings,
        agent_of=enreach_id_cache.agent_of,
        clock=upstreams.clock,
    )
    directory = make_directory(settings, finder, stores, metrics, shedding=load_shedding)
    live_settings.subscribe(lambda before, after: _apply_settings(directory, load_shedding, before, after))
    stack.push_async_callback(directory.aclose)
    live_ruleset = LiveRuleset(
        store=stores.rulesets, on_change=lambda rules: directory.select(rules.selection), interval=_RULESET_SECONDS
    )
    await live_ruleset.refresh()
    journal = Journal(folder=settings.store.journal, clock=time.monotonic)
    journal.require_folder()
    stack.callback(journal.close)
    return Foundation(
        settings=settings,
        upstreams=upstreams,
        live_settings=live_settings,
        metrics=metrics,
        stores=stores,
        organisation=organisation,
        enreach=connect_enreach(settings.enreach, upstreams, stack),
        enreach_id_cache=enreach_id_cache,
        directory=directory,
        load_shedding=load_shedding,
        live_ruleset=live_ruleset,
        shadow=ShadowRun(
            settings=stores.documents,
            results=stores.shadow_results,
            repository=RulesetRepository(rulesets=stores.rulesets),
            live_ruleset=live_ruleset,
            find_profile=live_settings.find_profile,
            counter=metrics,
            clock=upstreams.clock,
        ),
        journal=journal,
        mover=JournalMover(journal=journal, sink=stores.decisions, options=MoverOptions()),
        key_use=KeyUse(await stores.key_uses.load()),
    )


def _apply_settings(
    directory: CachedDirectory, load_shedding: LoadShedding, before: SettingsSnapshot, after: SettingsSnapshot
) -> None:
    """Have the next call recognised by the new settings, and shed by the new deadline."""
    if before.calls is after.calls:
        return
    load_shedding.set_deadline(after.calls.deadline)
    old, new = before.settings, after.settings
    if (old.phone, old.dataverse, old.vip) != (new.phone, new.dataverse, new.vip):
        directory.outdate()


async def _publish_rules(
    settings: Settings, stores: Stores, calls: CallSettings, sample: Mapping[str, Any] | None, now: float
) -> None:
    file = settings.rules.file
    document = sample if file is None else read_ruleset_file(file)
    if document is not None:
        await publish_at_start(
            document,
            store=stores.rulesets,
            profile=calls.profile,
            region=calls.region,
            comment="the demo's sample" if file is None else f"from the file {file.name}",
            now=now,
            replace=file is not None,
        )
