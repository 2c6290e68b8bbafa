"""What every capability stands on: stores, connections, the directory of callers, the live ruleset and the journal."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from app.auth.guessing import GuessBrake
from app.auth.webhook import KeyUse
from app.bootstrap.connections import Organisation, connect_enreach, connect_organisation
from app.bootstrap.directory import make_directory, make_load_shedding
from app.bootstrap.stores import Stores, open_stores
from app.bootstrap.upstreams import Upstreams
from app.directory.cached import CachedDirectory
from app.directory.load_shedding import LoadShedding
from app.enreach.client import EnreachClient
from app.observability.metrics import Metrics
from app.routing.wire import ResponseProfile
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.publish import publish_at_start, read_ruleset_file
from app.rulesets.replay.shadow import ShadowRun
from app.rulesets.repository import RulesetRepository
from app.settings import Settings
from app.store.journal import Journal
from app.store.mover import JournalMover, MoverOptions
from app.users.store import EnreachIdCache
from app.web.heavy_work import HeavyWork

__all__ = ["Foundation", "open_foundation"]

_RULESET_SECONDS = 1.0
"""How often another process's publishing is looked for; two seconds are promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Everything that is opened once a process, before the capabilities."""

    settings: Settings
    upstreams: Upstreams
    profile: ResponseProfile
    metrics: Metrics
    stores: Stores
    organisation: Organisation
    enreach: EnreachClient | None
    """`None` when the Enreach API is not configured."""
    enreach_id_cache: EnreachIdCache
    directory: CachedDirectory
    load_shedding: LoadShedding
    heavy_work: HeavyWork
    live_ruleset: LiveRuleset
    shadow: ShadowRun
    journal: Journal
    mover: JournalMover
    key_use: KeyUse
    guess_brake: GuessBrake


async def open_foundation(
    settings: Settings,
    upstreams: Upstreams,
    profile: ResponseProfile,
    sample: Mapping[str, Any] | None,
    stack: AsyncExitStack,
) -> Foundation:
    """Open everything in order; `stack` closes it in the opposite one.

    `sample` is the ruleset that is published where there is none. Raises AppError with one clear line.
    """
    metrics = Metrics(version=metadata.version("smartrouting"), deadline_ms=settings.webhook.deadline_ms)
    stores = await open_stores(settings, stack)
    await _publish_rules(settings, stores, profile, sample, upstreams.clock())
    organisation = connect_organisation(settings, upstreams, stack)
    enreach_id_cache = EnreachIdCache(store=stores.enreach_ids)
    await enreach_id_cache.refresh()
    load_shedding = make_load_shedding(settings, metrics)
    directory = make_directory(
        settings,
        organisation,
        stores,
        metrics,
        upstreams,
        shedding=load_shedding,
        agent_of=enreach_id_cache.agent_of,
    )
    stack.push_async_callback(directory.aclose)
    heavy_work = HeavyWork()
    live_ruleset = LiveRuleset(
        store=stores.rulesets,
        on_change=lambda rules: directory.select(rules.selection),
        heavy_work=heavy_work,
        interval=_RULESET_SECONDS,
    )
    await live_ruleset.refresh()
    journal = Journal(folder=settings.store.journal, clock=time.monotonic)
    journal.require_folder()
    stack.callback(journal.close)
    return Foundation(
        settings=settings,
        upstreams=upstreams,
        profile=profile,
        metrics=metrics,
        stores=stores,
        organisation=organisation,
        enreach=connect_enreach(settings.enreach, upstreams, stack),
        enreach_id_cache=enreach_id_cache,
        directory=directory,
        load_shedding=load_shedding,
        heavy_work=heavy_work,
        live_ruleset=live_ruleset,
        shadow=ShadowRun(
            settings=stores.documents,
            results=stores.shadow_results,
            repository=RulesetRepository(rulesets=stores.rulesets, heavy_work=heavy_work),
            live_ruleset=live_ruleset,
            profile=profile,
            counter=metrics,
            clock=upstreams.clock,
        ),
        journal=journal,
        mover=JournalMover(journal=journal, sink=stores.decisions, options=MoverOptions()),
        key_use=KeyUse(await stores.key_uses.load()),
        guess_brake=GuessBrake(monotonic=time.monotonic),
    )


async def _publish_rules(
    settings: Settings, stores: Stores, profile: ResponseProfile, sample: Mapping[str, Any] | None, now: float
) -> None:
    file = settings.rules.file
    document = sample if file is None else read_ruleset_file(file)
    if document is not None:
        await publish_at_start(
            document,
            store=stores.rulesets,
            profile=profile,
            region=settings.phone.default_region,
            comment="the demo's sample" if file is None else f"from the file {file.name}",
            now=now,
            replace=file is not None,
        )
