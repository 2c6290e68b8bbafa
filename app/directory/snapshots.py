"""Last known callers in the store, so that a restart while Dataverse is away still recognises yesterday's."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping
from itertools import islice
from typing import Any, Protocol

import structlog
from cachetools import TTLCache

from app.directory.limits import DirectoryLimits
from app.routing.callers import Caller, CallerStatus
from app.single_flight import cancel_all

__all__ = ["CallerSnapshots", "Snapshots"]

log = structlog.get_logger()
_GONE = object()


class CallerSnapshots(Protocol):
    """A table of last known callers by E.164 number."""

    async def save(self, callers: Mapping[str, Caller]) -> None:
        """Write all of them, or none."""

    async def get_many(self, e164s: Iterable[str]) -> Mapping[str, Caller]:
        """Return the callers last written, as far as there are any."""

    async def erase(self, e164: str) -> bool:
        """Forget one number; False when it was not known."""

    async def purge_before(self, time: float) -> int:
        """Forget what Dataverse said before that time, in seconds since the epoch; returns how many."""


class Snapshots:
    """Writes behind the answers, bounded and in batches; reads for all who want something at the same moment at once.

    When Dataverse fails every call turns to the store within the same moment, and that must not become a burst there.
    """

    def __init__(self, *, store: CallerSnapshots, limits: DirectoryLimits, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._limits = limits
        self._pending: dict[str, Caller | None] = {}
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._absent: TTLCache[str, bool] = TTLCache(limits.size, ttl=limits.negative_seconds, timer=monotonic)
        self._reads: list[_Read] = []
        self._reading = asyncio.Lock()
        self._closed = False

    def keep(self, e164: str, caller: Caller) -> None:
        """Have the caller written soon; a number nobody has any more is erased there."""
        self._forget_reads(e164)
        self._pending.pop(e164, None)
        self._pending[e164] = None if caller.status is CallerStatus.UNKNOWN else caller
        while len(self._pending) > self._limits.snapshot_buffer:
            del self._pending[next(iter(self._pending))]
        if self._writer is None and not self._closed:
            self._writer = asyncio.create_task(self._write_behind(), name="directory.snapshots")

    async def find(self, e164: str, *, until: float) -> Caller | None:
        """Return the last known caller, if the store tells it before `until` (loop time). Never raises.

        A number the store does not have is not asked for again for a while.
        """
        if e164 in self._pending:
            return self._pending[e164]
        if self._closed or e164 in self._absent:
            return None
        task = (self._find_read(e164) or self._plan_read(e164)).task
        await asyncio.wait({task}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        return task.result().get(e164) if task.done() and not task.cancelled() else None

    async def erase(self, e164: str | None) -> int:
        """Forget one number or all, written or not; returns how many are gone. Raises what the store raises."""
        self._forget_reads(e164)
        async with self._writing:
            if e164 is None:
                self._pending.clear()
                return await self._store.purge_before(math.inf)
            was_pending = self._pending.pop(e164, None) is not None
            return int(await self._store.erase(e164) or was_pending)

    async def aclose(self) -> None:
        """Write what is left, within the time for it, and stop; who waits for a read gets nothing."""
        self._closed = True
        await cancel_all([*(read.task for read in self._reads), *([self._writer] if self._writer else [])])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.close_seconds):
                await self._write_pending()
        if self._pending:
            log.warning("directory.snapshots_left_behind", count=len(self._pending))

    async def _write_behind(self) -> None:
        try:
            while self._pending:
                await asyncio.sleep(self._limits.snapshot_flush_seconds)
                await self._write_pending()
        finally:
            self._writer = None

    async def _write_pending(self) -> None:
        """Write batch after batch until nothing is left, or until one fails."""
        async with self._writing:
            while self._pending and await self._write_batch():
                pass

    async def _write_batch(self) -> bool:
        """Write the oldest callers; on failure they stay for the next try, unless newer ones came."""
        batch = dict(islice(self._pending.items(), self._limits.snapshot_batch))
        try:
            await self._store.save({e164: caller for e164, caller in batch.items() if caller is not None})
            for e164 in (e164 for e164, caller in batch.items() if caller is None):
                await self._store.erase(e164)
        except Exception as error:  # noqa: BLE001 - the outermost boundary of a background task
            log.warning("directory.snapshots_not_written", error=type(error).__name__, count=len(batch))
            return False
        for e164, caller in batch.items():
            if self._pending.get(e164, _GONE) is caller:
                del self._pending[e164]
        return True

    def _find_read(self, e164: str) -> "_Read | None":
        return next((read for read in self._reads if e164 in read.wanted), None)

    def _plan_read(self, e164: str) -> "_Read":
        """Add the number to the next read that has room."""
        read = self._reads[-1] if self._reads else None
        if read is None or read.started or len(read.wanted) >= self._limits.snapshot_batch:
            read = _Read(self._read)
            self._reads.append(read)
        read.wanted.add(e164)
        return read

    async def _read(self, read: "_Read") -> Mapping[str, Caller]:
        """Read when the reads before are done; nothing is found in a store that fails."""
        try:
            async with self._reading:
                read.started = True
                async with asyncio.timeout(self._limits.look_up_seconds):
                    callers = await self._store.get_many(frozenset(read.wanted))
        except Exception as error:  # noqa: BLE001 - a broken store must not stop a call
            log.warning("directory.snapshots_not_read", error=type(error).__name__, count=len(read.wanted))
            return {}
        finally:
            self._reads.remove(read)
        self._absent.update(dict.fromkeys(read.wanted - callers.keys(), True))
        return callers

    def _forget_reads(self, e164: str | None) -> None:
        """Have the store asked anew for one number or all: what it says now may be old; who waits still gets it."""
        if e164 is None:
            self._absent.clear()
        else:
            self._absent.pop(e164, None)
        for read in self._reads:
            if read.started:
                read.wanted -= read.wanted if e164 is None else {e164}


class _Read:
    """One question to the store, and the numbers it counts for."""

    def __init__(self, work: Callable[["_Read"], Coroutine[Any, Any, Mapping[str, Caller]]]) -> None:
        self.wanted: set[str] = set()
        self.started = False
        self.task = asyncio.create_task(work(self), name="directory.snapshot_read")
