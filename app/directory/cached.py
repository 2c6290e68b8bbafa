"""The directory the use case speaks to: answers in time, whatever Dataverse does."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from traceback import extract_tb

import structlog

from app.directory.breaker import BreakerState, CircuitBreaker
from app.directory.limits import DirectoryLimits
from app.directory.load_shedding import LoadShedding
from app.directory.lookup import Answer, Directory, LookupResult, Outage, Source, is_open
from app.directory.memory import CallerMemory, Entry
from app.directory.snapshots import Snapshots
from app.directory.tolerant_search import TolerantSearch
from app.observability.stages import Stages, read_stages
from app.routing.callers import CallerStatus, Cause, Selection
from app.single_flight import SharedTask, SingleFlight

__all__ = ["CachedDirectory", "DirectoryStatistics"]

log = structlog.get_logger()

_SHED = Outage(cause=Cause.TIMEOUT, detail="Overload: too many calls wait for Dataverse already")


@dataclass(slots=True, kw_only=True)
class DirectoryStatistics:
    """Counters since the start, and the state of the breaker; for metrics and alerts."""

    fresh: int = 0
    """Answered from memory within the fresh lifetime."""
    negative: int = 0
    """Answered from memory: nobody has this number."""
    stale: int = 0
    """An older caller was at hand."""
    miss: int = 0
    """Nothing usable was at hand."""
    coalesced: int = 0
    """Joined a look-up that was already under way."""
    breaker: BreakerState = BreakerState.CLOSED


class CachedDirectory:
    """Remembers callers, shares look-ups between calls, and falls back to the last known caller.

    Times are seconds of the event loop's clock, which is `time.monotonic`.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        breaker: CircuitBreaker,
        snapshots: Snapshots,
        shedding: LoadShedding,
        search: TolerantSearch | None,
        limits: DirectoryLimits,
        monotonic: Callable[[], float],
    ) -> None:
        """`search` looks for what `directory` does not find; `None` switches that off."""
        self._directory = directory
        self._search = search
        self._breaker = breaker
        self._snapshots = snapshots
        self._shedding = shedding
        self._limits = limits
        self._memory = CallerMemory(limits=limits, monotonic=monotonic)
        self._look_ups: SingleFlight[Answer] = SingleFlight(
            max_in_background=limits.background_look_ups, make_context=lambda: Stages(monotonic).make_context()
        )
        self._selection = Selection()
        self._counts = DirectoryStatistics()
        self._purges = 0

    def select(self, selection: Selection) -> None:
        """Say what the published rules and VIP criteria need; what was read with less no longer counts as fresh."""
        if selection != self._selection:
            self._selection = selection
            self._look_ups.forget(None)

    def outdate(self) -> None:
        """Have every number asked for anew: the settings by which callers are found and judged have changed.

        Look-ups under way answer those who wait for them, and are not remembered.
        """
        self._memory.outdate()
        self._look_ups.forget(None)

    def recall(self, e164: str) -> LookupResult | None:
        """Return a fresh caller or a number that nobody has, without waiting; `None` means: call `find`."""
        result = self._memory.recall(e164, self._selection)
        if result is None:
            return None
        if result.source is Source.FRESH:
            self._counts.fresh += 1
        else:
            self._counts.negative += 1
        return result

    def recall_old(self, e164: str) -> LookupResult | None:
        """Return the last known caller from memory, however old and whatever was asked for then, without waiting."""
        entry = self._memory.get(e164)
        return None if entry is None else LookupResult(entry.caller, Source.STALE)

    async def find(self, e164: str, *, until: float) -> LookupResult:
        """Return the caller so early that the answer can leave before `until` (loop time). Never raises for the CRM.

        A stale caller is answered at once while a look-up goes on behind. Without one the look-up is awaited; when it
        fails or hangs, the last known caller is answered, from memory or the store. When too many calls wait already
        to answer this one in time, it is not looked up at all, unless it only joins a look-up under way.
        """
        joins = self._look_ups.get(e164) is not None
        with self._shedding.admit(until, joins=joins) as look_up_until:
            if look_up_until is None:
                return self.recall_old(e164) or LookupResult(_SHED.describe(), Source.NONE, _SHED)
            return await self._find(e164, look_up_until)

    async def find_for(self, selection: Selection, e164: str, *, until: float) -> LookupResult:
        """Return the caller with what other rules than the published ones need; what that adds is not remembered.

        When Dataverse does not answer, it is what `find` says.
        """
        if selection == self._selection:
            return await self._find(e164, until)
        if (result := self._memory.recall(e164, selection)) is not None:
            return result
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                answer = await _guard(self._directory.ask(e164, selection, awaited_until=lambda: -math.inf))
            if not isinstance(answer, Outage):
                return LookupResult(answer, Source.LIVE)
        return await self._find(e164, until)

    async def purge(self, e164: str | None) -> int:
        """Forget one number or all: memory, look-ups under way and snapshots. Returns how many entries are gone.

        Raises what the store raises; memory is empty by then.
        """
        self._purges += 1
        self._look_ups.forget(e164)
        if self._search is not None:
            self._search.forget(e164)
        return self._memory.forget(e164) + await self._snapshots.erase(e164)

    def statistics(self) -> DirectoryStatistics:
        """Return the counters and the state of the breaker."""
        return replace(self._counts, breaker=self._breaker.state)

    async def aclose(self) -> None:
        """Cancel look-ups, write the last snapshots, leave no task behind."""
        await self._look_ups.aclose()
        await self._directory.aclose()
        if self._search is not None:
            await self._search.aclose()
        await self._snapshots.aclose()

    async def _find(self, e164: str, until: float) -> LookupResult:
        if (result := self.recall(e164)) is not None:
            return result
        entry = self._memory.get(e164)
        if entry is not None and self._memory.covers(entry, self._selection):
            self._counts.stale += 1
            self._look_ups.start(e164, self._prepare(e164))
            return LookupResult(entry.caller, Source.STALE)
        self._counts.miss += 1
        return await self._find_live(e164, entry, until)

    async def _find_live(self, e164: str, entry: Entry | None, until: float) -> LookupResult:
        """Await the look-up; keep a little time back to read the store, unless memory holds an older caller."""
        self._counts.coalesced += self._look_ups.get(e164) is not None
        started = asyncio.get_running_loop().time()
        reserve = 0.0 if entry else min(self._limits.snapshot_reserve_seconds, max(0.0, until - started) / 2)
        with self._look_ups.join(e164, self._prepare(e164), until=until) as shared:
            answer = await _wait(shared, started, until - reserve)
            if isinstance(answer, Outage):
                if known := await self._find_last_known(e164, until):
                    return LookupResult(known.caller, known.source, answer, _read_stages(shared))
                answer = await _wait(shared, started, until)
        if isinstance(answer, Outage):
            return LookupResult(answer.describe(), Source.NONE, answer, _read_stages(shared))
        return LookupResult(answer, Source.LIVE, stages=_read_stages(shared))

    async def _find_last_known(self, e164: str, until: float) -> LookupResult | None:
        if (known := self.recall_old(e164)) is not None:
            return known
        purges = self._purges
        caller = await self._snapshots.find(e164, until=until)
        if caller is None:
            return None
        if purges == self._purges and self._memory.get(e164) is None:
            self._memory.remember_old(e164, caller)
        return LookupResult(caller, Source.SNAPSHOT)

    def _prepare(self, e164: str) -> Callable[[SharedTask[Answer]], Coroutine[None, None, Answer]]:
        selection = self._selection

        async def look_up(shared: SharedTask[Answer]) -> Answer:
            """Ask, and remember the answer, unless it was purged or a larger selection is wanted by now."""

            def awaited_until() -> float:
                return shared.until

            answer = await _guard(self._directory.ask(e164, selection, awaited_until=awaited_until))
            if self._search is not None and is_open(answer):
                shared.interim = answer  # who cannot wait for the search hears this; the next call hears the rest
                found = await _guard(self._search.ask(e164, selection, awaited_until=awaited_until))
                answer = answer if isinstance(found, Outage) or found.status is CallerStatus.UNKNOWN else found
            if not isinstance(answer, Outage) and self._look_ups.is_current(e164, shared):
                self._memory.remember(e164, answer, selection)
                self._snapshots.keep(e164, answer)
            return answer

        return look_up


async def _guard(asking: Awaitable[Answer]) -> Answer:
    try:
        return await asking
    except Exception as error:  # noqa: BLE001 - the outermost boundary of a task nobody may wait for
        place = extract_tb(error.__traceback__)[-1]
        known = {"error": type(error).__name__, "function": place.name, "line": place.lineno}
        log.error("directory.look_up_broken", **known)  # noqa: TRY400 - the message may quote a number
        return Outage(cause=Cause.ERROR, detail="The look-up failed inside this service")


def _read_stages(shared: SharedTask[Answer] | None) -> Mapping[str, float]:
    return {} if shared is None else read_stages(shared.context)


async def _wait(shared: SharedTask[Answer] | None, started: float, until: float) -> Answer:
    answer = None if shared is None else await shared.wait(until)
    if answer is not None:
        return answer
    if shared is None or shared.done:
        return Outage(cause=Cause.ERROR, detail="The look-up was given up because the service ends")
    elapsed = asyncio.get_running_loop().time() - started
    return Outage(cause=Cause.TIMEOUT, detail=f"Dataverse timed out at {elapsed:.1f} s")
