"""How many requests may still be made within a sliding window."""

from collections import deque
from collections.abc import Callable

__all__ = ["RequestBudget"]


class RequestBudget:
    """Counts requests exactly, one by one, so that Dataverse never has to (Dataverse contract, section 5)."""

    def __init__(self, *, requests: int, seconds: float, monotonic: Callable[[], float]) -> None:
        """Allow so many requests (1 to 6,000 per user and web server) in any span of so many seconds (300)."""
        self._requests = requests
        self._seconds = seconds
        self._monotonic = monotonic
        self._spent: deque[float] = deque()

    @property
    def left(self) -> int:
        """How many requests may be made now."""
        self._slide()
        return self._requests - len(self._spent)

    def spend(self) -> float:
        """Take one request and return 0; or take none and return the seconds until one may be made."""
        now = self._slide()
        if len(self._spent) >= self._requests:
            return self._spent[0] + self._seconds - now
        self._spent.append(now)
        return 0.0

    def _slide(self) -> float:
        now = self._monotonic()
        while self._spent and self._spent[0] <= now - self._seconds:
            self._spent.popleft()
        return now
