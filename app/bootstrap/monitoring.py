"""What health and metrics read of the components."""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from app.bootstrap.foundation import Foundation
from app.observability.metrics import Readings
from app.web.health import Dependency, Health, judge

__all__ = ["make_health", "read_metrics"]


def read_metrics(foundation: Foundation) -> Readings:
    """Read what the components count for themselves, at the moment Prometheus asks."""
    directory = foundation.directory.statistics()
    states = {name: getattr(directory, name) for name in ("fresh", "stale", "miss", "negative")}
    return Readings(
        cache_requests=states,
        coalesced_look_ups=directory.coalesced,
        breaker=directory.breaker.value,
        store_writable=foundation.stores.health.error is None,
        journal_backlog=foundation.journal.backlog,
        journal_writable=foundation.journal.health.writable,
        calls_waiting=foundation.load_shedding.waiting,
        event_loop_lag=foundation.load_shedding.lag,
        key_use=foundation.key_use.last_used,
        secret_expiry=_list_last_days(foundation.settings.webhook.retiring),
        revision=foundation.live_ruleset.current().revision,
    )


def make_health(foundation: Foundation) -> Health:
    """Make the checks of Dataverse, the database and the journal."""

    async def check_store() -> Dependency:
        error = foundation.stores.health.error
        return Dependency("store", "ok") if error is None else Dependency("store", "down", error.detail)

    async def check_journal() -> Dependency:
        health = foundation.journal.health
        return Dependency("journal", "ok" if health.writable else "degraded", health.detail)

    return Health(
        (
            judge("dataverse", foundation.organisation.client.ping),
            check_store,
            check_journal,
        )
    )


def _list_last_days(retiring: Mapping[str, date]) -> dict[str, float]:
    return {
        f"webhook:{label}": datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        for label, day in retiring.items()
    }
