"""Opening-hours calendars as the ruleset file writes them."""

import re
from datetime import date
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import holidays
from pydantic import Field, PlainSerializer, PlainValidator, StringConstraints, field_validator, model_validator

from app.routing.documents import Part, refuse
from app.routing.registry import suggest

__all__ = ["Calendar", "CalendarException", "HolidayRegion", "Interval", "Weekday"]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Interval = tuple[int, int]
"""From minute to minute after midnight, the end excluded; an end above 1440 lies on the next day."""

_INTERVAL = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY = 24 * 60


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


IntervalText = Annotated[
    Interval,
    PlainValidator(_read_interval, json_schema_input_type=Annotated[str, StringConstraints(pattern=_INTERVAL.pattern)]),
    PlainSerializer(_write_interval),
]


class CalendarException(Part):
    """A date whose hours differ from those of its weekday."""

    date: date
    open: tuple[IntervalText, ...] = ()
    label: str = Field(default="", max_length=200)


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

    time_zone: str = Field(max_length=60)
    weekly: dict[Weekday, tuple[IntervalText, ...]] = Field(default={})
    """Hours by weekday; a weekday that is not named is closed."""
    exceptions: tuple[CalendarException, ...] = ()
    """Dates with other hours; they also win over holidays."""
    holidays: HolidayRegion | None = None
    """Public holidays, which are closed."""

    @field_validator("time_zone")
    @classmethod
    def _require_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError) as error:
            hint = suggest(name, available_timezones()) or "an IANA name like Europe/Helsinki"
            raise refuse("unknown-time-zone", f'no time zone is called "{name}"', hint) from error
        return name
