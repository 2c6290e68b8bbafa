"""How far the synchronisation of calls is, for metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["EnterpriseCallReadings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterpriseCallReadings:
    """Its state a moment ago."""

    running: bool = False
    lag_seconds: float | None = None
    """Since when changes of calls have not been read; `None` before the first time."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Outcome -> reason -> calls that are kept."""
    written: Mapping[str, int] = field(default_factory=dict)
    """What came of writing an activity -> how often, since the start."""

    def collect(self) -> Iterator[Metric]:
        """Yield the readings as metric families."""
        meaning = "1 while calls are synchronised, 0 while that is stopped."
        yield GaugeMetricFamily("smartrouting_enterprise_calls_running", meaning, int(self.running))
        if self.lag_seconds is not None:
            meaning = "Since when changes of calls have not been read from Enreach."
            yield GaugeMetricFamily("smartrouting_enterprise_calls_lag_seconds", meaning, self.lag_seconds)
        kept = GaugeMetricFamily(
            "smartrouting_enterprise_calls", "Work calls that are kept, by outcome.", labels=["outcome", "reason"]
        )
        for outcome, reasons in self.counts.items():
            for reason, count in reasons.items():
                kept.add_metric([outcome, reason], count)
        yield kept
        pending = sum(self.counts.get("pending", {}).values())
        meaning = "Work calls that wait for the overnight run."
        yield GaugeMetricFamily("smartrouting_enterprise_calls_pending", meaning, pending)
        writes = CounterMetricFamily(
            "smartrouting_enterprise_calls_writes", "Activities that were written to Dynamics.", labels=["result"]
        )
        for result, count in self.written.items():
            writes.add_metric([result], count)
        yield writes
