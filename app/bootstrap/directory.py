"""Puts the directory of callers together."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from app.bootstrap.stores import Stores
from app.calls.call_settings import make_vip_rules
from app.configurator.settings.live_settings import LiveSettings
from app.dataverse.caller_look_up import CallerLookUp
from app.dataverse.client import Reads, count_call_places
from app.dataverse.queries import plan_search
from app.directory.breaker import CircuitBreaker
from app.directory.cached import CachedDirectory
from app.directory.limits import DirectoryLimits
from app.directory.live import LiveDirectory
from app.directory.load_shedding import LoadShedding, SheddingLimits
from app.directory.snapshots import Snapshots
from app.directory.tolerant_search import TolerantSearch
from app.directory.typed import TypedCallers
from app.numbers.search_finds import SearchFinds
from app.observability.metrics import Metrics
from app.routing.callers import Caller, LookUp, Selection
from app.routing.identification import identify
from app.routing.related import AgentOf
from app.settings import DirectoryKind, Settings
from app.single_flight import gather_or_cancel

__all__ = ["CallerFinder", "make_directory", "make_load_shedding", "make_typed_callers"]

_REQUESTS_PER_LOOK_UP = 2


class CallerFinder:
    """Finds callers in Dataverse and judges them, by the settings that hold when a look-up begins."""

    def __init__(
        self,
        *,
        client: Reads,
        search_client: Reads,
        live_settings: LiveSettings,
        find_agents: Callable[[], AgentOf | None],
        finds: SearchFinds,
        clock: Callable[[], float],
    ) -> None:
        """`find_agents` returns what tells the Enreach ids of users now; `None` when nothing does.

        `finds` notes whom only a search found.
        """
        self._client = client
        self._search_client = search_client
        self._live_settings = live_settings
        self._find_agents = find_agents
        self._finds = finds
        self._clock = clock
        self._snapshot = live_settings.current()
        self._look_up = self._prepare(self._snapshot.settings)

    @property
    def max_numbers(self) -> int:
        """How many numbers one look-up may be about, by the present settings."""
        return self._look_up.max_numbers

    async def find(self, e164s: Sequence[str], selection: Selection) -> Mapping[str, Caller]:
        """Look numbers up with the columns of the selection; raises DataverseError."""
        look_up, judge = self._follow(selection)
        # The settings may want more columns by now than when the number of numbers was limited.
        parts = [e164s[start : start + look_up.max_numbers] for start in range(0, len(e164s), look_up.max_numbers)]
        found = await gather_or_cancel(*(look_up.look_up(part, selection) for part in parts))
        return {e164: judge(each) for part in found for e164, each in part.items()}

    async def find_typed(self, texts: Sequence[str], selection: Selection) -> Mapping[str, Caller]:
        """Look up what callers typed, one after the other; raises DataverseError."""
        look_up, judge = self._follow(selection)
        return {text: judge(await look_up.look_up_typed(text, selection)) for text in texts}

    async def search(self, e164s: Sequence[str], selection: Selection) -> Mapping[str, Caller]:
        """Search numbers that no notation finds, one after the other; raises DataverseError."""
        look_up, judge = self._follow(selection)
        callers: dict[str, Caller] = {}
        for e164 in e164s:
            found = await look_up.search(e164, selection)
            self._finds.note(e164, found.matches)
            callers[e164] = judge(found)
        return callers

    def _follow(self, selection: Selection) -> tuple[CallerLookUp, Callable[[LookUp], Caller]]:
        """Return what looks up and what judges now; which columns the organisation refuses is learned anew."""
        snapshot = self._live_settings.current()
        if snapshot.calls is not self._snapshot.calls:
            self._look_up, self._snapshot = self._prepare(snapshot.settings), snapshot
        vip, agent_of = make_vip_rules(self._snapshot.settings.vip), self._find_agents()

        def judge(found: LookUp) -> Caller:
            return identify(found, vip=vip, agent_of=agent_of, now=self._clock(), related=selection.related)

        return self._look_up, judge

    def _prepare(self, settings: Settings) -> CallerLookUp:
        return CallerLookUp(
            client=self._client,
            search_client=self._search_client,
            plan=plan_search(settings.dataverse, settings.vip, settings.phone),
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
    """Make the directory of callers that asks Dataverse."""
    limits = DirectoryLimits(
        fresh_seconds=settings.cache.fresh_seconds,
        stale_seconds=settings.cache.stale_seconds,
        negative_seconds=settings.cache.negative_seconds,
        size=settings.cache.size,
        look_ups_at_once=max(1, count_call_places(settings.dataverse.max_connections) // _REQUESTS_PER_LOOK_UP),
        numbers_per_look_up=finder.max_numbers,
    )
    breaker = CircuitBreaker(limits=limits.breaker, monotonic=time.monotonic)
    live = LiveDirectory(
        look_up=finder.find,
        breaker=breaker,
        limits=limits,
        monotonic=time.monotonic,
        on_look_up=metrics.observe_look_up,
    )
    # The mirror has read every notation already.
    is_mirrored = settings.dataverse.directory is DirectoryKind.MIRROR
    searches = 0 if is_mirrored else settings.dataverse.tolerant_searches_per_5_minutes
    search = (
        None
        if searches == 0
        else TolerantSearch(
            look_up=finder.search,
            searches_per_window=searches,
            size=settings.cache.size,
            monotonic=time.monotonic,
            on_look_up=lambda result, seconds: metrics.observe_look_up(f"search_{result}", seconds),
        )
    )
    return CachedDirectory(
        directory=live,
        breaker=breaker,
        snapshots=Snapshots(store=stores.callers, limits=limits, monotonic=time.monotonic),
        shedding=shedding,
        search=search,
        limits=limits,
        monotonic=time.monotonic,
    )


def make_typed_callers(
    finder: CallerFinder, live_settings: LiveSettings, metrics: Metrics, stack: AsyncExitStack
) -> TypedCallers:
    """Make what recognises callers by what they typed; it forgets them when settings change."""
    callers = TypedCallers(
        look_up=finder.find_typed,
        monotonic=time.monotonic,
        on_look_up=lambda result, seconds: metrics.observe_look_up(f"typed_{result}", seconds),
    )
    live_settings.subscribe(lambda _, __: callers.forget())
    stack.push_async_callback(callers.aclose)
    return callers


def make_load_shedding(deadline: float, metrics: Metrics) -> LoadShedding:
    """Make what keeps enough of a call's time back that its answer leaves before the deadline, in seconds."""
    limits = SheddingLimits(deadline=deadline)
    return LoadShedding(limits=limits, on_shed=metrics.count_shed_call)
