"""Time as a parameter."""

from collections.abc import Callable
from datetime import datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the present moment with its time zone."""


class SkewedClock:
    """The organisation's clock, which can be put ahead of or behind everybody else's while it runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead_seconds = 0.0
        """How much it is ahead; negative for behind."""

    def __call__(self) -> datetime:
        """Return the present moment as the organisation sees it."""
        return self._clock() + timedelta(seconds=self.ahead_seconds)
