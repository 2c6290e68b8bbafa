"""The durable log in front of the database: a decision is on disk before its answer leaves.

A line that was written survives the process, however it dies, because the operating system has it; a power cut may
take the last seconds. `app.store.mover` carries the lines on to the database.
"""

import asyncio
import errno
import os
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.routing.decisions import DecisionRecord
from app.store.errors import StoreUnwritableError
from app.store.journal_segment import Segment, write_line

__all__ = ["Journal", "JournalHealth"]

log = structlog.get_logger()

_RETRY_SECONDS = 1.0
"""After a failure nothing is tried for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHealth:
    """Whether decisions can be written down, for health, metrics and alerts."""

    writable: bool
    detail: str
    """Why not, in the words of the operating system; empty when it is."""


class Journal:
    """Writes records to files in one folder, from one thread; several processes may share the folder."""

    def __init__(
        self,
        *,
        folder: Path,
        clock: Callable[[], float],
        segment_bytes: int = 8 * 2**20,
        most_bytes: int = 2**30,
    ) -> None:
        """Write to `folder`, which is created when needed, at most `most_bytes` in files of about `segment_bytes`.

        `clock` counts seconds and never goes back.
        """
        self._folder = folder
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._most_bytes = most_bytes
        self._active: Segment | None = None
        self._closed: list[Segment] = []
        self._retry_at: float | None = None
        self._detail = ""
        self._lost = 0
        self.appended = asyncio.Event()
        """Set by every append, for whoever carries the lines on."""

    def require_folder(self) -> None:
        """Make sure, before the first call, that there is a folder to write to; raises StoreUnwritableError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnwritableError(
                f"cannot create the folder {self._folder} of the journal: {exc.strerror}"
            ) from exc
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise StoreUnwritableError(f"cannot write the journal: the folder {self._folder} is not writable")

    @property
    def health(self) -> JournalHealth:
        """How the journal is now."""
        return JournalHealth(writable=not self._detail, detail=self._detail)

    @property
    def backlog(self) -> int:
        """How many records are not in the database yet."""
        return sum(segment.waiting for segment in self._closed) + (self._active.waiting if self._active else 0)

    @property
    def has_closed(self) -> bool:
        """Whether there are files that get no more lines, but are not moved completely."""
        return bool(self._closed)

    def append(self, record: DecisionRecord) -> bool:
        """Write one record, before its answer leaves; False, and never an error, when the disk does not take it."""
        started = self._clock()
        if self._retry_at is not None and started < self._retry_at:
            self._lost += 1
            return False
        try:
            line = write_line(record)
            segment = self._open_active(record.at, len(line))
            segment.append(line)
            segment.note_spent(self._clock() - started)
        except (OSError, TypeError, ValueError, RecursionError) as exc:
            self._fail(exc)
            return False
        if self._detail:
            self._recover_from_failure()
        self.appended.set()
        return True

    def adopt_abandoned(self) -> int:
        """Take over the files of processes that are gone, and return how many; raises OSError."""
        mine = {segment.path for segment in self._list_segments()}
        adopted = 0
        for path in sorted(self._folder.glob("*.log")):
            if path not in mine and (segment := Segment.adopt(path)) is not None:
                log.info("journal.segment_adopted", segment=path.name, records=segment.waiting, torn_bytes=segment.torn)
                insort(self._closed, segment, key=lambda known: known.path.name)
                adopted += 1
        return adopted

    def retire_active(self) -> None:
        """Start a new file with the next record, so that this one can be deleted once it is moved."""
        if self._active is not None:
            self._closed.append(self._active)
            self._active = None

    def find_oldest(self) -> Segment | None:
        """Find the oldest file with lines to move; deletes files that are moved and done with."""
        while self._closed and self._closed[0].moved >= self._closed[0].length:
            self._closed.pop(0).delete()
        if self._closed:
            return self._closed[0]
        return self._active if self._active and self._active.waiting else None

    def close(self) -> None:
        """Let go of the files; what is not moved is kept for the next start."""
        self.retire_active()
        self.find_oldest()
        while self._closed:
            self._closed.pop().close()

    def _list_segments(self) -> list[Segment]:
        return [*self._closed, *([self._active] if self._active else [])]

    def _open_active(self, at: float, size: int) -> Segment:
        if self._active is not None and self._active.length + size > self._segment_bytes and self._active.length:
            self.retire_active()
        if self._active is None:
            if sum(segment.length for segment in self._closed) + self._segment_bytes > self._most_bytes:
                raise OSError(errno.EDQUOT, "the journal has reached its limit")
            self._active = Segment.create(self._folder, at)
        return self._active

    def _fail(self, error: Exception) -> None:
        self._lost += 1
        if not isinstance(error, OSError):
            # This record cannot be written down; the next one can.
            log.error("journal.record_unwritable", error=type(error).__name__)
            return
        detail = os.strerror(error.errno) if error.errno else "input/output error"
        if not self._detail:
            log.error("journal.unwritable", detail=detail)
        self._detail = detail
        self._retry_at = self._clock() + _RETRY_SECONDS
        self.retire_active()

    def _recover_from_failure(self) -> None:
        log.info("journal.writable_again", lost=self._lost)
        self._detail = ""
        self._retry_at = None
