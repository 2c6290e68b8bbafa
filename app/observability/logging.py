"""Structured logging: every line of this service and its libraries through one pipeline, redacted at its end."""

import atexit
import json
import logging
import sys
from functools import lru_cache
from typing import Any, BinaryIO, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger
from typing_extensions import override

from app.observability.call_lines import LineWriter
from app.observability.failures import describe_exception
from app.observability.redaction import redact_entry, redact_text
from app.observability.requests import add_request

__all__ = ["configure_logging"]

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
