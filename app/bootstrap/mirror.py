"""Puts the mirror together: the index before the directory that asks Dataverse, and what keeps the two equal."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from app.bootstrap.stores import Stores
from app.bootstrap.upstreams import Organisation, Upstreams
from app.calls.call_settings import make_vip_rules
from app.configurator.settings.live_settings import LiveSettings
from app.dataverse.customer_history import CustomerHistory
from app.dataverse.queries import plan_search
from app.dataverse.refused_columns import RefusedColumns
from app.directory.breaker import CircuitBreaker
from app.directory.cached import CachedDirectory
from app.directory.limits import BreakerLimits, DirectoryLimits
from app.directory.mirror.directory import MirroredDirectory
from app.directory.mirror.follower import MirrorFollower, MirrorOptions
from app.directory.mirror.history import BoundedHistory
from app.directory.mirror.status import MirrorStatus
from app.routing.callers import Caller, LookUp, Selection
from app.routing.identification import identify
from app.routing.related import AgentOf
from app.settings import DirectoryKind
from app.store.kept_connections import Leadership

__all__ = ["Mirror", "make_mirror"]

_BEHIND_POLLS = 4
_MIN_BEHIND_SECONDS = 60.0
"""Fewer polls, or less time, without an answer are no reason to call somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The parts of the mirror."""

    directory: MirroredDirectory
    status: MirrorStatus
    follower: MirrorFollower
    leadership: Leadership


def make_mirror(
    live_settings: LiveSettings,
    organisation: Organisation,
    stores: Stores,
    upstreams: Upstreams,
    *,
    live: CachedDirectory,
    find_agents: Callable[[], AgentOf | None],
) -> Mirror | None:
    """Make the mirror before `live`, where the settings want one; nothing runs yet.

    `find_agents` returns what tells the Enreach ids of users now; `None` when nothing does.
    """
    settings = live_settings.read()
    dataverse = settings.dataverse
    if dataverse.directory is not DirectoryKind.MIRROR:
        return None
    search = plan_search(dataverse, settings.vip, settings.phone)

    def judge(look_up: LookUp, selection: Selection, now: float) -> Caller:
        vip = make_vip_rules(live_settings.read().vip)
        return identify(look_up, vip=vip, agent_of=find_agents(), now=now, related=selection.related)

    status = MirrorStatus(
        store=stores.mirror,
        clock=upstreams.clock,
        behind_seconds=max(_MIN_BEHIND_SECONDS, _BEHIND_POLLS * dataverse.mirror_poll_seconds),
        max_age_seconds=settings.cache.stale_seconds,
    )
    limits = DirectoryLimits(
        fresh_seconds=min(settings.cache.fresh_seconds, dataverse.mirror_poll_seconds),
        stale_seconds=settings.cache.stale_seconds,
        size=settings.cache.size,
    )
    directory = MirroredDirectory(
        live=live,
        store=stores.mirror,
        status=status,
        identify=judge,
        history=BoundedHistory(
            history=CustomerHistory(
                client=organisation.client,
                plan=search,
                refused=RefusedColumns(plan=search, clock=upstreams.clock),
            ),
            breaker=CircuitBreaker(limits=BreakerLimits(), monotonic=time.monotonic),
        ),
        search=search,
        region=settings.phone.default_region,
        limits=limits,
        monotonic=time.monotonic,
    )
    leadership = Leadership(database=stores.database, role="mirror")
    follower = MirrorFollower(
        client=organisation.mirror,
        store=stores.mirror,
        status=status,
        lead=leadership.lead,
        required=lambda: directory.required,
        wanted=lambda: directory.wanted,
        clock=upstreams.clock,
        options=MirrorOptions(poll_seconds=dataverse.mirror_poll_seconds),
    )
    return Mirror(directory=directory, status=status, follower=follower, leadership=leadership)
