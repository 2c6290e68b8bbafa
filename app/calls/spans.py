"""Has spans of calls exported where the standard variables of OpenTelemetry name a collector."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from importlib import metadata

import structlog

from app.calls.route_call import DecisionSink
from app.observability.requests import find_request
from app.observability.tracing import TraceContext
from app.routing.decisions import DecisionRecord

__all__ = ["ExportCall", "TracedLog", "open_spans"]

log = structlog.get_logger()

ExportCall = Callable[[DecisionRecord, TraceContext, float], None]
"""Exports the spans of a call, whose record took so many milliseconds."""


def open_spans(stack: AsyncExitStack) -> ExportCall | None:
    """Return what exports the spans of a call, or `None` when nobody collects them; `stack` ends it.

    The variables are those of the process: the SDK reads them itself.
    """
    if not _find_collector(os.environ):
        return None
    try:
        # Imported here because it takes a tenth of a second and is not there without the extra.
        from app.observability.spans import CallSpans  # noqa: PLC0415
    except ImportError:
        log.warning("spans.not_exported", reason="an OTLP endpoint is set, but the extra otel is not installed")
        return None
    spans = CallSpans(version=metadata.version("smartrouting"))
    stack.push_async_callback(asyncio.to_thread, spans.close)
    return spans.export


def _find_collector(environment: Mapping[str, str]) -> bool:
    """Tell whether an endpoint is named and neither the SDK nor its spans are switched off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(environment.get(f"OTEL_EXPORTER_OTLP_{name}") for name in ("TRACES_ENDPOINT", "ENDPOINT"))


class TracedLog:
    """A decision log that has spans exported of what it kept, as soon as the answer has left."""

    def __init__(self, *, decision_log: DecisionSink, export: ExportCall) -> None:
        self._decision_log = decision_log
        self._export = export

    def append(self, record: DecisionRecord) -> bool:
        """Keep one record, and leave the spans to the next turn of the event loop."""
        started = time.monotonic()
        kept = self._decision_log.append(record)
        if request := find_request():
            record_ms = (time.monotonic() - started) * 1000
            asyncio.get_running_loop().call_soon(self._export, record, request.trace, record_ms)
        return kept
