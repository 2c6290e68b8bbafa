"""Runs a ruleset over recorded calls, beside the calls that are answered meanwhile."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.calls.store import DecisionFilter, DecisionStore
from app.rulesets.replay.replayer import Replayer
from app.rulesets.replay.result import ReplayResult

__all__ = ["ReplayPlan", "Slices", "run_replay"]

_SLICE_SECONDS = 0.001
_REST_SECONDS = 0.001
_REPORT_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """Which recorded calls to decide again."""

    since: float | None = None
    """Seconds since the epoch, inclusive."""
    until: float | None = None
    """Seconds since the epoch, exclusive."""
    queue_id: str | None = None
    sample: int | None = None
    """So many calls, spread evenly over those that fit, and the same each time; `None` takes all."""

    def make_filter(self) -> DecisionFilter:
        """Choose real calls whose caller was not erased since."""
        return DecisionFilter(since=self.since, until=self.until, queue_id=self.queue_id, drill=False, erased=False)

    async def count(self, decisions: DecisionStore) -> int:
        """Tell how many calls that is."""
        found = await decisions.count(self.make_filter())
        return found if self.sample is None else min(found, self.sample)


class Slices:
    """Works for a millisecond and rests for one, so that no call waits for a long task."""

    def __init__(self, *, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + _SLICE_SECONDS

    async def rest(self) -> None:
        """Give way when the slice is over."""
        if self._monotonic() >= self._ends:
            await asyncio.sleep(_REST_SECONDS)
            self._ends = self._monotonic() + _SLICE_SECONDS


async def run_replay(
    replayer: Replayer,
    plan: ReplayPlan,
    result: ReplayResult,
    *,
    decisions: DecisionStore,
    report: Callable[[int], Awaitable[bool]] | None = None,
) -> None:
    """Add every call of the plan to the result, unless `report` says to stop.

    `report` hears how many calls are done, about twice a second and at the end. Raises StoreError.
    """
    slices, done, reported = Slices(), 0, time.monotonic()
    async for record in decisions.stream(plan.make_filter(), sample=plan.sample):
        result.add(replayer, record)
        done += 1
        await slices.rest()
        if report is not None and time.monotonic() - reported >= _REPORT_SECONDS:
            if not await report(done):
                return
            reported = time.monotonic()
    if report is not None:
        await report(done)
