"""Puts the directory of callers together."""

import time
from collections.abc import Callable

from app.bootstrap.stores import Stores
from app.calls.call_settings import make_vip_rules
from app.configurator.settings.live_settings import LiveSettings
from app.dataverse.caller_look_up import CallerLookUp
from app.dataverse.client import DataverseClient
from app.dataverse.queries import plan_search
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

__all__ = ["CallerFinder", "make_directory", "make_load_shedding"]

_REQUESTS_PER_LOOK_UP = 2


class CallerFinder:
    """Finds callers in Dataverse and judges them, by the settings that hold when a look-up begins."""

    def __init__(
        self, *, client: DataverseClient, live_settings: LiveSettings, agent_of: AgentOf, clock: Callable[[], float]
    ) -> None:
        """`agent_of` tells the Enreach user of an owner where no column of Dynamics does."""
        self._client = client
        self._live_settings = live_settings
        self._agent_of = agent_of
        self._clock = clock
        self._snapshot = live_settings.current()
        self._look_up = self._prepare(self._snapshot.settings)

    async def find(self, e164: str, selection: Selection) -> Caller:
        """Look a number up with the columns of the selection; raises DataverseError."""
        snapshot = self._live_settings.current()
        if snapshot is not self._snapshot:
            # Which columns the organisation refuses is learned anew: other ones may be asked for now.
            self._look_up, self._snapshot = self._prepare(snapshot.settings), snapshot
        settings, look_up = self._snapshot.settings, self._look_up
        found = await look_up.look_up(e164, selection)
        agent_of = self._agent_of if settings.dataverse.agent_id_column is None else None
        return identify(found, vip=make_vip_rules(settings.vip), agent_of=agent_of, now=self._clock())

    def _prepare(self, settings: Settings) -> CallerLookUp:
        return CallerLookUp(
            client=self._client,
            plan=plan_search(settings.dataverse, settings.vip),
            region=settings.phone.default_region,
            patterns=settings.phone.patterns,
            clock=self._clock,
        )


def make_directory(
    settings: Settings,
    finder: CallerFinder,
    stores: Stores,
    metrics: Metrics,
    *,
    shedding: LoadShedding,
) -> CachedDirectory:
    """Make the directory of callers. Raises SettingsError."""
    if settings.dataverse.directory is DirectoryKind.MIRROR:
        raise SettingsError("SMARTROUTING_DATAVERSE__DIRECTORY=mirror is not available in this version; use live")
    limits = DirectoryLimits(
        fresh_seconds=settings.cache.fresh_seconds,
        stale_seconds=settings.cache.stale_seconds,
        negative_seconds=settings.cache.negative_seconds,
        size=settings.cache.size,
        look_ups_at_once=max(1, settings.dataverse.max_connections // _REQUESTS_PER_LOOK_UP),
    )
    breaker = CircuitBreaker(limits=limits.breaker, monotonic=time.monotonic)
    live = LiveDirectory(
        look_up=finder.find,
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


def make_load_shedding(deadline: float, metrics: Metrics) -> LoadShedding:
    """Make what keeps enough of a call's time back that its answer leaves before the deadline, in seconds."""
    limits = SheddingLimits(deadline=deadline)
    return LoadShedding(limits=limits, on_shed=metrics.count_shed_call)
