"""How many requests may still be made within a sliding window."""

import math
from collections import deque
from collections.abc import Callable

__all__ = ["RequestBudget"]


class RequestBudget:
    """Counts requests exactly, one by one, so that Dataverse never has to (Dataverse contract, section 5).

    Work that can wait keeps away from the last requests of a window, which are for calls.
    """

    def __init__(self, *, requests: int, seconds: float, monotonic: Callable[[], float]) -> None:
        """Allow so many requests (1 to 6,000 per user and web server) in any span of so many seconds (300)."""
        self._requests = requests
        self._seconds = seconds
        self._monotonic = monotonic
        self._spent: deque[float] = deque()
        self._closed_until = -math.inf

    def spend(self, *, share: float = 1.0) -> float:
        """Take one request and return 0; or take none and return the seconds until one may be made.

        `share` is how much of the budget may be spent when this request is, above 0 to 1.
        """
        seconds = self.foresee(share=share)
        if seconds <= 0:
            self._spent.append(self._monotonic())
        return seconds

    def foresee(self, *, share: float = 1.0) -> float:
        """Return the seconds until a request of this share may be made, 0 when it may be made now."""
        now = self._slide()
        most = max(1, math.floor(self._requests * share))
        over = len(self._spent) - most
        opens = self._closed_until if over < 0 else max(self._closed_until, self._spent[over] + self._seconds)
        return max(0.0, opens - now)

    @property
    def closed(self) -> bool:
        """Whether nothing is allowed because `close` said so, whatever has been spent."""
        return self._monotonic() < self._closed_until

    def close(self, seconds: float) -> None:
        """Allow nothing for so many seconds, or for longer if that was said before."""
        self._closed_until = max(self._closed_until, self._monotonic() + seconds)

    def _slide(self) -> float:
        now = self._monotonic()
        while self._spent and self._spent[0] <= now - self._seconds:
            self._spent.popleft()
        return now
