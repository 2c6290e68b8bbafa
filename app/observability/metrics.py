"""Prometheus metrics, in a registry of their own: several applications in one process do not mix.

Labels are words from closed lists, never numbers, names or other values without bound.
"""

from collections.abc import Iterator
from itertools import chain

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, Info, generate_latest
from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from typing_extensions import override

from app.observability.readings import Readings

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Fine below a second, where answers should be; the last is what Enreach waits (Enreach contract, section 1.2)."""


class Metrics:
    """Counts and measures what happens to calls; one method for each thing that happens.

    The children of labelled metrics are looked up once and kept, since `labels()` costs more than counting.
    """

    def __init__(self, *, version: str, deadline_ms: int) -> None:
        """Make the metrics; one bucket of the histograms ends exactly at the deadline."""
        self.answers = 0
        """Calls answered since the start, for whoever compares."""
        self.late_answers = 0
        """Those of them that were answered after the deadline."""
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("smartrouting_build", "The running version.", registry=registry).info({"version": version})
        buckets = tuple(sorted({*_SECONDS, deadline_ms / 1000}))
        self._durations = _Histograms(
            Histogram(
                "smartrouting_decision_duration_seconds",
                "Time from the arrival of a call to its answer.",
                ["outcome"],
                buckets=buckets,
                registry=registry,
            )
        )
        self._look_ups = _Histograms(
            Histogram(
                "smartrouting_crm_lookup_duration_seconds",
                "Time of one look-up of a caller in Dataverse.",
                ["result"],
                buckets=buckets,
                registry=registry,
            )
        )
        self._decisions = _Counters(
            Counter(
                "smartrouting_decisions",
                "Calls answered, by what was decided, who the caller was, and why nobody knows if nobody does.",
                ["outcome", "caller_status", "cause"],
                registry=registry,
            )
        )
        self._refusals = _Counters(
            Counter("smartrouting_webhook_refusals", "Webhook requests turned away.", ["code"], registry=registry)
        )
        self._misses = Counter("smartrouting_deadline_misses", "Answers sent after the deadline.", registry=registry)
        self._journal_failures = Counter(
            "smartrouting_journal_failures", "Decisions the journal could not take.", registry=registry
        )
        self._shed = Counter("smartrouting_shed", "Calls answered early because of overload.", registry=registry)
        self._divergences = Counter(
            "smartrouting_shadow_divergence", "Calls a shadow ruleset would decide otherwise.", registry=registry
        )

    def record_decision(self, *, outcome: str, caller_status: str, cause: str | None, seconds: float) -> None:
        """Count one answered call and its time; `cause` says why nobody knows the caller."""
        self._durations[outcome].observe(seconds)
        self._decisions[outcome, caller_status, cause or "none"].inc()
        self.answers += 1

    def observe_look_up(self, result: str, seconds: float) -> None:
        """Take one look-up that reached Dataverse, and how it ended."""
        self._look_ups[result].observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count a webhook request turned away, by the code of its problem."""
        self._refusals[(code,)].inc()

    def count_deadline_miss(self) -> None:
        """Count an answer that left after the deadline."""
        self._misses.inc()
        self.late_answers += 1

    def count_journal_failure(self) -> None:
        """Count a decision that was answered and could not be written down."""
        self._journal_failures.inc()

    def count_shed_call(self) -> None:
        """Count a call answered early because too many were under way."""
        self._shed.inc()

    def count_divergence(self) -> None:
        """Count a call that a shadow ruleset would have decided otherwise."""
        self._divergences.inc()

    def render(self, readings: Readings) -> tuple[bytes, str]:
        """Return everything, with what other parts count, in Prometheus' text format, and its content type."""
        both = CollectorRegistry()
        both.register(_Joined(self._registry, readings))
        return generate_latest(both), CONTENT_TYPE_LATEST


class _Joined(Collector):
    """Two sources of metrics as one."""

    def __init__(self, registry: CollectorRegistry, readings: Readings) -> None:
        self._registry = registry
        self._readings = readings

    @override
    def collect(self) -> Iterator[Metric]:
        return chain(self._registry.collect(), self._readings.collect())


class _Counters(dict[tuple[str, ...], Counter]):
    """The children of one counter, made when first counted."""

    def __init__(self, parent: Counter) -> None:
        super().__init__()
        self._parent = parent

    def __missing__(self, labels: tuple[str, ...]) -> Counter:
        child = self[labels] = self._parent.labels(*labels)
        return child


class _Histograms(dict[str, Histogram]):
    """The children of one histogram with a single label, made when first observed."""

    def __init__(self, parent: Histogram) -> None:
        super().__init__()
        self._parent = parent

    def __missing__(self, label: str) -> Histogram:
        child = self[label] = self._parent.labels(label)
        return child
