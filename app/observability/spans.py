"""Exports spans of what is over already to a collector of OpenTelemetry.

Only imported where a collector is named: it needs the extra `otel`. The names of a call are given when it comes here,
so its spans are made whole; a tracer would start and end them again at three times the cost (decision record 0011).
Sampler, resource, batches and exporter are those of the SDK, by its standard environment variables.
"""

import threading
from collections.abc import Iterable, Mapping
from functools import partial

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState, set_span_in_context
from opentelemetry.util.types import AttributeValue

from app.observability.requests import TraceContext

__all__ = ["SpanExport", "Stage"]

Stage = tuple[str, float, Mapping[str, AttributeValue]]
"""Its name, its milliseconds, and attributes of its span."""
_FLUSH_SECONDS = 2.0
_MAX_ID = (1 << 128) - 1
_NANOSECONDS = 1_000_000
"""In a millisecond."""


class SpanExport:
    """Makes spans of requests and hands them to a thread that exports them in batches.

    What the collector does not take in time is dropped; no request waits for it.
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

    def sample(self, trace: TraceContext) -> bool:
        """Ask the sampler, before a request is answered, whether its spans will be exported."""
        trace_id, parent = int(trace.trace_id, 16), _read_parent(trace)
        if parent is None:
            found = self._sampler.should_sample(Context(), _spread(trace_id), "", SpanKind.SERVER)
        else:
            context = set_span_in_context(NonRecordingSpan(parent), Context())
            found = self._sampler.should_sample(context, trace_id, "", SpanKind.SERVER)
        return found.decision is Decision.RECORD_AND_SAMPLE

    def export(
        self,
        name: str,
        trace: TraceContext,
        *,
        started: int,
        attributes: Mapping[str, AttributeValue],
        stages: Iterable[Stage],
    ) -> None:
        """Export the span of a sampled request and one of each of its stages.

        `started` is in nanoseconds since the epoch; the stages follow one another from there.
        """
        trace_id, parent = int(trace.trace_id, 16), _read_parent(trace)
        own = _name_span(trace_id, int(trace.span_id, 16), trace.tracestate)
        ended = self._export_stages(own, started, stages)
        span = partial(self._make_span, kind=SpanKind.SERVER, attributes=attributes)
        self._batches.on_end(span(name, own, parent, start_time=started, end_time=ended))

    def _export_stages(self, parent: SpanContext, started: int, stages: Iterable[Stage]) -> int:
        """Export a span of each stage, one after the other, and return when the last one ended."""
        for name, milliseconds, parts in stages:
            ended = started + round(milliseconds * _NANOSECONDS)
            own = _name_span(parent.trace_id, self._ids.generate_span_id(), parent.trace_state.to_header())
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
    ids = int(trace.trace_id, 16), int(trace.parent_id, 16)
    return SpanContext(*ids, is_remote=True, trace_flags=flags, trace_state=TraceState.from_header([trace.tracestate]))


def _spread(trace_id: int) -> int:
    """Make a sampler that takes a share of all traces find ours all over its range.

    It compares the second half, which in the UUIDs that name our traces begins with two bits that are always the same.
    """
    return trace_id << 2 & _MAX_ID


def _name_span(trace_id: int, span_id: int, tracestate: str) -> SpanContext:
    flags, state = TraceFlags(TraceFlags.SAMPLED), TraceState.from_header([tracestate])
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags, trace_state=state)
