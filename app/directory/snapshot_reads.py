"""Reads of last known callers: those that are wanted at the same moment are one question to the store."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import islice

import structlog
from cachetools import TTLCache

from app.directory.limits import DirectoryLimits
from app.routing.callers import Caller

__all__ = ["SnapshotReads"]

log = structlog.get_logger()

ReadMany = Callable[[Iterable[str]], Awaitable[Mapping[str, Caller]]]


class SnapshotReads:
    """Keeps an outage of Dataverse from becoming a burst on the store.

    When Dataverse fails, every call turns to the store within the same moment. So numbers that are wanted while a
    question is under way are asked for together afterwards, and a number the store does not have is not asked for
    again for a while.
    """

    def __init__(self, *, read: ReadMany, limits: DirectoryLimits, monotonic: Callable[[], float]) -> None:
        self._read = read
        self._limits = limits
        self._absent: TTLCache[str, bool] = TTLCache(limits.size, ttl=limits.negative_seconds, timer=monotonic)
        self._wanted: dict[str, asyncio.Future[Caller | None]] = {}
        self._asked: dict[str, asyncio.Future[Caller | None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    async def find(self, e164: str, *, until: float) -> Caller | None:
        """Return the stored caller, if the store tells it before `until` (loop time). Never raises."""
        if self._closed or e164 in self._absent:
            return None
        answer = self._asked.get(e164) or self._wanted.get(e164) or self._ask(e164)
        await asyncio.wait({answer}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        return answer.result() if answer.done() else None

    def forget(self, e164: str | None) -> None:
        """Have the store asked anew for one number or all; those who wait still get their answer."""
        if e164 is None:
            self._absent.clear()
            self._asked.clear()
        else:
            self._absent.pop(e164, None)
            self._asked.pop(e164, None)

    async def aclose(self) -> None:
        """Stop; whoever waits gets nothing."""
        self._closed = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for answer in [*self._wanted.values(), *self._asked.values()]:
            _tell(answer, None)

    def _ask(self, e164: str) -> "asyncio.Future[Caller | None]":
        answer = self._wanted[e164] = asyncio.get_running_loop().create_future()
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_wanted(), name="directory.snapshot_reads")
        return answer

    async def _read_wanted(self) -> None:
        try:
            while self._wanted:
                batch = dict(islice(self._wanted.items(), self._limits.snapshot_batch))
                for e164 in batch:
                    del self._wanted[e164]
                await self._read_batch(batch)
        finally:
            self._reader = None

    async def _read_batch(self, batch: dict[str, "asyncio.Future[Caller | None]"]) -> None:
        self._asked = dict(batch)
        callers: Mapping[str, Caller] = {}
        try:
            async with asyncio.timeout(self._limits.look_up_seconds):
                callers = await self._read(batch)
            # What was forgotten meanwhile may have been written meanwhile.
            self._absent.update(dict.fromkeys(self._asked.keys() - callers.keys(), True))
        except Exception as error:  # noqa: BLE001 - a broken store must not stop a call
            log.warning("directory.snapshots_not_read", error=type(error).__name__, count=len(batch))
        finally:
            self._asked = {}
            for e164, answer in batch.items():
                _tell(answer, callers.get(e164))


def _tell(answer: "asyncio.Future[Caller | None]", caller: Caller | None) -> None:
    if not answer.done():
        answer.set_result(caller)
