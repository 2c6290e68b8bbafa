"""Calendars and rotas that cannot be meant: dates that never count, and dates that are over."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from app.errors import Finding
from app.routing.calendars import Calendar
from app.routing.documents import join_pointer
from app.routing.ruleset import Ruleset

__all__ = ["find_calendar_faults"]

_MAX_COMPARED = 400
"""Later exceptions that one is compared with."""


def find_calendar_faults(ruleset: Ruleset, now: float | None) -> Iterator[Finding]:
    """Warn of exceptions whose dates all belong to later ones, and of lists of dates that are all past.

    `now` is in seconds since the epoch; without it nothing is past.
    """
    for name, calendar in ruleset.calendars.items():
        pointer = join_pointer("calendars", name, "exceptions")
        yield from _find_hidden(calendar, pointer)
        if now is not None:
            yield from _find_past(calendar, pointer, datetime.fromtimestamp(now, UTC))


def _find_hidden(calendar: Calendar, pointer: str) -> Iterator[Finding]:
    for index, exception in enumerate(calendar.exceptions):
        later = [days for each in islice(calendar.exceptions, index + 1, index + _MAX_COMPARED) for days in each.days]
        if all(any(other.cover(days) for other in later) for days in exception.days):
            message = "a later exception has all these dates too, and the last one counts"
            yield _warn("hidden-exception", f"{pointer}/{index}", message, "move this one behind it, or remove it")


def _find_past(calendar: Calendar, pointer: str, now: datetime) -> Iterator[Finding]:
    for index, exception in enumerate(calendar.exceptions):
        if exception.dates and all(not days.yearly and days.last < now.date() for days in exception.dates):
            message = f"the last of these dates was {max(days.last for days in exception.dates)}"
            yield _warn("past-dates", f"{pointer}/{index}/dates", message, "add the next ones, or remove the list")


def _warn(code: str, pointer: str, message: str, hint: str) -> Finding:
    return Finding(code=code, pointer=pointer, message=message, hint=hint, severity="warning")
