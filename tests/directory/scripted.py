"""A Dataverse, a snapshot table and the directory around them, which do what a test tells them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Self

from app.dataverse.errors import DataverseError, Facts, ServerFailedError, ThrottledError
from app.directory.breaker import CircuitBreaker
from app.directory.cached import CachedDirectory
from app.directory.limits import DirectoryLimits
from app.directory.live import LiveDirectory, LookUp
from app.directory.load_shedding import LoadShedding, SheddingLimits
from app.directory.lookup import Answer, Outage
from app.directory.snapshots import CallerSnapshots, Snapshots
from app.directory.tolerant_search import TolerantSearch
from app.routing.callers import Caller, CallerStatus, Cause, Selection

__all__ = [
    "ANNA",
    "FAILED",
    "NOBODY",
    "NUMBER",
    "THROTTLED",
    "Bench",
    "DurationList",
    "Script",
    "ScriptedDataverse",
    "SnapshotTable",
    "StoreAwayError",
    "answer",
    "answer_after",
    "build_directory",
    "count_tasks",
    "hang",
]

NUMBER = "+358501234567"
ANNA = Caller(status=CallerStatus.IDENTIFIED, id="anna", vip=True, as_of=100.0)
NOBODY = Caller(status=CallerStatus.UNKNOWN, as_of=100.0)
FAILED = Outage(cause=Cause.ERROR, detail="Dataverse failed (HTTP 500)")
THROTTLED = Outage(cause=Cause.THROTTLED, detail="Dataverse asks to slow down", retry_after=10.0)

Script = Callable[[str], Awaitable[Answer]]


def answer(given: Answer) -> Script:
    """Answer this, at once."""
    return answer_after(0.0, given)


def answer_after(seconds: float, given: Answer) -> Script:
    """Answer this, after so many seconds."""

    async def script(_e164: str) -> Answer:
        await asyncio.sleep(seconds)
        return given

    return script


async def hang(_e164: str) -> Answer:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


class ScriptedDataverse:
    """Follows its script and notes who was asked for when."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[str, float]] = []
        self.look_ups: list[list[str]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.cancelled = 0

    async def look_up(self, e164s: Sequence[str], selection: Selection) -> Mapping[str, Caller]:
        """Do what the script says for each number at the same time; an outage is what the adapter raises."""
        del selection
        self.asked += [(e164, asyncio.get_running_loop().time()) for e164 in e164s]
        self.look_ups.append(list(e164s))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            given = await asyncio.gather(*map(self.script, e164s))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        for each in given:
            if isinstance(each, Outage):
                raise _ERRORS[each.cause](each.detail, facts=Facts(retry_after=each.retry_after))
        return {e164: each for e164, each in zip(e164s, given, strict=True) if not isinstance(each, Outage)}


_ERRORS: Mapping[Cause, type[DataverseError]] = {Cause.ERROR: ServerFailedError, Cause.THROTTLED: ThrottledError}


class StoreAwayError(Exception):
    """The table cannot be reached."""


class SnapshotTable:
    """A snapshot table in memory; it outlives the directories of a test, as a database does."""

    def __init__(self) -> None:
        self.rows: dict[str, Caller] = {}
        self.writes = 0
        self.reads = 0
        self.away = False
        self.seconds = 0.0
        """How long everything takes."""

    async def save(self, callers: Mapping[str, Caller]) -> None:
        """Write rows."""
        await self._reach()
        self.writes += 1
        self.rows |= callers

    async def get_many(self, e164s: Iterable[str]) -> Mapping[str, Caller]:
        """Read some rows."""
        self.reads += 1
        await self._reach()
        return {e164: self.rows[e164] for e164 in e164s if e164 in self.rows}

    async def erase(self, e164: str) -> bool:
        """Delete one row."""
        await self._reach()
        return self.rows.pop(e164, None) is not None

    async def purge_before(self, time: float) -> int:
        """Delete old rows."""
        await self._reach()
        old = [e164 for e164, caller in self.rows.items() if (caller.as_of or 0) < time]
        for e164 in old:
            del self.rows[e164]
        return len(old)

    async def _reach(self) -> None:
        await asyncio.sleep(self.seconds)
        if self.away:
            raise StoreAwayError


class DurationList:
    """Keeps what was observed."""

    def __init__(self) -> None:
        self.observed: list[tuple[str, float]] = []

    def observe_look_up(self, result: str, seconds: float) -> None:
        """Take one look-up."""
        self.observed.append((result, round(seconds, 3)))


class Bench:
    """A cached directory on the clock of the loop, with everything behind it in reach of the test."""

    def __init__(
        self,
        script: Script,
        *,
        limits: DirectoryLimits | None = None,
        table: SnapshotTable | None = None,
        shedding: LoadShedding | None = None,
        search: Script | None = None,
        searches: int = 60,
    ) -> None:
        limits = limits or DirectoryLimits()
        loop = asyncio.get_running_loop()
        self.live = ScriptedDataverse(script)
        self.table = table or SnapshotTable()
        self.metrics = DurationList()
        self.search = ScriptedDataverse(search or answer(NOBODY))
        """What answers tolerant searches; without a script for it there are none."""
        self.directory = build_directory(
            self.live.look_up,
            snapshots=self.table,
            limits=limits,
            shedding=shedding,
            search=None
            if search is None
            else TolerantSearch(
                look_up=self.search.look_up,
                searches_per_window=searches,
                size=100,
                monotonic=loop.time,
                on_look_up=self.metrics.observe_look_up,
            ),
            on_look_up=self.metrics.observe_look_up,
            monotonic=loop.time,
        )

    async def __aenter__(self) -> Self:
        self._tasks = count_tasks()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.directory.aclose()
        assert count_tasks() == self._tasks

    @property
    def now(self) -> float:
        """The time of the loop."""
        return asyncio.get_running_loop().time()

    def by(self, seconds: float) -> float:
        """Return the loop time so many seconds from now."""
        return self.now + seconds

    @staticmethod
    def number(index: int) -> str:
        """Return one of many numbers."""
        return f"+35840{index:07}"


def build_directory(
    look_up: LookUp,
    *,
    snapshots: CallerSnapshots,
    limits: DirectoryLimits,
    on_look_up: Callable[[str, float], None],
    monotonic: Callable[[], float],
    shedding: LoadShedding | None = None,
    search: TolerantSearch | None = None,
) -> CachedDirectory:
    """Put a directory together; without `shedding` it keeps no time back and sheds nobody."""
    breaker = CircuitBreaker(limits=limits.breaker, monotonic=monotonic)
    return CachedDirectory(
        directory=LiveDirectory(
            look_up=look_up, breaker=breaker, limits=limits, monotonic=monotonic, on_look_up=on_look_up
        ),
        breaker=breaker,
        snapshots=Snapshots(store=snapshots, limits=limits, monotonic=monotonic),
        shedding=shedding
        or LoadShedding(limits=SheddingLimits(deadline=1.5, base=0.0, per_waiting_call=0.0), on_shed=lambda: None),
        search=search,
        limits=limits,
        monotonic=monotonic,
    )


def count_tasks() -> int:
    """Return how many tasks are alive."""
    return len(asyncio.all_tasks())
