"""Exports a span of every answered call to a collector of OpenTelemetry.

Only imported where somebody collects: it needs the extra `otel`. The call is over and its names are given when it comes
here, so its spans are made whole; a tracer would start and end them again at seven times the cost. Sampler, resource,
batches and exporter are those of the SDK, by its standard environment variables.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.util.types import AttributeValue

from app.observability.tracing import TraceContext

__all__ = ["AnsweredCall", "CallSpans"]

_NAME = "POST /smartrouting"
Stage = tuple[str, float, Mapping[str, AttributeValue]]
"""Its name, its milliseconds, and attributes of its span."""
_FLUSH_SECONDS = 2.0
_LARGEST_ID = (1 << 128) - 1
_NANOSECONDS = 1_000_000
"""In a millisecond."""


class AnsweredCall(Protocol):
    """As much of a decision record as a span may tell: nothing that is personal."""

    @property
    def id(self) -> str:
        """Of the decision."""

    @property
    def at(self) -> float:
        """When the request had arrived, in seconds since the epoch."""

    @property
    def caller_status(self) -> str:
        """What the CRM says about the caller."""

    @property
    def caller_cause(self) -> str | None:
        """Why it did not say more."""

    @property
    def caller_source(self) -> str:
        """Where that came from."""

    @property
    def revision(self) -> int | None:
        """Of the ruleset."""

    @property
    def rule(self) -> str | None:
        """Its id."""

    @property
    def outcome(self) -> str:
        """Of the decision."""

    @property
    def status(self) -> int:
        """HTTP status of the answer."""

    @property
    def waterfall(self) -> Mapping[str, float]:
        """Milliseconds by stage, in order; `stage.part` is a part of a stage, `total` the sum."""


class CallSpans:
    """Makes the spans of answered calls and hands them to a thread that exports them in batches.

    What the collector does not take in time is dropped; no call waits for it.
    """

    def __init__(self, *, version: str) -> None:
        """Read the environment; nothing is sent yet. `version` is the service's."""
        service = Resource.create({"service.name": "smartrouting", "service.version": version})
        provider = TracerProvider(resource=service.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._sampler = provider.sampler
        self._make_span = partial(
            ReadableSpan,
            resource=provider.resource,
            instrumentation_scope=InstrumentationScope("smartrouting", version),
        )
        self._ids = RandomIdGenerator()
        self._batches = BatchSpanProcessor(OTLPSpanExporter())

    def export(self, call: AnsweredCall, trace: TraceContext, record_ms: float) -> None:
        """Export the span of a call and one of each of its stages, if the sampler takes it.

        `record_ms` is the time the record took, in milliseconds: the one stage that the record does not hold yet.
        """
        trace_id, parent, attributes = int(trace.trace_id, 16), _read_parent(trace), _describe(call)
        if parent is None:
            sampled = self._sampler.should_sample(Context(), _spread(trace_id), _NAME, SpanKind.SERVER, attributes)
        else:
            context = set_span_in_context(NonRecordingSpan(parent), Context())
            sampled = self._sampler.should_sample(context, trace_id, _NAME, SpanKind.SERVER, attributes)
        if sampled.decision is not Decision.RECORD_AND_SAMPLE:
            return
        own = _name_span(trace_id, int(trace.span_id, 16))
        started = round((call.at * 1000 - call.waterfall["receive"]) * _NANOSECONDS)
        ended = self._export_stages(own, started, _list_stages(call.waterfall, record_ms))
        span = partial(self._make_span, kind=SpanKind.SERVER, attributes=sampled.attributes)
        self._batches.on_end(span(_NAME, own, parent, start_time=started, end_time=ended))

    def _export_stages(self, parent: SpanContext, started: int, stages: Iterable[Stage]) -> int:
        """Export a span of each stage, one after the other, and return when the last one ended."""
        for name, milliseconds, parts in stages:
            ended = started + round(milliseconds * _NANOSECONDS)
            own = _name_span(parent.trace_id, self._ids.generate_span_id())
            self._batches.on_end(
                self._make_span(name, own, parent, attributes=parts, start_time=started, end_time=ended)
            )
            started = ended
        return started

    def close(self) -> None:
        """Export what waits, for two seconds at most; blocks."""
        # The SDK waits half a minute for a collector that is away, and so would the end of a thread that is no daemon.
        flush = threading.Thread(target=self._batches.shutdown, name="spans.flush", daemon=True)
        flush.start()
        flush.join(_FLUSH_SECONDS)


def _read_parent(trace: TraceContext) -> SpanContext | None:
    if trace.parent_id is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace.trace_id, 16), int(trace.parent_id, 16), is_remote=True, trace_flags=flags)


def _spread(trace_id: int) -> int:
    """Make a sampler that takes a share of all traces find ours all over its range.

    It compares the second half, which in the UUIDs that name our traces begins with two bits that are always the same.
    """
    return trace_id << 2 & _LARGEST_ID


def _name_span(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _describe(call: AnsweredCall) -> dict[str, AttributeValue]:
    """Tell what the log line of a call tells, and by the same words, but for caller and call id."""
    told: dict[str, AttributeValue | None] = {
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


def _list_stages(waterfall: Mapping[str, float], record_ms: float) -> Iterator[Stage]:
    """List name, milliseconds and parts of each stage; parts may overlap, so that they are figures and no spans."""
    for stage, milliseconds in (*waterfall.items(), ("record", record_ms)):
        if "." not in stage and stage != "total":
            parts = {name: spent for name, spent in waterfall.items() if name.startswith(f"{stage}.")}
            yield stage, milliseconds, {f"smartrouting.{name}_ms": spent for name, spent in parts.items()}
