"""Carries journal lines to the database, in order and once each, however often either side fails in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

import structlog

from app.routing.decisions import DecisionRecord
from app.store.errors import StoreError, StoreRejectedError
from app.store.event_runs import EventRunRecord
from app.store.journal import Journal
from app.store.journal_segment import JournalRecord, Segment, read_line

__all__ = ["DecisionSink", "EventRunSink", "JournalMover", "MoverOptions"]

log = structlog.get_logger()


class DecisionSink(Protocol):
    """Where records go; adding one a second time must change nothing."""

    async def add(self, records: Sequence[DecisionRecord]) -> None:
        """Keep the records; raises StoreError."""


class EventRunSink(Protocol):
    """Where runs of events go, in the same way."""

    async def add(self, records: Sequence[EventRunRecord]) -> None:
        """Keep the records; raises StoreError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoverOptions:
    """How eagerly lines are moved, in seconds."""

    linger: float = 0.1
    """Waited after a record arrives, so that a busy second costs a few transactions and not hundreds."""
    idle: float = 60.0
    """Without any record for so long, moved files are deleted and abandoned ones looked for."""
    pause: float = 0.5
    """First wait after the database failed; doubles each time."""
    longest_pause: float = 30.0
    batch: int = 200
    """Lines moved in one transaction; also the work done without letting others run."""
    busy_per_second: int = 500
    """Records arriving faster than this mean that the calls need the processor: moving waits."""
    most_deferred: int = 100_000
    """Backlog at which moving waits no longer, however busy it is."""
    batches: int = 10
    """Batches moved before looking again whether it is busy."""


class JournalMover:
    """Runs beside the calls for the life of the process; the journal is emptied by nobody else."""

    def __init__(
        self, *, journal: Journal, sink: DecisionSink, event_runs: EventRunSink, options: MoverOptions
    ) -> None:
        self._journal = journal
        self._sink = sink
        self._event_runs = event_runs
        self._options = options
        self._lock = asyncio.Lock()

    @property
    def backlog(self) -> int:
        """Records that are on disk only."""
        return self._journal.backlog

    async def run(self) -> None:
        """Move lines until cancelled; starts with what a process that died has left."""
        self.recover()
        failures = 0
        while True:
            self._journal.appended.clear()
            try:
                if not await self._move_some():
                    await self._wait_for_records()
                failures = 0
                await self._wait_for_quiet()
            except Exception as exc:  # noqa: BLE001 - nobody else would hear of it, and the lines are still there
                failures += 1
                pause = min(self._options.pause * 2 ** min(failures - 1, 16), self._options.longest_pause)
                log.warning("journal.move_failed", error=type(exc).__name__, backlog=self.backlog, retry_in=pause)
                await asyncio.sleep(pause)

    def recover(self) -> int:
        """Take over the lines of processes that died, and return from how many files."""
        try:
            return self._journal.adopt_abandoned()
        except OSError as exc:
            log.warning("journal.adoption_failed", error=type(exc).__name__)
            return 0

    async def drain(self) -> bool:
        """Move every line that is there now, so that no file holds it any more.

        False when the database is away, or when a file that some process left cannot be taken over.
        """
        self.recover()
        self._journal.retire_active()
        try:
            while self._journal.has_closed and await self._move_next():
                pass
        except (StoreError, OSError) as exc:
            log.warning("journal.drain_failed", error=type(exc).__name__, backlog=self.backlog)
            return False
        return not self._journal.has_unadoptable

    async def _wait_for_records(self) -> None:
        try:
            async with asyncio.timeout(self._options.idle):
                await self._journal.appended.wait()
        except TimeoutError:
            self._journal.retire_active()
            self.recover()

    async def _wait_for_quiet(self) -> None:
        """Linger a moment, and longer while records pour in and there is room for them."""
        options = self._options
        poured = True
        while poured:
            before = self.backlog
            await asyncio.sleep(options.linger)
            poured = (
                self.backlog - before > options.busy_per_second * options.linger
                and self.backlog < options.most_deferred
            )

    async def _move_some(self) -> bool:
        """Move a few batches; False when nothing is left."""
        for _ in range(self._options.batches):
            if not await self._move_next():
                return False
        return True

    async def _move_next(self) -> bool:
        """Move one batch; False when there was nothing to move."""
        async with self._lock:
            segment = self._journal.find_oldest()
            if segment is None:
                return False
            await self._move_batch(segment, segment.read(self._options.batch))
            self._journal.find_oldest()
            return True

    async def _move_batch(self, segment: Segment, lines: list[bytes]) -> None:
        spent = segment.tell_spent(len(lines))
        read = [(line, read_line(line, seconds)) for line, seconds in zip_longest(lines, spent)]
        records = [record for _, record in read if record is not None]
        refused: set[str] = set()
        try:
            await self._add(records)
        except StoreRejectedError:
            refused = await self._add_one_by_one(records)
        for line, record in read:
            if record is None or record.id in refused:
                self._set_aside(segment, line)
        segment.remember(lines)

    async def _add(self, records: Sequence[JournalRecord]) -> None:
        if decisions := [record for record in records if isinstance(record, DecisionRecord)]:
            await self._sink.add(decisions)
        if runs := [record for record in records if isinstance(record, EventRunRecord)]:
            await self._event_runs.add(runs)

    async def _add_one_by_one(self, records: Sequence[JournalRecord]) -> set[str]:
        """Find the records the database refuses among good ones."""
        refused = set()
        for record in records:
            try:
                await self._add([record])
            except StoreRejectedError:
                refused.add(record.id)
        return refused

    def _set_aside(self, segment: Segment, line: bytes) -> None:
        log.error("journal.line_rejected", segment=segment.path.name, bytes=len(line))
        segment.reject(line)
