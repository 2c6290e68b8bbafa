"""Prometheus metrics, in a registry of their own: several applications in one process do not mix.

Labels are words from closed lists, never numbers, names or other values without bound. What other parts count for
themselves is read at the moment Prometheus asks: it costs the calls nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, Info, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from typing_extensions import override

from app.observability.enterprise_call_readings import EnterpriseCallReadings

__all__ = ["Metrics", "MirrorReadings", "Readings"]

_MIRROR_VALUES = {"loading": 0, "following": 1, "behind": 2}
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Fine below a second, where answers should be; the last is what Enreach waits (Enreach contract, section 1.2)."""
M = TypeVar("M", Counter, Histogram)
_BREAKER_VALUES = {"closed": 0, "half_open": 1, "open": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReadings:
    """The state of the mirror at one moment."""

    state: str
    """`loading`, `following` or `behind`."""
    lag_seconds: float | None
    """Since when changes may be missing; `None` before the first load has ended."""
    look_ups: Mapping[str, int]
    """Look-ups in the index since the start, by result."""
    changes: int
    """Changed rows that this process has taken over since its start."""
    changes_seconds: float
    """What the last of them took, from the question to the commit."""

    def collect(self) -> Iterator[Metric]:
        """Yield the readings as metric families."""
        state = _MIRROR_VALUES[self.state]
        yield GaugeMetricFamily("smartrouting_mirror_state", "Mirror: 0 loading, 1 following, 2 behind.", state)
        if self.lag_seconds is not None:
            yield GaugeMetricFamily(
                "smartrouting_mirror_lag_seconds",
                "Since when changes may be missing from the mirror.",
                self.lag_seconds,
            )
        look_ups = CounterMetricFamily("smartrouting_mirror_lookups", "Look-ups in the mirror.", labels=["result"])
        for result, count in self.look_ups.items():
            look_ups.add_metric([result], count)
        yield look_ups
        yield CounterMetricFamily("smartrouting_mirror_changes", "Changed rows taken over.", self.changes)
        meaning = "What the last changes took, from the question to the commit."
        yield GaugeMetricFamily("smartrouting_mirror_changes_seconds", meaning, self.changes_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The state of the service at one moment."""

    cache_requests: Mapping[str, int] = field(default_factory=dict)
    """Questions to the cache of callers since the start, by state: `fresh`, `stale`, `miss`, `negative`."""
    coalesced_look_ups: int = 0
    """Look-ups that joined one already under way, since the start."""
    breaker: str = "closed"
    """`closed`, `half_open` or `open`."""
    mirror: MirrorReadings | None = None
    """`None` when callers are looked up live only."""
    enterprise_calls: EnterpriseCallReadings | None = None
    """`None` before the synchronisation of calls was looked at."""
    store_writable: bool = True
    """Whether the database can be written."""
    journal_backlog: int = 0
    """Decisions not yet in the database."""
    journal_writable: bool = True
    """Whether decisions can be written down."""
    calls_waiting: int = 0
    """Calls that wait for a look-up."""
    event_loop_lag: float = 0.0
    """How late the event loop comes to what is due, in seconds; the worst of the last second or so."""
    key_use: Mapping[str, float] = field(default_factory=dict)
    """Label of a webhook credential -> its last use, in seconds since 1970."""
    secret_expiry: Mapping[str, float] = field(default_factory=dict)
    """Secret with a last day -> the beginning of that day, in seconds since 1970."""
    revision: int | None = None
    """The published ruleset, if any."""
    switches: Mapping[str, bool] = field(default_factory=dict)
    """Whether each switch is on."""

    def collect(self) -> Iterator[Metric]:
        """Yield the readings as metric families, the way a Prometheus registry does."""
        requests = CounterMetricFamily(
            "smartrouting_cache_requests", "Questions to the cache of callers.", labels=["state"]
        )
        for state, count in self.cache_requests.items():
            requests.add_metric([state], count)
        yield requests
        yield CounterMetricFamily(
            "smartrouting_lookups_coalesced", "Look-ups that joined one already under way.", self.coalesced_look_ups
        )
        yield GaugeMetricFamily(
            "smartrouting_breaker_state",
            "Circuit to Dataverse: 0 closed, 1 half-open, 2 open.",
            _BREAKER_VALUES[self.breaker],
        )
        if self.mirror is not None:
            yield from self.mirror.collect()
        if self.enterprise_calls is not None:
            yield from self.enterprise_calls.collect()
        yield GaugeMetricFamily(
            "smartrouting_store_writable", "1 while the database can be written, else 0.", int(self.store_writable)
        )
        yield GaugeMetricFamily(
            "smartrouting_journal_backlog", "Decisions not yet in the database.", self.journal_backlog
        )
        yield GaugeMetricFamily(
            "smartrouting_journal_writable",
            "1 while decisions can be written down, else 0.",
            int(self.journal_writable),
        )
        yield GaugeMetricFamily("smartrouting_calls_waiting", "Calls that wait for a look-up.", self.calls_waiting)
        yield GaugeMetricFamily(
            "smartrouting_event_loop_lag_seconds", "How late the event loop runs.", self.event_loop_lag
        )
        yield _time_each(
            "smartrouting_webhook_key_last_used_timestamp_seconds",
            "When each webhook credential was last used.",
            label="label",
            times=self.key_use,
        )
        yield _time_each(
            "smartrouting_secret_expiry_timestamp_seconds",
            "When each secret whose last day is known is to be gone.",
            label="secret",
            times=self.secret_expiry,
        )
        switches = GaugeMetricFamily("smartrouting_switch_on", "1 while a switch is on, else 0.", labels=["switch"])
        for name, on in self.switches.items():
            switches.add_metric([name], int(on))
        yield switches
        if self.revision is not None:
            yield InfoMetricFamily(
                "smartrouting_ruleset", "The ruleset that decides.", {"revision": str(self.revision)}
            )


class Metrics:
    """Counts and measures what happens to calls; one method for each thing that happens."""

    def __init__(self, *, version: str, deadline_ms: int) -> None:
        """Make the metrics; one bucket of the histograms ends exactly at the deadline."""
        self.answers = 0
        """Calls answered since the start, for alert rules."""
        self.late_answers = 0
        """Those of them that were answered after the deadline."""
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("smartrouting_build", "The running version.", registry=registry).info({"version": version})
        buckets = tuple(sorted({*_SECONDS, deadline_ms / 1000}))
        self._durations = _Children(
            Histogram(
                "smartrouting_decision_duration_seconds",
                "Time from the arrival of a call to its answer.",
                ["outcome"],
                buckets=buckets,
                registry=registry,
            )
        )
        self._look_ups = _Children(
            Histogram(
                "smartrouting_crm_lookup_duration_seconds",
                "Time of one look-up of a caller in Dataverse.",
                ["result"],
                buckets=buckets,
                registry=registry,
            )
        )
        self._decisions = _Children(
            Counter(
                "smartrouting_decisions",
                "Calls answered, by what was decided, who the caller was, and why the caller is not known.",
                ["outcome", "caller_status", "cause"],
                registry=registry,
            )
        )
        self._refusals = _Children(
            Counter("smartrouting_webhook_refusals", "Webhook requests turned away.", ["code"], registry=registry)
        )
        self._admin_refusals = _Children(
            Counter(
                "smartrouting_admin_refusals",
                "Requests to administrators' endpoints turned away for their credential or role.",
                ["code"],
                registry=registry,
            )
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
        """Count one answered call and its time; `cause` says why the caller is not known."""
        self._durations[(outcome,)].observe(seconds)
        self._decisions[outcome, caller_status, cause or "none"].inc()
        self.answers += 1

    def observe_look_up(self, result: str, seconds: float) -> None:
        """Take one look-up that reached Dataverse, and how it ended."""
        self._look_ups[(result,)].observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count a webhook request turned away, by the code of its problem."""
        self._refusals[(code,)].inc()

    def count_admin_refusal(self, code: str) -> None:
        """Count a request to an administrators' endpoint turned away, by the code of its problem."""
        self._admin_refusals[(code,)].inc()

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
        return generate_latest(_Joined(self._registry, readings)), CONTENT_TYPE_LATEST


class _Joined(Collector):
    """Two sources of metrics as one."""

    def __init__(self, registry: CollectorRegistry, readings: Readings) -> None:
        self._registry = registry
        self._readings = readings

    @override
    def collect(self) -> Iterator[Metric]:
        return chain(self._registry.collect(), self._readings.collect())


class _Children(dict[tuple[str, ...], M]):
    """The children of one labelled metric, made when first used: `labels()` costs more than counting."""

    def __init__(self, parent: M) -> None:
        super().__init__()
        self._parent: M = parent

    def __missing__(self, labels: tuple[str, ...]) -> M:
        child: M = self._parent.labels(*labels)
        self[labels] = child
        return child


def _time_each(name: str, meaning: str, *, label: str, times: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, when in times.items():
        family.add_metric([value], when)
    return family
