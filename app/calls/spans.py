"""Has spans of calls exported where the standard variables of OpenTelemetry name a collector."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from importlib import metadata

import structlog

from app.calls.webhook import CallSpans
from app.observability.requests import TraceContext
from app.routing.decisions import DecisionRecord

__all__ = ["open_spans"]

log = structlog.get_logger()

_NAME = "POST /smartrouting"
_NANOSECONDS = 1_000_000
"""In a millisecond."""


def open_spans(stack: AsyncExitStack) -> CallSpans | None:
    """Return what samples and exports the spans of a call, or `None` when nobody collects them; `stack` ends it.

    The variables are those of the process: the SDK reads them itself.
    """
    if not _find_collector(os.environ):
        return None
    try:
        # Imported here because it takes a tenth of a second and is not there without the extra.
        from app.observability.spans import SpanExport  # noqa: PLC0415
    except ImportError:
        log.warning("spans.not_exported", reason="an OTLP endpoint is set, but the extra otel is not installed")
        return None
    spans = SpanExport(version=metadata.version("smartrouting"))
    stack.push_async_callback(asyncio.to_thread, spans.close)

    def export(record: DecisionRecord, trace: TraceContext, record_ms: float) -> None:
        spans.export(
            _NAME,
            trace,
            started=round((record.at * 1000 - record.waterfall["receive"]) * _NANOSECONDS),
            attributes=_describe(record),
            stages=_list_stages(record.waterfall, record_ms),
        )

    return CallSpans(spans.sample, export)


def _find_collector(environment: Mapping[str, str]) -> bool:
    """Tell whether an endpoint is named and neither the SDK nor its spans are switched off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(environment.get(f"OTEL_EXPORTER_OTLP_{name}") for name in ("TRACES_ENDPOINT", "ENDPOINT"))


def _describe(call: DecisionRecord) -> dict[str, str | int]:
    """Tell what the log line of a call tells, and by the same words, but for caller and call id."""
    told: dict[str, str | int | None] = {
        "http.request.method": "POST",
        "http.route": "/smartrouting",
        "http.response.status_code": call.status,
        "smartrouting.decision_id": call.id,
        "smartrouting.outcome": call.outcome,
        "smartrouting.rule": call.rule,
        "smartrouting.revision": call.revision,
        "smartrouting.caller_status": call.caller_status,
        "smartrouting.caller_cause": call.caller_cause,
        "smartrouting.source": call.caller_source,
    }
    return {name: value for name, value in told.items() if value is not None}


def _list_stages(waterfall: Mapping[str, float], record_ms: float) -> Iterator[tuple[str, float, Mapping[str, float]]]:
    """List name, milliseconds and parts of each stage; parts may overlap, so that they are figures and no spans."""
    for stage, milliseconds in (*waterfall.items(), ("record", record_ms)):
        if "." not in stage and stage != "total":
            parts = {name: spent for name, spent in waterfall.items() if name.startswith(f"{stage}.")}
            yield stage, milliseconds, {f"smartrouting.{name}_ms": spent for name, spent in parts.items()}
