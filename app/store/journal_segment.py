"""One file of the journal, and the lines in it.

A segment is written by one process, which holds a lock on it (flock) as long as it lives; the lock ends with the
process, however that dies, and tells its successor that the file may be taken over. Next to `name.log` lie
`name.offset`, how many bytes have been moved to the database, and `name.rejected`, the lines that could not be.
"""

import errno
import fcntl
import os
import secrets
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from app.routing.decisions import DecisionRecord
from app.store.event_runs import EventRunRecord
from app.store.json_text import dump

__all__ = ["JournalRecord", "Lock", "Segment", "check_folder", "read_decision", "read_line", "write_line"]

JournalRecord = DecisionRecord | EventRunRecord

Lock = Callable[[int, int], object]
"""Locks an open file, as `fcntl.flock` does."""

_CHUNK = 262_144
_OFFSET_DIGITS = 20
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(DecisionRecord)
_EVENT_RUN = b'{"kind":"event_run",'
"""How the line of an event's run begins; that of a decision names no kind."""
_EVENT_RUN_DECODER = msgspec.json.Decoder(EventRunRecord)


class Segment:
    """Append at one end, take off at the other; a line counts only when it is whole."""

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


def check_folder(folder: Path, *, lock: Lock = fcntl.flock) -> None:
    """Make, lock and delete a file in the folder of a journal; raises OSError.

    Where a lock does not keep others away (some network file systems), two processes would take each other's lines:
    that is an OSError, too.
    """
    path = folder / f"check-{os.getpid()}-{secrets.token_hex(4)}"
    owner = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    other = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        lock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(BlockingIOError):
            lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise OSError(errno.ENOLCK, "locks of files do not work here")
    finally:
        path.unlink()
        os.close(owner)
        os.close(other)


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


def read_line(line: bytes, spent: float | None = None) -> JournalRecord | None:
    """Read a line back; `None` for one that is no record. `spent` is for `read_decision`."""
    if not line.startswith(_EVENT_RUN):
        return read_decision(line, spent)
    try:
        return _EVENT_RUN_DECODER.decode(line)
    except msgspec.DecodeError:
        return None


def read_decision(line: bytes, spent: float | None = None) -> DecisionRecord | None:
    """Read a decision back, with the seconds spent on writing it, if they are known, as one more stage.

    `None` for a line that is no decision.
    """
    try:
        record = _DECODER.decode(line)
    except msgspec.DecodeError:
        return None
    return record if spent is None or "total" not in record.waterfall else _add_stage(record, round(spent * 1000, 3))


def _add_stage(record: DecisionRecord, milliseconds: float) -> DecisionRecord:
    stages = dict(record.waterfall)
    total = stages.pop("total")
    waterfall = {**stages, "record": milliseconds, "total": round(total + milliseconds, 3)}
    return msgspec.structs.replace(record, waterfall=waterfall)
