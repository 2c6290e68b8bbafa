"""Spans of time the call lists are asked for, cut into the windows the Enreach API allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

__all__ = ["MAX_WINDOW", "CallTime", "Period"]

MAX_WINDOW = timedelta(days=31)
"""The longest span of one request (Enreach contract, section 4.2)."""


class CallTime(StrEnum):
    """Which of a call's times a period is about."""

    STARTED = "started"
    MODIFIED = "modified"
    """Finds calls that were completed or corrected later; right for catching up."""


_KEYS = {CallTime.STARTED: ("StartTime", "EndTime"), CallTime.MODIFIED: ("ModifiedAfter", "ModifiedBefore")}


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, both aware; raises ValueError when they are not, or are the wrong way round."""

    start: datetime
    end: datetime
    of: CallTime = CallTime.STARTED

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("A period needs times with a zone")
        if self.end < self.start:
            raise ValueError("A period must not end before it starts")

    def split(self) -> Iterator["Period"]:
        """Yield the period as windows of 31 days at most; neighbours share their boundary, so no call falls between.

        The API knows whole seconds, so the outer ends are widened to them.
        """
        start = self.start.astimezone(UTC).replace(microsecond=0)
        end = -(-self.end.astimezone(UTC).timestamp() // 1)
        last = datetime.fromtimestamp(end, UTC)
        while last - start > MAX_WINDOW:
            yield Period(start, start + MAX_WINDOW, self.of)
            start += MAX_WINDOW
        yield Period(start, last, self.of)

    def describe(self) -> dict[str, str]:
        """Return the query parameters, in UTC as `YYYY-MM-DD HH:MM:SS`."""
        first, last = _KEYS[self.of]
        return {first: _write_moment(self.start), last: _write_moment(self.end)}


def _write_moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
