"""How far the mirror is, for metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["MirrorReadings"]

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
