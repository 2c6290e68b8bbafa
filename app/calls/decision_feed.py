"""Decisions as they reach the log, for everybody who watches: one reader of the database, however many they are."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from app.calls.store import DecisionFilter, DecisionStore, DecisionSummary
from app.errors import TooManyRequestsError
from app.web.limits import HeavyWork

__all__ = ["READ_SECONDS", "DecisionFeed", "NewDecision", "News"]

READ_SECONDS: Final = 1.0
"""How often the log is looked at while somebody watches."""
_AT_ONCE: Final = 200
"""Decisions read at once: few milliseconds of work, and more than anybody reads in a second."""
_OVERLAP_SECONDS: Final = 30.0
"""Records of other processes reach the database so late at most, while it works."""
_QUIET_TURNS: Final = 15
"""Reads without news before a sign of life, so that nothing between takes the connection for dead."""
_KEPT: Final = 10
"""Reads in memory, for watchers whose connection is slow; no longer, for a caller may be erased meanwhile."""
_MAX_WATCHERS: Final = 40
_MAX_WATCHERS_OF_ROLE: Final = 20
_MAX_SECONDS: Final = 300.0
"""How long one watches before asking again, and so proving again who one is."""


class NewDecision(NamedTuple):
    """A decision, and how everybody who watches is told of it."""

    summary: DecisionSummary
    """Numbers are not masked."""
    event: bytes


@dataclass(frozen=True, slots=True)
class News:
    """What came since the news before; nothing now and then, as a sign of life."""

    items: Sequence[NewDecision]
    """In the order in which they reached the log."""
    complete: bool = True
    """Whether there was no more than what is told."""


class DecisionFeed:
    """Tells new decisions; reads nothing while nobody watches."""

    def __init__(
        self,
        *,
        decisions: DecisionStore,
        write: Callable[[DecisionSummary], bytes],
        heavy_work: HeavyWork,
        clock: Callable[[], float],
        is_leaving: Callable[[], bool],
    ) -> None:
        """`write` makes the event of a decision; `is_leaving` tells that this process ends, which ends every watch."""
        self._write = write
        self._heavy_work = heavy_work
        self._decisions = decisions
        self._clock = clock
        self._is_leaving = is_leaving
        self._watchers: Counter[str] = Counter()
        """By role."""
        self._known: set[str] | None = None
        """Ids that were found by the read before; `None` when nobody watched then."""
        self._kept: deque[News] = deque(maxlen=_KEPT)
        self._reads = 0
        self._turn = asyncio.Event()

    async def read(self) -> None:
        """Look for new decisions, if anybody watches; raises StoreError."""
        try:
            if self._watchers.total():
                await self._read()
            else:
                self._known = None
                self._kept.clear()
        finally:
            self._turn.set()
            self._turn = asyncio.Event()

    @asynccontextmanager
    async def watch(
        self, wanted: DecisionFilter, *, role: str, after: str | None
    ) -> AsyncIterator[AsyncIterator[News]]:
        """Open news of the decisions that are wanted: from now on, or from the one with this id on.

        They end after five minutes, or when the process is about to. When opening, raises StoreError, and
        TooManyRequestsError when there are enough watchers, of the role or in all.
        """
        if self._watchers.total() >= _MAX_WATCHERS or self._watchers[role] >= _MAX_WATCHERS_OF_ROLE:
            raise TooManyRequestsError("enough streams are open already; close one, or list the decisions instead")
        self._watchers[role] += 1
        try:
            if self._known is None:
                await self._read()
            reads = self._reads
            since = wanted if after is not None else replace(wanted, since=self._clock())
            page = await self._decisions.page(since, limit=_AT_ONCE, above=after or "")
            yield self._follow(wanted, News(await self._make(page.items[::-1]), complete=page.next is None), reads)
        finally:
            self._watchers[role] -= 1

    async def _follow(self, wanted: DecisionFilter, first: News, reads: int) -> AsyncIterator[News]:
        yield first
        already = {item.summary.id for item in first.items}
        end, quiet = self._clock() + _MAX_SECONDS, 0
        while not self._is_leaving() and self._clock() < end:
            await self._turn.wait()
            count, reads = self._reads - reads, self._reads
            news = list(self._kept)[-count:] if count else []
            found = [item for each in news for item in each.items if wanted.matches(item.summary)]
            items = [item for item in found if item.summary.id not in already]
            complete = len(news) == count and all(each.complete for each in news)
            quiet += 1
            if items or not complete or quiet == _QUIET_TURNS:
                quiet = 0
                yield News(items, complete=complete)

    async def _read(self) -> None:
        page = await self._decisions.page(DecisionFilter(since=self._clock() - _OVERLAP_SECONDS), limit=_AT_ONCE)
        known, self._known = self._known, {item.id for item in page.items}
        if known is None:
            return
        fresh = [item for item in reversed(page.items) if item.id not in known]
        self._kept.append(News(await self._make(fresh), complete=page.next is None or len(fresh) < len(page.items)))
        self._reads += 1

    async def _make(self, summaries: Sequence[DecisionSummary]) -> Sequence[NewDecision]:
        """Write the events once for all who watch, beside the event loop."""
        if not summaries:
            return ()
        return await self._heavy_work.run(lambda: [NewDecision(each, self._write(each)) for each in summaries])
