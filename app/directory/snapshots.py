"""Last known callers in the store, so that a restart while Dataverse is away still recognises yesterday's."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Protocol

import structlog

from app.directory.limits import DirectoryLimits
from app.directory.snapshot_reads import SnapshotReads
from app.routing.callers import Caller, CallerStatus

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
    """Writes behind the answers: bounded, in batches, and never in the way of a call."""

    def __init__(self, *, store: CallerSnapshots, limits: DirectoryLimits, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._limits = limits
        self._pending: dict[str, Caller | None] = {}
        self._writer: asyncio.Task[None] | None = None
        self._reads = SnapshotReads(read=store.get_many, limits=limits, monotonic=monotonic)
        self._writing = asyncio.Lock()
        self._closed = False

    def keep(self, e164: str, caller: Caller) -> None:
        """Have the caller written soon; a number nobody has any more is erased there."""
        self._reads.forget(e164)
        self._pending.pop(e164, None)
        self._pending[e164] = None if caller.status is CallerStatus.UNKNOWN else caller
        while len(self._pending) > self._limits.snapshot_buffer:
            del self._pending[next(iter(self._pending))]
        if self._writer is None and not self._closed:
            self._writer = asyncio.create_task(self._write_behind(), name="directory.snapshots")

    async def find(self, e164: str, *, until: float) -> Caller | None:
        """Return the last known caller, if the store tells it before `until` (loop time). Never raises."""
        if e164 in self._pending:
            return self._pending[e164]
        return await self._reads.find(e164, until=until)

    async def erase(self, e164: str | None) -> int:
        """Forget one number or all, written or not; returns how many rows are gone. Raises what the store raises."""
        self._reads.forget(e164)
        async with self._writing:
            if e164 is None:
                self._pending.clear()
                return await self._store.purge_before(math.inf)
            self._pending.pop(e164, None)
            return int(await self._store.erase(e164))

    async def aclose(self) -> None:
        """Write what is left, within the time for it, and stop."""
        self._closed = True
        await self._reads.aclose()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
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
