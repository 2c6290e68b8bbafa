"""The durable log in front of the database: a decision, or the run of an event, is on disk before its answer leaves.

A line that was written survives the process, however it dies, because the operating system has it; a power cut may
take the last seconds. `app.store.mover` carries the lines on to the database.
"""

import asyncio
import errno
import fcntl
import os
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.store.errors import StoreUnwritableError
from app.store.journal_segment import JournalRecord, Lock, Segment, check_folder, write_line

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
        self._not_adopted: set[Path] = set()
        self.appended = asyncio.Event()
        """Set by every append, for whoever carries the lines on."""

    def require_folder(self, *, lock: Lock = fcntl.flock) -> None:
        """Make sure, before the first call, that files can be written and locked; raises StoreUnwritableError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnwritableError(
                f"cannot create the folder {self._folder} of the journal: {exc.strerror}"
            ) from exc
        try:
            check_folder(self._folder, lock=lock)
        except OSError as exc:
            raise StoreUnwritableError(
                f"cannot write and lock files in the folder {self._folder} of the journal: {exc.strerror}"
            ) from exc

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

    def append(self, record: JournalRecord) -> bool:
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

    @property
    def has_unadoptable(self) -> bool:
        """Whether there are files that some process left and that could not be taken over the last time."""
        return bool(self._not_adopted)

    def adopt_abandoned(self) -> int:
        """Take over the files of processes that are gone, and return how many; raises OSError.

        One that cannot be taken over stays where it is, and does not keep the others.
        """
        mine = {segment.path for segment in self._list_segments()}
        told, self._not_adopted = self._not_adopted, set()
        adopted = 0
        for path in sorted(self._folder.glob("*.log")):
            if path in mine:
                continue
            try:
                segment = Segment.adopt(path)
            except OSError as error:
                if path not in told:
                    log.warning("journal.segment_not_adopted", segment=path.name, error=type(error).__name__)
                self._not_adopted.add(path)
                continue
            if segment is not None:
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
        if self._active is not None and self._active.is_removed:
            # What is in it still gets to the database from here; what comes now needs a file that a successor finds.
            log.warning("journal.segment_removed", segment=self._active.path.name, records=self._active.waiting)
            self.retire_active()
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
