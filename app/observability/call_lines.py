"""How lines leave, many at once, and the log line of an answered call, which every call pays for."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec
import structlog

from app.observability.redaction import redact_text

__all__ = ["CallLine", "LineWriter", "open_call_log"]

_MAX_BATCH_BYTES = 65_536
_LATENCY_SECONDS = 0.05

CallLog = Callable[["CallLine"], None]


class LineWriter:
    """A logger for structlog, one for each stream: a line must not cost every call a system call.

    Lines are in the stream at the latest 50 ms after they were logged, at once outside of an event loop, and before the
    process ends. What a killed process loses is log lines only; decisions are in the journal.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []
        self._size = 0
        self._scheduled = False

    def write(self, line: bytes) -> None:
        """Take one line without its end."""
        self._waiting.append(line)
        self._size += len(line)
        if self._size >= _MAX_BATCH_BYTES:
            self.flush()
        elif not self._scheduled:
            self._schedule()

    debug = info = warning = error = critical = msg = log = write

    def flush(self) -> None:
        """Write what waits."""
        self._scheduled = False
        if self._waiting:
            lines, self._waiting, self._size = self._waiting, [], 0
            self._stream.write(b"\n".join((*lines, b"")))
            self._stream.flush()

    def _schedule(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._scheduled = True
            loop.call_later(_LATENCY_SECONDS, self.flush)


class CallLine(msgspec.Struct, kw_only=True):
    """What the log says of one call; nothing in it may be personal. The number comes masked."""

    event: str = "call.decided"
    level: str = "info"
    timestamp: str = ""
    decision_id: str
    request_id: str
    trace_id: str
    call_id: str | None
    caller: str
    caller_status: str
    caller_cause: str | None
    source: str
    caller_age_seconds: float | None
    """How long ago the caller was looked up; `None` without a caller."""
    rule: str | None
    outcome: str
    status: int
    revision: int | None
    ms: float
    """Until the decision."""
    record_ms: float
    """For its record, which holds the other stages and cannot hold this one."""


def open_call_log(level: str, form: str) -> CallLog:
    """Return what writes call lines: directly where lines are JSON, since structlog takes a fifth of a call's time.

    Without `configure_logging` before it, and for people, structlog writes them as it writes everything.
    """
    writer = structlog.get_config()["logger_factory"]()
    if form != "json" or not isinstance(writer, LineWriter):
        return _write_slowly
    if level not in {"debug", "info"}:
        return lambda _: None
    encode = msgspec.json.Encoder().encode
    timestamp = _make_timestamps()

    def write(line: CallLine) -> None:
        line.timestamp = timestamp(time.time())
        if line.call_id is not None:
            line.call_id = redact_text(line.call_id)
        writer.write(encode(line))

    return write


def _make_timestamps() -> Callable[[float], str]:
    """Spell moments, in seconds since the epoch, as structlog does; the date is worked out once a second."""
    spelled, date = -1, ""

    def spell(now: float) -> str:
        nonlocal spelled, date
        second = int(now)
        if second != spelled:
            spelled, date = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{date}.{int((now - second) * 1_000_000):06}Z"

    return spell


def _write_slowly(line: CallLine) -> None:
    members = msgspec.structs.asdict(line)
    for name in ("event", "level", "timestamp"):
        del members[name]
    structlog.get_logger().info(line.event, **members)
