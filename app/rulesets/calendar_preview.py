"""What a calendar says about a moment, and why."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import holidays

from app.errors import NotFoundError
from app.routing.calendars import WEEKDAYS, Calendar, Interval, find_exception, is_open, next_change
from app.routing.registry import suggest
from app.routing.rotas import Rota
from app.routing.ruleset import Ruleset

__all__ = ["CalendarPreview", "choose_calendar", "choose_rota", "preview"]

_DAY = 24 * 60
_LANGUAGE = "en_US"
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class CalendarPreview:
    """The state of a calendar at a moment."""

    open: bool
    local: datetime
    """The moment by the clock of the calendar's time zone."""
    next_change: datetime | None
    """When it opens or closes next, in UTC; `None` for not within 400 days."""
    decided_by: str
    """`exception`, `holiday` or `weekly`: what gives the hours of that local day."""
    label: str
    """The name of the exception, the holiday or the weekday."""
    hours: tuple[str, ...]
    """The hours that begin on that day."""
    from_day_before: bool
    """Whether it is open by hours that began the day before."""


def choose_calendar(ruleset: Ruleset, name: str | None) -> tuple[str, Calendar]:
    """Return the calendar of that name, or the default one; raises NotFoundError."""
    chosen = name or ruleset.main_calendar
    if chosen is None:
        raise NotFoundError("the ruleset has no default calendar; name one")
    calendar = ruleset.calendars.get(chosen)
    if calendar is None:
        raise NotFoundError(
            f"the ruleset has no calendar {chosen!r}; {suggest(chosen, ruleset.calendars)}".rstrip("; ")
        )
    return chosen, calendar


def choose_rota(ruleset: Ruleset, name: str) -> Rota:
    """Return the rota of that name; raises NotFoundError."""
    if name not in ruleset.rotas:
        raise NotFoundError(f"the ruleset has no rota {name!r}; {suggest(name, ruleset.rotas)}".rstrip("; "))
    return ruleset.rotas[name]


def preview(calendar: Calendar, at: datetime) -> CalendarPreview:
    """Tell what a calendar says about an aware moment; daylight saving counts as `app.routing.calendars` describes."""
    local = at.astimezone(ZoneInfo(calendar.time_zone))
    decided_by, label, hours = _find_hours(calendar, local.date())
    state, minute = is_open(calendar, at), local.hour * 60 + local.minute
    today = any(start <= minute < end for start, end in hours)
    change = next_change(calendar, at)
    return CalendarPreview(
        open=state,
        local=local,
        next_change=None if change is None else change.astimezone(UTC),
        decided_by=decided_by,
        label=label,
        hours=tuple(_spell(interval) for interval in hours),
        from_day_before=state and not today,
    )


def _find_hours(calendar: Calendar, day: date) -> tuple[str, str, tuple[Interval, ...]]:
    if (exception := find_exception(calendar, day)) is not None:
        return "exception", exception.label or f"exception for {day.isoformat()}", exception.open
    if holiday := _find_holiday(calendar, day):
        return "holiday", holiday, ()
    return "weekly", _NAMES[day.weekday()], calendar.weekly.get(WEEKDAYS[day.weekday()], ())


def _find_holiday(calendar: Calendar, day: date) -> str | None:
    region = calendar.holidays
    if region is None:
        return None
    # Without a language the library takes that of the environment.
    known = holidays.country_holidays(region.country, subdiv=region.subdivision, years=day.year, language=_LANGUAGE)
    found: str | None = known.get(day)
    return found


def _spell(interval: Interval) -> str:
    start, end = interval
    suffix = " of the next day" if end > _DAY else ""
    end = end if end <= _DAY else end - _DAY
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}{suffix}"
