"""A second look for numbers that no notation finds."""

from collections.abc import Callable

from cachetools import TTLCache

from app.dataverse.client import RequestBudget
from app.directory.breaker import CircuitBreaker
from app.directory.limits import BreakerLimits, DirectoryLimits
from app.directory.live import LiveDirectory, LookUp
from app.directory.lookup import Answer, AwaitedUntil, Outage
from app.routing.callers import CallerStatus, Cause, Selection

__all__ = ["TolerantSearch"]

_LIMITS = DirectoryLimits(
    look_ups_at_once=2,
    numbers_per_look_up=1,
    queue_length=20,
    queue_seconds=2.0,
    look_up_seconds=2.0,
    # Dataverse throttles such questions for minutes, and asking on would make it longer (Dataverse contract, 4.3).
    breaker=BreakerLimits(consecutive_failures=2, open_seconds=300.0),
)
_WINDOW_SECONDS = 300.0
_NOT_FOUND_SECONDS = 3600.0
"""How long a number that was not found is not searched again: strangers call more than once."""


class TolerantSearch:
    """Finds a number whatever stands between its digits, which is a scan for the server, so it is done sparingly.

    Few searches at once, each with a short time, a budget and a circuit breaker of their own: whatever becomes of them,
    look-ups go on.
    """

    def __init__(
        self,
        *,
        look_up: LookUp,
        searches_per_window: int,
        size: int,
        monotonic: Callable[[], float],
        on_look_up: Callable[[str, float], None],
    ) -> None:
        """`searches_per_window` bounds the searches in 5 minutes, `size` the numbers remembered as not found.

        `on_look_up` is told of each search as that of `LiveDirectory` is.
        """
        self._directory = LiveDirectory(
            look_up=look_up,
            breaker=CircuitBreaker(limits=_LIMITS.breaker, monotonic=monotonic),
            limits=_LIMITS,
            monotonic=monotonic,
            on_look_up=on_look_up,
        )
        self._budget = RequestBudget(requests=searches_per_window, seconds=_WINDOW_SECONDS, monotonic=monotonic)
        self._not_found: TTLCache[str, bool] = TTLCache(size, ttl=_NOT_FOUND_SECONDS, timer=monotonic)

    async def ask(self, e164: str, selection: Selection, *, awaited_until: AwaitedUntil) -> Answer:
        """Return who has the number, nobody, or an Outage when it may not or cannot be searched now."""
        if e164 in self._not_found:
            return Outage(cause=Cause.NOT_FETCHED, detail="The number was searched a while ago")
        if self._budget.spend() > 0:
            return Outage(cause=Cause.THROTTLED, detail="The budget of searches is spent")
        answer = await self._directory.ask(e164, selection, awaited_until=awaited_until)
        if not isinstance(answer, Outage) and answer.status is CallerStatus.UNKNOWN:
            self._not_found[e164] = True
        return answer

    def forget(self, e164: str | None) -> None:
        """Have one number or all searched again."""
        if e164 is None:
            self._not_found.clear()
        else:
            self._not_found.pop(e164, None)

    async def aclose(self) -> None:
        """Give up what is under way."""
        await self._directory.aclose()
