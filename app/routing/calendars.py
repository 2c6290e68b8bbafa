"""Opening-hours calendars: as the ruleset file writes them, and when they are open by the clock of their time zone.

A calendar is open exactly when its local clock shows a time within an interval of that day, or within one that began
the day before and passes midnight. So an hour that daylight saving skips is never open, and one it repeats is open
twice. An exception replaces the hours that begin on its dates; a public holiday has none. Dates are single ones, ranges
with both ends, and either of these every year: `2026-12-24`, `2026-06-06/2026-08-11`, `12-24`, `12-22/01-06`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import holidays
from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    model_validator,
)

from app.routing.documents import Part, refuse
from app.routing.registry import suggest

__all__ = [
    "WEEKDAYS",
    "Calendar",
    "CalendarException",
    "Days",
    "HolidayRegion",
    "Interval",
    "OpeningHours",
    "TimeZone",
    "Weekday",
    "find_exception",
    "is_open",
    "next_change",
]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Interval = tuple[int, int]
"""From minute to minute after midnight, the end excluded; an end above 1440 lies on the next day."""

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_INTERVAL = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAYS_PATTERN = r"^(\d{4}-\d\d-\d\d(/\d{4}-\d\d-\d\d)?|\d\d-\d\d(/\d\d-\d\d)?)$"
_DAY = 24 * 60
_LEAP_YEAR, _MONTH_AND_DAY = 2000, len("12-24")
"""In which dates of every year are kept, since it has all of them; and how such a date is told."""
_YEAR = timedelta(days=366)
_HORIZON = 400
"""Days searched for a change: more than a year, so that whatever comes back every year is found."""
_YEARS_KEPT = 16
_DAYS_KEPT = 512


def _read_interval(value: object) -> Interval:
    found = _INTERVAL.fullmatch(value) if isinstance(value, str) else None
    start, end = (_read_minutes(found[1], found[2]), _read_minutes(found[3], found[4])) if found else (0, 0)
    if start == end or end > _DAY:
        raise refuse("wrong-interval", "must be an interval like 08:00-16:00", "the whole day is 00:00-24:00")
    return (start, end if end > start else end + _DAY)


def _read_minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


def _write_interval(interval: Interval) -> str:
    start, end = interval
    end = end if end <= _DAY else end - _DAY
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def _require_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        hint = suggest(name, available_timezones()) or "an IANA name like Europe/Helsinki"
        raise refuse("unknown-time-zone", f'no time zone is called "{name}"', hint) from error
    return name


TimeZone = Annotated[str, Field(max_length=60), AfterValidator(_require_zone)]
"""The name of a time zone of the IANA database."""
IntervalText = Annotated[
    Interval,
    PlainValidator(_read_interval, json_schema_input_type=Annotated[str, StringConstraints(pattern=_INTERVAL.pattern)]),
    PlainSerializer(_write_interval),
]


@dataclass(frozen=True, slots=True)
class Days:
    """The days from the first to the last, both included; in one year, or in every year."""

    first: date
    last: date
    yearly: bool
    """Only month and day count, and a range may pass the end of the year."""

    def hold(self, day: date) -> bool:
        """Tell whether the day is one of them."""
        if not self.yearly:
            return self.first <= day <= self.last
        first, last, here = _in_year(self.first), _in_year(self.last), _in_year(day)
        return first <= here <= last if first <= last else here >= first or here <= last

    def cover(self, other: "Days") -> bool:
        """Tell whether every one of the other days is one of these too."""
        if not self.yearly:
            return not other.yearly and self.first <= other.first and other.last <= self.last
        length = other.last - other.first
        if not other.yearly and length >= _YEAR:
            return False
        days = length.days if length >= timedelta() else length.days + 366
        return all(self.hold(other.first + timedelta(days=past)) for past in range(days + 1))


def _in_year(day: date) -> tuple[int, int]:
    return day.month, day.day


def _read_days(value: object) -> Days:
    texts = value.split("/") if isinstance(value, str) and re.fullmatch(_DAYS_PATTERN, value, re.ASCII) else []
    yearly = bool(texts) and len(texts[0]) == _MONTH_AND_DAY
    try:
        days = [date.fromisoformat(f"{_LEAP_YEAR}-{text}" if yearly else text) for text in texts]
        first, last = days[0], days[-1]
    except (ValueError, IndexError) as error:
        hint = "write 2026-12-24, 12-24 for every year, or a range like 2026-06-06/2026-08-11 or 12-22/01-06"
        raise refuse("wrong-date", "must be a date, or the first and the last date of a range", hint) from error
    if not yearly and last < first:
        raise refuse("wrong-date", "the range ends before it begins", "swap its two dates")
    return Days(first, last, yearly)


def _write_days(days: Days) -> str:
    texts = [f"{day:%m-%d}" if days.yearly else day.isoformat() for day in (days.first, days.last)]
    return "/".join(dict.fromkeys(texts))


DaysText = Annotated[
    Days,
    PlainValidator(_read_days, json_schema_input_type=Annotated[str, StringConstraints(pattern=_DAYS_PATTERN)]),
    PlainSerializer(_write_days),
]


class CalendarException(Part):
    """Dates whose hours differ from those of their weekdays: one `date`, or a list of `dates`."""

    date: DaysText | None = None
    """`2026-12-24`, `12-24` for every year, or a range of either, such as `2026-06-06/2026-08-11`."""
    dates: tuple[DaysText, ...] = Field(default=(), max_length=200)
    """Several of them with the same hours, e.g. the school holidays of some years."""
    open: tuple[IntervalText, ...] = ()
    label: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _require_dates(self) -> Self:
        if (self.date is None) is (not self.dates):
            raise refuse("no-date", "needs either `date` or `dates`", "`dates` is a list")
        return self

    @property
    def days(self) -> tuple[Days, ...]:
        """All its dates."""
        return self.dates if self.date is None else (self.date,)


class HolidayRegion(Part):
    """Where public holidays close the calendar (ISO 3166-1 country and subdivision, as the `holidays` library has)."""

    country: str = Field(min_length=2, max_length=3)
    subdivision: str | None = Field(default=None, max_length=20)

    @model_validator(mode="after")
    def _require_known(self) -> Self:
        regions = holidays.list_supported_countries()
        if self.country not in regions:
            hint = suggest(self.country, regions) or "an ISO 3166-1 code like FI"
            raise refuse("unknown-country", f'no holidays are known for "{self.country}"', hint)
        if self.subdivision is not None and self.subdivision not in regions[self.country]:
            known = ", ".join(regions[self.country]) or "none"
            raise refuse("unknown-subdivision", f"no subdivision of {self.country}", f"known are: {known}")
        return self


class Calendar(Part):
    """When a service is open, by the clock of its time zone."""

    time_zone: TimeZone
    weekly: dict[Weekday, tuple[IntervalText, ...]] = Field(default={})
    """Hours by weekday; a weekday that is not named is closed."""
    exceptions: tuple[CalendarException, ...] = ()
    """Dates with other hours; they also win over holidays. Of several for one day the last in the list counts."""
    holidays: HolidayRegion | None = None
    """Public holidays, which are closed."""


def is_open(calendar: Calendar, now: datetime) -> bool:
    """Tell whether the calendar is open at an aware moment."""
    return OpeningHours(calendar).is_open(now)


def next_change(calendar: Calendar, now: datetime) -> datetime | None:
    """Tell when, after an aware moment, the calendar opens or closes next, in UTC; `None` for not within a year."""
    return OpeningHours(calendar).next_change(now)


def find_exception(calendar: Calendar, day: date) -> CalendarException | None:
    """Return the exception that gives the hours of a day."""
    for exception in reversed(calendar.exceptions):
        if any(days.hold(day) for days in exception.days):
            return exception
    return None


class OpeningHours:
    """A calendar made ready for many questions; the holidays of a year are worked out once."""

    def __init__(self, calendar: Calendar) -> None:
        self._zone = ZoneInfo(calendar.time_zone)
        self._weekly = tuple(calendar.weekly.get(day, ()) for day in WEEKDAYS)
        self._calendar = calendar
        self._region = calendar.holidays
        self._find_holidays = lru_cache(maxsize=_YEARS_KEPT)(_find_holidays)
        self._hours_of = lru_cache(maxsize=_DAYS_KEPT)(self._find_hours)

    def is_open(self, now: datetime) -> bool:
        """Tell whether it is open at an aware moment."""
        local = now.astimezone(self._zone)
        minute, today = local.hour * 60 + local.minute, local.date()
        return _holds(self._hours_of(today), minute) or _holds(self._hours_of(_shift(today, -1)), minute + _DAY)

    def next_change(self, now: datetime) -> datetime | None:
        """Tell when it opens or closes next after an aware moment, in UTC; `None` for not within 400 days."""
        state, today = self.is_open(now), now.astimezone(self._zone).date()
        moments = (moment for days in range(_HORIZON) for moment in self._list_moments(_shift(today, days)))
        return next((moment for moment in moments if moment > now and self.is_open(moment) != state), None)

    def _find_hours(self, day: date) -> tuple[Interval, ...]:
        if (exception := find_exception(self._calendar, day)) is not None:
            return exception.open
        if self._region is not None and day in self._find_holidays(self._region, day.year):
            return ()
        return self._weekly[day.weekday()]

    def _list_moments(self, day: date) -> list[datetime]:
        """List, in order, every moment of a day at which the answer may change."""
        minutes = {0, *(minute for interval in self._hours_of(day) for minute in interval if minute < _DAY)}
        minutes |= {end - _DAY for _, end in self._hours_of(_shift(day, -1)) if end > _DAY}
        return sorted({*self._place(day, minutes), *self._find_clock_change(day)})

    def _place(self, day: date, minutes: set[int]) -> Iterator[datetime]:
        """Turn readings of the wall clock into moments; a reading that comes twice gives both."""
        for minute in minutes:
            reading = datetime.combine(day, time(minute // 60, minute % 60), self._zone)
            yield reading.astimezone(UTC)
            yield reading.replace(fold=1).astimezone(UTC)

    def _find_clock_change(self, day: date) -> Iterator[datetime]:
        start, end = (
            datetime.combine(midnight, time(), self._zone).astimezone(UTC) for midnight in (day, _shift(day, 1))
        )
        if self._offset_at(start) == self._offset_at(end):
            return
        while end - start > timedelta(minutes=1):
            middle = start + timedelta(minutes=int((end - start) / timedelta(minutes=2)))
            start, end = (middle, end) if self._offset_at(middle) == self._offset_at(start) else (start, middle)
        yield end

    def _offset_at(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self._zone).utcoffset()


def _shift(day: date, days: int) -> date:
    return day + timedelta(days=days)


def _holds(intervals: tuple[Interval, ...], minute: int) -> bool:
    return any(start <= minute < end for start, end in intervals)


def _find_holidays(region: HolidayRegion, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(region.country, subdiv=region.subdivision, years=year))
