"""Reads of the index: those that are wanted at the same moment are one question to the store."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice

import structlog

from app.directory.mirror.store import FoundRecord

__all__ = ["Found", "IndexReads"]

log = structlog.get_logger()

_MAX_BATCH = 256
_READ_SECONDS = 1.0
"""For one question; a store that takes longer is as good as away."""

Read = Callable[[Sequence[str]], Awaitable[Sequence[FoundRecord]]]


class Found:
    """What one question brought: of all numbers in it, so whoever reads it picks their own."""

    __slots__ = ("accounts", "by_number")

    def __init__(self, records: Sequence[FoundRecord]) -> None:
        self.accounts: Mapping[str, FoundRecord] = {record.id: record for record in records if record.kind == "account"}
        self.by_number: dict[str, list[FoundRecord]] = {}
        for record in records:
            if record.height == 0 and record.active:
                for number in record.numbers:
                    self.by_number.setdefault(number, []).append(record)


class IndexReads:
    """Asks together for the numbers that came while the last question was under way: a crowd is two questions."""

    def __init__(self, *, read: Read) -> None:
        self._read = read
        self._wanted: dict[str, asyncio.Future[Found | None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    async def find(self, e164: str, *, until: float) -> Found | None:
        """Return what the index has; `None` when it does not tell before `until` (loop time). Never raises."""
        if self._closed:
            return None
        answer = self._wanted.get(e164) or self._want(e164)
        if not answer.done():
            await asyncio.wait({answer}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        return answer.result() if answer.done() else None

    async def aclose(self) -> None:
        """Stop; whoever waits gets nothing."""
        self._closed = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for answer in self._wanted.values():
            _tell(answer, None)

    def _want(self, e164: str) -> "asyncio.Future[Found | None]":
        answer = self._wanted[e164] = asyncio.get_running_loop().create_future()
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_wanted(), name="mirror.reads")
        return answer

    async def _read_wanted(self) -> None:
        try:
            while self._wanted:
                batch = dict(islice(self._wanted.items(), _MAX_BATCH))
                for e164 in batch:
                    del self._wanted[e164]
                await self._read_batch(batch)
        finally:
            self._reader = None

    async def _read_batch(self, batch: Mapping[str, "asyncio.Future[Found | None]"]) -> None:
        found = None
        try:
            async with asyncio.timeout(_READ_SECONDS):
                found = Found(await self._read(list(batch)))
        except Exception as error:  # noqa: BLE001 - a broken store must not stop a call
            log.warning("mirror.index_not_read", error=type(error).__name__, count=len(batch))
        finally:
            for answer in batch.values():
                _tell(answer, found)


def _tell(answer: "asyncio.Future[Found | None]", found: Found | None) -> None:
    if not answer.done():
        answer.set_result(found)
