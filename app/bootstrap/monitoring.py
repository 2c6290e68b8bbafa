"""What health and metrics read of the components."""

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import partial

from app.bootstrap.foundation import Foundation
from app.bootstrap.mirror import Mirror
from app.directory.mirror.status import MirrorState
from app.observability.enterprise_call_readings import EnterpriseCallReadings
from app.observability.metrics import MirrorReadings, Readings
from app.web.health import Dependency, Health, State, judge

__all__ = ["describe_mirror", "make_health", "read_metrics"]


def read_metrics(
    foundation: Foundation, enterprise_calls: EnterpriseCallReadings | None, registered: Mapping[str, float]
) -> Readings:
    """Read what the components count for themselves, at the moment Prometheus asks.

    `registered` tells when credentials of app registrations expire, in seconds since the epoch.
    """
    directory, mirror = foundation.directory.statistics(), foundation.mirror
    states = {name: getattr(directory, name) for name in ("fresh", "stale", "miss", "negative")}
    return Readings(
        cache_requests=states,
        coalesced_look_ups=directory.coalesced,
        breaker=directory.breaker.value,
        mirror=None if mirror is None else _read_mirror(mirror),
        enterprise_calls=enterprise_calls,
        store_writable=foundation.stores.health.error is None,
        journal_backlog=foundation.journal.backlog,
        journal_writable=foundation.journal.health.writable,
        calls_waiting=foundation.load_shedding.waiting,
        event_loop_lag=foundation.load_shedding.lag,
        key_use=foundation.key_use.last_used,
        secret_expiry={
            **_list_last_days(foundation.settings.webhook.retiring),
            **{f"app-registration:{name}": at for name, at in registered.items()},
        },
        revision=foundation.live_ruleset.current().revision,
        switches=_read_switches(foundation),
    )


def _read_switches(foundation: Foundation) -> dict[str, bool]:
    now = foundation.upstreams.clock()
    return {name: switch.is_on(now) for name, switch in foundation.live_data.current().switches.items()}


def make_health(foundation: Foundation) -> Health:
    """Make the checks of Dataverse, the database, the journal and the mirror, where there is one."""

    async def check_store() -> Dependency:
        error = foundation.stores.health.error
        return Dependency("store", "ok") if error is None else Dependency("store", "down", error.detail)

    async def check_journal() -> Dependency:
        health = foundation.journal.health
        return Dependency("journal", "ok" if health.writable else "degraded", health.detail)

    return Health(
        (
            judge("dataverse", foundation.organisation.people.ping, monotonic=time.monotonic),
            check_store,
            check_journal,
            *([] if foundation.mirror is None else [partial(_check_mirror, foundation.mirror)]),
        )
    )


def describe_mirror(mirror: Mirror) -> str:
    """Say what the mirror is at and what keeps it from going on; empty while it follows and nothing is wrong."""
    reading, failure = mirror.status.read(), mirror.follower.failure
    words = []
    if reading.state is MirrorState.LOADING:
        words.append(f"loading: {reading.loaded_records or 0} records read; callers are looked up live")
    elif reading.state is MirrorState.BEHIND:
        words.append(f"behind: changes of the last {reading.lag_seconds or 0:.0f} s are missing")
    return "; ".join([*words, *([failure] if failure else [])])


async def _check_mirror(mirror: Mirror) -> Dependency:
    follows = mirror.status.read().state is MirrorState.FOLLOWING
    state: State = "ok" if follows else "degraded"
    return Dependency("mirror", state, describe_mirror(mirror))


def _read_mirror(mirror: Mirror) -> MirrorReadings:
    reading, counts = mirror.status.read(), mirror.directory.counts
    return MirrorReadings(
        state=reading.state.value,
        lag_seconds=reading.lag_seconds,
        look_ups={name: getattr(counts, name) for name in ("hit", "miss", "stranger", "uncovered", "unread")},
        changes=mirror.follower.changes,
        changes_seconds=mirror.follower.changes_seconds,
    )


def _list_last_days(retiring: Mapping[str, date]) -> dict[str, float]:
    return {
        f"webhook:{label}": datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        for label, day in retiring.items()
    }
