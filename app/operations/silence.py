"""The silence alert: a queue that stopped asking.

Everybody is warned of errors; that no call comes at all looks like success, and may mean that the queue was
reconfigured, a key was revoked, or a name no longer resolves.

A queue's usual gap is one that 19 of 20 of its gaps of the last two weeks do not exceed, counting only the time in
which the service is open. A queue is silent after three times that gap, and never before five minutes. (Three times the
mean gap would fire in every twentieth gap of calls that come at random.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from app.calls.store import CallTimes
from app.observability.redaction import redact_identifier
from app.operations.alert_rules import FiringAlert

__all__ = ["SilenceWatch"]

_HISTORY_SECONDS = 14 * 86_400.0
_LEARN_EVERY = 3600.0
_MAX_CALLS = 500
_MIN_GAPS = 20
_USUAL_SHARE = 0.95
_TOLERATED = 3.0
_SHORTEST_SILENCE = 300.0
_STEP = 300.0
"""Seconds between the moments at which opening hours are looked up."""

IsOpen = Callable[[datetime], bool]


@dataclass(frozen=True, slots=True)
class _Habit:
    """How often a queue calls."""

    gap: float
    """Seconds of open time."""
    hours: frozenset[tuple[int, int]]
    """Weekday and hour, in UTC, in which it has called."""


class SilenceWatch:
    """Learns every hour how often each queue calls, and finds those that are silent for too long."""

    def __init__(
        self, *, times: CallTimes, read_hours: Callable[[], Sequence[IsOpen]], clock: Callable[[], float]
    ) -> None:
        """`read_hours` gives the calendars of the live rules: the service is open while one of them is.

        Without any, a queue's hours are those of the week in which it has called before.
        """
        self._times = times
        self._read_hours = read_hours
        self._clock = clock
        self._habits: dict[str, _Habit] = {}
        self._learned_at = float("-inf")

    async def find(self) -> Sequence[FiringAlert]:
        """Find the queues that should have called by now. Raises StoreError."""
        now = self._clock()
        if now - self._learned_at >= _LEARN_EVERY:
            await self._learn(now)
        return [alert for queue, habit in self._habits.items() if (alert := await self._judge(queue, habit, now))]

    async def _learn(self, now: float) -> None:
        since = now - _HISTORY_SECONDS
        habits = {}
        for queue in await self._times.list_queues(since):
            times = await self._times.list_latest(queue, since=since, limit=_MAX_CALLS)
            if len(times) > _MIN_GAPS:
                habits[queue] = self._read_habit(times)
        self._habits, self._learned_at = habits, now

    def _read_habit(self, times: Sequence[float]) -> _Habit:
        hours = frozenset(_name_hour(datetime.fromtimestamp(time, UTC)) for time in times)
        is_open = self._make_clock(hours)
        gaps = sorted(_measure_open(earlier, later, is_open) for later, earlier in pairwise(times))
        return _Habit(gaps[int(len(gaps) * _USUAL_SHARE)], hours)

    async def _judge(self, queue: str, habit: _Habit, now: float) -> FiringAlert | None:
        is_open = self._make_clock(habit.hours)
        if not is_open(datetime.fromtimestamp(now, UTC)):
            return None
        latest = await self._times.list_latest(queue, since=now - _HISTORY_SECONDS, limit=1)
        if not latest:
            return None
        silent = _measure_open(latest[0], now, is_open)
        if silent <= max(_TOLERATED * habit.gap, _SHORTEST_SILENCE):
            return None
        shown = redact_identifier(queue)
        message = (
            f"The queue {shown} has not called for {silent / 60:.0f} minutes of opening hours; "
            f"it usually calls at least every {max(habit.gap / 60, 1):.0f} minutes."
        )
        facts = {"queue_id": shown, "silent_seconds": round(silent), "usual_gap_seconds": round(habit.gap)}
        return FiringAlert(subject=shown, message=message, facts=facts)

    def _make_clock(self, hours: frozenset[tuple[int, int]]) -> IsOpen:
        if calendars := tuple(self._read_hours()):
            return lambda moment: any(is_open(moment) for is_open in calendars)
        return lambda moment: _name_hour(moment) in hours


def _name_hour(moment: datetime) -> tuple[int, int]:
    return moment.weekday(), moment.hour


def _measure_open(start: float, end: float, is_open: IsOpen) -> float:
    """Add up the open time between two moments, in steps."""
    total = 0.0
    while start < end:
        step = min(_STEP, end - start)
        total += step if is_open(datetime.fromtimestamp(start + step / 2, UTC)) else 0.0
        start += step
    return total
