"""What the calendars of a ruleset say about a moment."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from app.routing.callers import Cause
from app.routing.facts import FactValue, Moment, Unknown
from app.routing.hours import WEEKDAYS, OpeningHours
from app.routing.ruleset import Ruleset

__all__ = ["CalendarFacts"]

_MINUTE = 60
_MINUTES_KEPT = 1024
_NOT_CONFIGURED = Unknown(Cause.NOT_CONFIGURED, "the ruleset has no default calendar")


class CalendarFacts:
    """Tells the `time.*` facts of a moment; works them out once a minute, since no calendar changes within one."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._hours = {name: OpeningHours(calendar) for name, calendar in ruleset.calendars.items()}
        self._main = self._hours.get(ruleset.main_calendar) if ruleset.main_calendar is not None else None
        self._facts_of = lru_cache(maxsize=_MINUTES_KEPT)(self._tell_minute)

    def tell(self, now: float) -> Moment:
        """Describe a moment, given in seconds since the epoch."""
        return Moment(now, self._facts_of(int(now // _MINUTE)))

    def _tell_minute(self, minute: int) -> Mapping[str, FactValue]:
        now = datetime.fromtimestamp(minute * _MINUTE, UTC)
        local = now if self._main is None else now.astimezone(self._main.zone)
        facts: dict[str, FactValue] = {
            "time.local": f"{local:%H:%M}",
            "time.weekday": WEEKDAYS[local.weekday()],
            "time.open": _NOT_CONFIGURED if self._main is None else self._main.is_open(now),
        }
        return facts | {f"time.open.{name}": hours.is_open(now) for name, hours in self._hours.items()}
