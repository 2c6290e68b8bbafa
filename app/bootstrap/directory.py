"""Puts the directory of callers together."""

import time

from app.bootstrap.connections import Organisation
from app.bootstrap.stores import Stores
from app.bootstrap.translation import make_vip_rules
from app.bootstrap.upstreams import Upstreams
from app.directory.breaker import CircuitBreaker
from app.directory.cached import CachedDirectory
from app.directory.limits import DirectoryLimits
from app.directory.live import LiveDirectory
from app.directory.load_shedding import LoadShedding, SheddingLimits
from app.directory.snapshots import Snapshots
from app.observability.metrics import Metrics
from app.routing.callers import Caller, Selection
from app.routing.identification import AgentOf, identify
from app.settings import DirectoryKind, Settings, SettingsError

__all__ = ["make_directory", "make_load_shedding"]

_REQUESTS_PER_LOOK_UP = 2


def make_directory(
    settings: Settings,
    organisation: Organisation,
    stores: Stores,
    metrics: Metrics,
    upstreams: Upstreams,
    *,
    shedding: LoadShedding,
    agent_of: AgentOf,
) -> CachedDirectory:
    """Make the directory of callers.

    `agent_of` tells the Enreach user of an owner where no column of Dynamics does. Raises SettingsError.
    """
    if settings.dataverse.directory is DirectoryKind.MIRROR:
        raise SettingsError("SMARTROUTING_DATAVERSE__DIRECTORY=mirror is not available in this version; use live")
    vip = make_vip_rules(settings.vip)
    our_agents = agent_of if settings.dataverse.agent_id_column is None else None

    async def look_up(e164: str, selection: Selection) -> Caller:
        found = await organisation.callers.look_up(e164, selection)
        return identify(found, vip=vip, agent_of=our_agents, now=upstreams.clock())

    limits = DirectoryLimits(
        fresh_seconds=settings.cache.fresh_seconds,
        stale_seconds=settings.cache.stale_seconds,
        negative_seconds=settings.cache.negative_seconds,
        size=settings.cache.size,
        look_ups_at_once=max(1, settings.dataverse.max_connections // _REQUESTS_PER_LOOK_UP),
    )
    breaker = CircuitBreaker(limits=limits.breaker, monotonic=time.monotonic)
    live = LiveDirectory(
        look_up=look_up,
        breaker=breaker,
        limits=limits,
        monotonic=time.monotonic,
        on_look_up=metrics.observe_look_up,
    )
    return CachedDirectory(
        directory=live,
        breaker=breaker,
        snapshots=Snapshots(store=stores.callers, limits=limits, monotonic=time.monotonic),
        shedding=shedding,
        limits=limits,
        monotonic=time.monotonic,
    )


def make_load_shedding(settings: Settings, metrics: Metrics) -> LoadShedding:
    """Make what keeps enough of a call's time back that its answer leaves before the deadline of the settings."""
    limits = SheddingLimits(deadline=settings.webhook.deadline_ms / 1000)
    return LoadShedding(limits=limits, on_shed=metrics.count_shed_call)
