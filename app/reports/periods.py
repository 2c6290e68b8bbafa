"""The hours, days, weeks and months of a report, in the time zone of whoever reads it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.errors import InvalidInputError
from app.reports.rollup import SLOT_SECONDS

__all__ = ["Grain", "Period", "choose_zone", "list_periods", "read_zone"]

_MAX_PERIODS = 2400
"""A hundred days by hour, six years by day."""
_HOUR = timedelta(hours=1)


class Grain(StrEnum):
    """How long one row of a report is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """From Monday, as ISO 8601 has it."""
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """One row of a report."""

    start: datetime
    """When the hour, day, week or month begins, with the offset of the zone."""
    begin: int
    """Seconds since the epoch from which calls count; later than the start in a first period that is cut."""
    end: int
    """Seconds since the epoch until which they count, exclusive."""


def read_zone(name: str) -> ZoneInfo:
    """Find a time zone by its name in the IANA database; raises InvalidInputError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"`time_zone` names no zone of the IANA database: {name[:60]!r}; write one such as Europe/Helsinki"
        ) from error


def list_periods(begin: datetime, end: datetime, grain: Grain, zone: ZoneInfo) -> Sequence[Period]:
    """Cut a range into periods of the zone, whole half-hours all of them; calls at the end do not count any more.

    Raises InvalidInputError for a range that is empty or too long, and for a zone whose days begin within a half-hour.
    """
    first, last = _round_down(begin), _round_down(end - timedelta(microseconds=1)) + SLOT_SECONDS
    if begin >= end:
        raise InvalidInputError("the range is empty: `until` has to be later than `from`")
    periods: list[Period] = []
    starts = _list_starts(begin.astimezone(zone), grain, zone)
    start = next(starts)
    while start.timestamp() < last:
        if len(periods) == _MAX_PERIODS:
            raise InvalidInputError(
                f"the range has more than {_MAX_PERIODS} rows by {grain}: shorten it, or choose another `by`"
            )
        following = next(starts)
        if start.timestamp() % SLOT_SECONDS:
            raise InvalidInputError(
                f"days of `time_zone` {zone.key} begin within a half-hour of UTC: choose a neighbouring zone"
            )
        periods.append(
            Period(start, max(int(start.timestamp()), first), min(int(following.timestamp()), last)),
        )
        start = following
    return periods


def _round_down(moment: datetime) -> int:
    return int(moment.timestamp() // SLOT_SECONDS) * SLOT_SECONDS


def _list_starts(moment: datetime, grain: Grain, zone: ZoneInfo) -> Iterator[datetime]:
    """Go through the starts of periods, from that of the moment's own one; without end."""
    if grain is Grain.HOUR:
        # Hours are counted in UTC: the one that is repeated in autumn is two rows, the one left out in spring none.
        start = moment.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        while True:
            yield start.astimezone(zone)
            start += _HOUR
    day = moment.date()
    if grain is Grain.WEEK:
        day -= timedelta(days=day.weekday())
    elif grain is Grain.MONTH:
        day = day.replace(day=1)
    while True:
        # Through UTC, because a day may begin at an hour that the clock leaves out.
        yield datetime.combine(day, time(), zone).astimezone(UTC).astimezone(zone)
        day = _find_next(day, grain)


def _find_next(day: date, grain: Grain) -> date:
    if grain is Grain.MONTH:
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=7 if grain is Grain.WEEK else 1)


def choose_zone(name: str) -> ZoneInfo:
    """Return a zone, or UTC where its days begin within a half-hour, of which no figures are kept."""
    zone = ZoneInfo(name)
    begin = datetime(2026, 1, 5, tzinfo=zone)
    try:
        list_periods(begin, begin + timedelta(days=1), Grain.DAY, zone)
    except InvalidInputError:
        return ZoneInfo("UTC")
    return zone
