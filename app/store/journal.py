"""The durable log in front of the database: a decision, or the run of an event, is on disk before its answer leaves.

A line that was written survives the process, however it dies, because the operating system has it; a power cut may
take the last seconds. `app.store.mover` carries the lines on to the database.

A file is written by one process, which holds a lock on it (flock) as long as it lives; the lock ends with the process,
however that dies, and tells its successor that the file may be taken over. Next to `name.log` lie `name.offset`, how
many bytes have been moved to the database, and `name.rejected`, the lines that could not be.
"""

import asyncio
import errno
import fcntl
import os
import secrets
from array import array
from bisect import insort
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from app.routing.decisions import DecisionRecord
from app.store.errors import StoreUnwritableError
from app.store.event_runs import EventRunRecord
from app.store.json_text import dump
from app.store.private_file import Lock, check_locking

__all__ = ["Journal", "JournalHealth", "JournalRecord", "Segment", "write_line"]

JournalRecord = DecisionRecord | EventRunRecord

log = structlog.get_logger()

_RETRY_SECONDS = 1.0
"""After a failure nothing is tried for so long."""
_CHUNK = 262_144
_OFFSET_DIGITS = 20
_ENCODER = msgspec.json.Encoder()


class Segment:
    """One file: append at one end, take off at the other; a line counts only when it is whole."""

    def __init__(self, *, path: Path, descriptor: int, length: int, moved: int, waiting: int) -> None:
        self.path = path
        self.length = length
        """Bytes of whole lines; whatever lies behind them is the torn end of a write."""
        self.moved = moved
        """Bytes that are in the database."""
        self.waiting = waiting
        """Lines that are not."""
        self._spent = array("f")
        self._descriptor = descriptor
        self._offset_descriptor: int | None = None

    @classmethod
    def create(cls, folder: Path, at: float) -> "Segment":
        """Start a file named by time (seconds since the epoch), so that names sort by age; raises OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            path = folder / f"{max(0, int(at * 1000)):014d}-{os.getpid()}-{secrets.token_hex(4)}.log"
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC, 0o600)
            # Somebody who looks for abandoned files may have found this one before it was locked, and removed it.
            if _lock(descriptor):
                return cls(path=path, descriptor=descriptor, length=0, moved=0, waiting=0)
            os.close(descriptor)

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """Take over the file of a process that is gone; `None` when its owner lives, or when nothing is in it.

        Raises OSError.
        """
        try:
            descriptor = os.open(path, os.O_APPEND | os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            content = path.read_bytes() if _lock(descriptor) else None
        except OSError:
            os.close(descriptor)
            raise
        if content is None:
            os.close(descriptor)
            return None
        length = content.rfind(b"\n") + 1
        moved = _read_offset(path)
        if content[moved - 1 : moved] != b"\n":
            moved = 0
        waiting = content.count(b"\n", moved, length)
        segment = cls(path=path, descriptor=descriptor, length=length, moved=moved, waiting=waiting)
        if not content:
            segment.delete()
            return None
        return segment

    @property
    def torn(self) -> int:
        """Bytes behind the last whole line, left by a process that died while writing."""
        return os.fstat(self._descriptor).st_size - self.length

    @property
    def is_removed(self) -> bool:
        """Whether somebody removed the file: its lines can still be read here, and nobody else will find them."""
        return os.fstat(self._descriptor).st_nlink == 0

    def note_spent(self, seconds: float) -> None:
        """Note what it took to write the line that was appended last; no other process will know."""
        self._spent.append(seconds)

    def tell_spent(self, most: int) -> Sequence[float]:
        """Tell what it took to write so many of the lines that wait, in seconds; nothing about a predecessor's."""
        return self._spent[:most]

    def append(self, line: bytes) -> None:
        """Write one line, which ends in a newline, or nothing at all; raises OSError."""
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, self.length)
            raise OSError(errno.ENOSPC, "no space left for a whole line")
        self.length += written
        self.waiting += 1

    def read(self, most: int) -> list[bytes]:
        """Read up to so many of the lines that are not moved yet, without their newlines; raises OSError."""
        size = _CHUNK
        while True:
            available = min(size, self.length - self.moved)
            data = os.pread(self._descriptor, available, self.moved)
            end = data.rfind(b"\n") + 1
            if end or available < size:
                return data[:end].split(b"\n")[:-1][:most]
            size *= 2

    def remember(self, lines: list[bytes]) -> None:
        """Note that these lines, the next ones, need not be read again."""
        self.moved += sum(map(len, lines)) + len(lines)
        self.waiting -= len(lines)
        del self._spent[: len(lines)]
        # A disk that does not take the note costs a successor some time, since moving a line twice changes nothing.
        with suppress(OSError):
            if self._offset_descriptor is None:
                self._offset_descriptor = os.open(
                    self.path.with_suffix(".offset"), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600
                )
            os.pwrite(self._offset_descriptor, b"%0*d" % (_OFFSET_DIGITS, self.moved), 0)

    def reject(self, line: bytes) -> None:
        """Set a line aside that the database will never take; raises OSError."""
        descriptor = os.open(
            self.path.with_suffix(".rejected"), os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600
        )
        try:
            os.write(descriptor, line + b"\n")
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the file, which somebody else may then take over."""
        for descriptor in (self._offset_descriptor, self._descriptor):
            if descriptor is not None:
                os.close(descriptor)

    def delete(self) -> None:
        """Remove the file, while the lock still keeps others away, and let go of it."""
        with suppress(OSError):
            self.path.with_suffix(".offset").unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
        self.close()


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
        self.on_append: Callable[[DecisionRecord], None] | None = None
        """Told of every decision, while somebody wants to know; must be quick and never raise."""

    def require_folder(self, *, lock: Lock = fcntl.flock) -> None:
        """Make sure, before the first call, that files can be written and locked; raises StoreUnwritableError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreUnwritableError(
                f"cannot create the folder {self._folder} of the journal: {exc.strerror}"
            ) from exc
        try:
            check_locking(self._folder, lock=lock)
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
        if self.on_append is not None and isinstance(record, DecisionRecord):
            self.on_append(record)
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


def _lock(descriptor: int) -> bool:
    """Take a file for this process; False when another one has it, or has removed it meanwhile."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _read_offset(path: Path) -> int:
    """Read how far a predecessor came; 0 when that cannot be told, which costs time but loses nothing."""
    try:
        return int(path.with_suffix(".offset").read_bytes())
    except (OSError, ValueError):
        return 0


def write_line(record: JournalRecord) -> bytes:
    """Write a record as JSON with the end of the line; odd characters and numbers are tamed as `json_text.dump` does.

    Raises TypeError or RecursionError for what is no JSON at all.
    """
    try:
        return _ENCODER.encode(record) + b"\n"
    except (UnicodeEncodeError, OverflowError):
        kind = {"kind": "event_run"} if isinstance(record, EventRunRecord) else {}
        return dump({**kind, **msgspec.structs.asdict(record)}) + b"\n"
