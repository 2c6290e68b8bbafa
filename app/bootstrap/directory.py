"""Puts the directory of callers together."""

import time

from app.bootstrap.connections import Organisation
from app.bootstrap.stores import Stores
from app.bootstrap.translation import make_vip_rules
from app.bootstrap.upstreams import Upstreams
from app.directory.assembly import build_directory
from app.directory.cached import CachedDirectory
from app.directory.limits import DirectoryLimits
from app.directory.live import LiveDirectory
from app.directory.load_shedding import KnownCallers, LoadShedding, SheddingLimits
from app.observability.metrics import Metrics
from app.routing.identification import AgentOf, identify
from app.settings import Settings

__all__ = ["make_directory", "make_load_shedding"]

_REQUESTS_PER_LOOK_UP = 2


def make_directory(
    settings: Settings,
    organisation: Organisation,
    stores: Stores,
    metrics: Metrics,
    upstreams: Upstreams,
    *,
    agent_of: AgentOf,
) -> CachedDirectory:
    """Make the directory of callers: memory before protection before Dataverse.

    `agent_of` tells the Enreach user of an owner where no column of Dynamics does.
    """
    vip = make_vip_rules(settings.vip)
    our_agents = agent_of if settings.dataverse.agent_id_column is None else None
    live = LiveDirectory(
        organisation=organisation.callers,
        identify=lambda look_up, now: identify(look_up, vip=vip, agent_of=our_agents, now=now),
        clock=upstreams.clock,
    )
    limits = DirectoryLimits(
        fresh_seconds=settings.cache.fresh_seconds,
        stale_seconds=settings.cache.stale_seconds,
        negative_seconds=settings.cache.negative_seconds,
        size=settings.cache.size,
        look_ups_at_once=max(1, settings.dataverse.max_connections // _REQUESTS_PER_LOOK_UP),
    )
    return build_directory(live, snapshots=stores.callers, limits=limits, metrics=metrics, monotonic=time.monotonic)


def make_load_shedding(settings: Settings, directory: KnownCallers, metrics: Metrics) -> LoadShedding:
    """Make what calls wait in, so that their answers leave before the deadline of the settings."""
    limits = SheddingLimits(deadline=settings.webhook.deadline_ms / 1000)
    return LoadShedding(directory=directory, limits=limits, on_shed=metrics.count_shed_call)
