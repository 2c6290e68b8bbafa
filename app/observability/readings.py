"""What other parts count for themselves, read at the moment Prometheus asks: it costs the calls nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

__all__ = ["MirrorReadings", "Readings"]

_BREAKER_VALUES = {"closed": 0, "half_open": 1, "open": 2}
_MIRROR_VALUES = {"loading": 0, "following": 1, "behind": 2}


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
        if self.revision is not None:
            yield InfoMetricFamily(
                "smartrouting_ruleset", "The ruleset that decides.", {"revision": str(self.revision)}
            )


def _time_each(name: str, meaning: str, *, label: str, times: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, when in times.items():
        family.add_metric([value], when)
    return family
