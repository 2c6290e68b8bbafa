"""The components of reports, and what is counted for them beside calls."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.reports.rollup import find_slot
from app.reports.store import ReportStore

__all__ = ["ReportComponents", "ReportsState", "save_requests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportComponents:
    """What the routes of this capability use."""

    store: ReportStore
    clock: Callable[[], float]


class ReportsState(TypedDict):
    """Its place in the lifespan state."""

    reports: ReportComponents


async def save_requests(
    store: ReportStore, take_counts: Callable[[], tuple[int, int]], *, clock: Callable[[], float]
) -> None:
    """Save how many requests Dataverse got since the last time. Raises StoreError."""
    for_calls, for_others = take_counts()
    counts = {"calls": for_calls, "other": for_others}
    if any(counts.values()):
        await store.add_requests(find_slot(clock()), {purpose: count for purpose, count in counts.items() if count})
