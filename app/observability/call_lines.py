"""The log line of an answered call, the one line that every call pays for."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import structlog

from app.observability.logging import LineWriter
from app.observability.redaction import redact_text

__all__ = ["CallLine", "open_call_log"]

CallLog = Callable[["CallLine"], None]


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
