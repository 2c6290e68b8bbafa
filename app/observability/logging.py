"""Structured logging: every line of this service and its libraries through one pipeline, redacted at its end.

The line of an answered call, which every call pays for, has a way of its own.
"""

import asyncio
import atexit
import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, BinaryIO, Literal

import msgspec
import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger
from typing_extensions import override

from app.observability.redaction import describe_exception, redact_entry, redact_text
from app.observability.requests import add_request

__all__ = ["CallLine", "LineWriter", "configure_logging", "open_call_log"]

_MAX_BATCH_BYTES = 65_536
_LATENCY_SECONDS = 0.05

CallLog = Callable[["CallLine"], None]
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]
_TALKATIVE = (
    "aiosqlite",
    "alembic",
    "apscheduler",
    "asyncio",
    "httpcore",
    "httpx",
    "msal",
    "sqlalchemy",
    "urllib3",
)
"""Libraries whose information lines repeat URLs and statements: only their warnings are of interest."""
_OURS = frozenset(
    {
        *("timestamp", "level", "request_id", "trace_id", "span_id", "decision_id"),
        *("outcome", "caller_status", "caller_cause", "caller_age_seconds", "source", "status", "revision", "ms"),
    }
)
"""Keys whose values are made here or come from closed lists: nothing personal can be in them."""


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


def configure_logging(level: Level, form: Format, *, stream: BinaryIO | None = None) -> None:
    """Send the logs of structlog, the standard library and uvicorn to standard output (or `stream`), once a process.

    `json` writes one object a line; `console` is for people. Never called at import, nor by anything but the console
    script: embedding programs and tests keep their own logging.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    writer = LineWriter(stream or sys.stdout.buffer)
    atexit.register(writer.flush)
    structlog.configure(
        processors=[
            add_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            render_exception,
            redact_event,
            *_make_renderers(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(number)


def render_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by types and places, without messages that may quote personal data."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = describe_exception(error)
    return event


def redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Redact every value of an event but those we make ourselves."""
    for key, value in event.items():
        if key not in _OURS and value is not None:
            event[key] = _redact_name(value) if key == "event" else redact_entry(key, value)
    return event


@lru_cache(maxsize=512)
def _redact_name(name: str) -> str:
    """Redact the name of an event; the texts of libraries come here too, and ours are few."""
    return redact_text(str(name))


def _make_renderers(form: Format) -> list[Processor]:
    if form == "json":
        return [structlog.processors.JSONRenderer(serializer=_dump)]
    return [_flatten_exception, structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()), _encode]


def _dump(event: EventDict, **_: Any) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:
        # Half a surrogate pair, for one: text that UTF-8 cannot hold. A log line is never worth an exception.
        return json.dumps(event, default=str).encode()


def _flatten_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if causes := event.get("exception"):
        lines = (f"{c['type']} {c.get('message', '')}\n    " + "\n    ".join(c["frames"]) for c in causes)
        event["exception"] = "\n".join(lines)
    return event


def _encode(_: WrappedLogger, __: str, line: EventDict | str) -> bytes:
    return str(line).encode("utf-8", "backslashreplace")


class StructlogHandler(logging.Handler):
    """Passes records of the standard library on to structlog."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on; its message becomes the event."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        structlog.get_logger().log(record.levelno, message, logger=record.name, exc_info=record.exc_info)


def _route_standard_logging(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [StructlogHandler()]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    # It repeats the texts of Entra ID, which name tenants; our own lines say what to do.
    logging.getLogger("azure").setLevel(logging.ERROR)
    # It announces every repetition; that a batch was not taken is what matters.
    logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").setLevel(logging.ERROR)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        _hand_to_root(logging.getLogger(name))
    logging.getLogger("uvicorn.access").disabled = True
    logging.captureWarnings(capture=True)


def _hand_to_root(logger: logging.Logger) -> None:
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)
