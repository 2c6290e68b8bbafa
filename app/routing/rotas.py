"""Rotas: who is on call when, by the clock of the rota's time zone.

Members take turns in their order, from the start on; a swap puts somebody else in the place of whoever has the turn.
Turns begin when the local clock shows their time for the first time. So a turn is as long as the clock says, an hour
shorter or longer when clocks change, and an hour that comes twice hands over once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, PlainSerializer, PlainValidator, StringConstraints, model_validator

from app.routing.calendars import TimeZone
from app.routing.documents import Part, refuse
from app.routing.rule import Name

__all__ = ["Rota", "Swap", "Turn", "find_turn", "list_turns"]

_READING = r"^\d{4}-\d\d-\d\d(T([01]\d|2[0-3]):[0-5]\d)?$"
_PERIOD = r"^([1-9]\d{0,2} )?(hour|day|week)s?$"
_YEARS = range(1970, 3000)
"""Time zones lead beyond what a machine can count near either end."""
_UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


def _read_reading(value: object) -> datetime:
    try:
        if isinstance(value, str) and re.fullmatch(_READING, value, re.ASCII):
            moment = datetime.fromisoformat(value)
            if moment.year in _YEARS:
                return moment
    except ValueError:
        pass
    hint = "write it like 2026-03-02T08:00, by the clock of the rota's time zone and without an offset"
    raise refuse("wrong-moment", "must be a local date and time", hint)


Reading = Annotated[
    datetime,
    PlainValidator(_read_reading, json_schema_input_type=Annotated[str, StringConstraints(pattern=_READING)]),
    PlainSerializer(lambda moment: f"{moment:%Y-%m-%dT%H:%M}"),
]
"""What the local clock shows; a date alone is its midnight."""


def _read_period(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(_PERIOD, value, re.ASCII):
        return value
    raise refuse("wrong-period", "must say how long a turn is", "write day, week, 2 weeks or 12 hours")


Period = Annotated[
    str, PlainValidator(_read_period, json_schema_input_type=Annotated[str, StringConstraints(pattern=_PERIOD)])
]


class Swap(Part):
    """Somebody takes over for a while, whoever has the turn."""

    from_: Reading = Field(alias="from")
    to: Reading
    """The first moment it no longer counts."""
    member: Name
    """The name of a destination."""

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.to <= self.from_:
            raise refuse("empty-swap", "the swap ends before it begins", "`to` must be later than `from`")
        return self


class Rota(Part):
    """Who is on call: destinations that take turns."""

    time_zone: TimeZone
    members: tuple[Name, ...] = Field(min_length=1, max_length=100)
    """Names of destinations, in the order of their turns."""
    period: Period
    """How long a turn is: `day`, `week`, `2 weeks`, `12 hours`."""
    start: Reading
    """When the first member's first turn begins; before it nobody is on call."""
    swaps: tuple[Swap, ...] = Field(default=(), max_length=500)
    """Of several for one moment the last in the list counts."""

    @property
    def length(self) -> timedelta:
        """How long a turn is by the local clock."""
        count, _, unit = self.period.rpartition(" ")
        return int(count or 1) * _UNITS[unit.removesuffix("s")]

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who can be on call."""
        return tuple(dict.fromkeys((*self.members, *(swap.member for swap in self.swaps))))


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is on call, and for how long."""

    member: str
    since: datetime
    """The last change before, in UTC."""
    until: datetime
    """The next hand-over, or the next begin or end of a swap, in UTC."""
    swapped: bool
    """Whether a swap says so."""


def find_turn(rota: Rota, now: datetime) -> Turn | None:
    """Tell who is on call at an aware moment; `None` before the start."""
    zone = ZoneInfo(rota.time_zone)
    position = _count_turns(rota, zone, now)
    if position < 0:
        return None
    ends = [_place(rota.start + turn * rota.length, zone) for turn in (position, position + 1)]
    spans = [(_place(swap.from_, zone), _place(swap.to, zone), swap.member) for swap in rota.swaps]
    changes = [*ends, *(moment for start, end, _ in spans for moment in (start, end))]
    swapped = next((member for start, end, member in reversed(spans) if start <= now < end), None)
    return Turn(
        member=rota.members[position % len(rota.members)] if swapped is None else swapped,
        since=max(moment for moment in changes if moment <= now),
        until=min(moment for moment in changes if moment > now),
        swapped=swapped is not None,
    )


def list_turns(rota: Rota, now: datetime, count: int) -> tuple[Turn, ...]:
    """List the turn at an aware moment and those after it; before the start, the first ones."""
    return tuple(islice(_walk(rota, now), count))


def _walk(rota: Rota, now: datetime) -> Iterator[Turn]:
    moment = max(now, _place(rota.start, ZoneInfo(rota.time_zone)))
    while (turn := find_turn(rota, moment)) is not None:
        yield turn
        moment = turn.until


def _count_turns(rota: Rota, zone: ZoneInfo, now: datetime) -> int:
    """Count the turns that have ended; negative before the start."""
    count = (now.astimezone(zone).replace(tzinfo=None) - rota.start) // rota.length
    # The local clock is ahead of, or behind, the order of moments where it is set.
    while _place(rota.start + (count + 1) * rota.length, zone) <= now:
        count += 1
    while _place(rota.start + count * rota.length, zone) > now:
        count -= 1
    return count


def _place(reading: datetime, zone: ZoneInfo) -> datetime:
    """Tell when the local clock shows this for the first time; what it skips comes as much later."""
    return reading.replace(tzinfo=zone).astimezone(UTC)
