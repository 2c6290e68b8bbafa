"""Until when a customer saved after a call still counts: the office day, and the overnight run after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.settings import PhoneCallSyncSettings

__all__ = ["OfficeDays", "Window"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK = 8
"""Days in which every weekday comes up after the present one is over."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The time of an overnight run or of an office day, in seconds since the epoch."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class OfficeDays:
    """Office hours on the clock of their zone, and the time of the overnight run on that of UTC.

    The first moves with daylight saving, the second does not (administrator guide, "Enterprise Calls").
    """

    zone: ZoneInfo
    hours: Mapping[str, tuple[tuple[timedelta, timedelta], ...]]
    overnight_from: timedelta
    overnight_until: timedelta

    @classmethod
    def of(cls, settings: PhoneCallSyncSettings) -> "OfficeDays":
        """Read them from the settings."""
        hours: dict[str, tuple[tuple[timedelta, timedelta], ...]] = {
            day: tuple((_read(first), _read(last)) for first, last in (text.split("-") for text in texts))
            for day, texts in settings.office_hours.items()
        }
        overnight = _read(settings.overnight_from), _read(settings.overnight_until)
        return cls(ZoneInfo(settings.time_zone), hours, *overnight)

    def is_open(self, at: float) -> bool:
        """Tell whether it is within office hours."""
        local = datetime.fromtimestamp(at, self.zone)
        clock = timedelta(hours=local.hour, minutes=local.minute)
        return any(first <= clock < last for first, last in self.hours.get(_DAYS[local.weekday()], ()))

    def last_chance(self, at: float) -> float:
        """Return when the overnight run begins that is the last one for a call of this time.

        It follows the office day in which the call was made; for a call after hours, the next office day.
        """
        end = self._end_office_day(at)
        return next(window.start for window in self._list_windows(end) if window.start >= end)

    def find_window(self, at: float) -> Window | None:
        """Return the overnight run's time that is now, if it is."""
        return next((window for window in self._list_windows(at) if window.start <= at < window.end), None)

    def find_last_day(self, at: float) -> Window | None:
        """Return the latest office day that is over, from the first opening to the last closing."""
        today = datetime.fromtimestamp(at, self.zone).date()
        days = (self._find_day(today - _DAY * back) for back in range(_WEEK))
        return next((day for day in days if day is not None and day.end <= at), None)

    def _end_office_day(self, at: float) -> float:
        day = datetime.fromtimestamp(at, self.zone).date()
        days = (self._find_day(day + _DAY * ahead) for ahead in range(_WEEK))
        return next((each.end for each in days if each is not None and each.end > at), self._place(day, _DAY))

    def _find_day(self, day: date) -> Window | None:
        hours = self.hours.get(_DAYS[day.weekday()], ())
        if not hours:
            return None
        first, last = min(first for first, _ in hours), max(last for _, last in hours)
        return Window(self._place(day, first), self._place(day, last))

    def _place(self, day: date, clock: timedelta) -> float:
        """Return when the clock of the zone shows this; at a change of the clock, the first time it does."""
        return (datetime.combine(day, time()) + clock).replace(tzinfo=self.zone).timestamp()

    def _list_windows(self, near: float) -> list[Window]:
        """List the overnight runs from the day before to two days after."""
        length = (self.overnight_until - self.overnight_from) % _DAY or _DAY
        midnight = datetime.combine(datetime.fromtimestamp(near, UTC).date(), time(), UTC)
        starts = [midnight + _DAY * ahead + self.overnight_from for ahead in (-1, 0, 1, 2)]
        return [Window(start.timestamp(), (start + length).timestamp()) for start in starts]


def _read(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
