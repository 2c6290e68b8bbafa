"""Which decisions somebody wants to see."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement

from app.routing.callers import CallerStatus, Cause
from app.routing.decisions import Outcome
from app.store.tables import decisions

__all__ = ["DecisionFilter"]

_EXACT = (
    "queue_id",
    "target_id",
    "outcome",
    "rule",
    "caller_status",
    "caller_cause",
    "revision",
    "call_id",
    "caller_e164",
)
_LEEWAY = 60.0
"""Seconds between the time of a record and the time in its id, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """Conditions that all hold; `None` leaves one out."""

    since: float | None = None
    """Seconds since the epoch, inclusive."""
    until: float | None = None
    """Seconds since the epoch, exclusive."""
    queue_id: str | None = None
    target_id: str | None = None
    outcome: Outcome | None = None
    rule: str | None = None
    caller_status: CallerStatus | None = None
    caller_cause: Cause | None = None
    revision: int | None = None
    call_id: str | None = None
    caller_e164: str | None = None
    """The exact number; there is no search by part of a number."""
    drill: bool | None = None
    """True for fire drills only, False for real calls only."""
    erased: bool | None = None
    """False leaves out the decisions whose caller was erased, whose facts are incomplete."""

    def list_conditions(self, *, above: str = "", below: str = "") -> list[ColumnElement[bool]]:
        """Spell the conditions in SQL, for ids strictly between two, where given.

        Ids are sorted by time, so the times become bounds of the ids too, and a search goes along the primary key. Each
        side has one bound only, because SQLite would follow just one of several.
        """
        columns = decisions.c
        if self.since is not None:
            above = max(above, _bound_ids(self.since - _LEEWAY))
        if self.until is not None:
            bound = _bound_ids(self.until + _LEEWAY)
            below = min(below or bound, bound)
        bounds = [*([columns.id > above] if above else []), *([columns.id < below] if below else [])]
        return [*bounds, *self._list_members()]

    def _list_members(self) -> list[ColumnElement[bool]]:
        columns = decisions.c
        conditions = [columns[name] == value for name in _EXACT if (value := getattr(self, name)) is not None]
        if self.since is not None:
            conditions.append(columns.at >= self.since)
        if self.until is not None:
            conditions.append(columns.at < self.until)
        if self.drill is not None:
            conditions.append(columns.drill.is_not(None) if self.drill else columns.drill.is_(None))
        if self.erased is not None:
            conditions.append(columns.erased.is_(self.erased))
        return conditions


def _bound_ids(time: float) -> str:
    """Begin an id of UUID version 7 made at that time: 48 bits of milliseconds (RFC 9562, section 5.7)."""
    # In this order of arguments, what is not a number counts as the beginning.
    milliseconds = min(max(0.0, time * 1000), float((1 << 48) - 1))
    digits = f"{int(milliseconds):012x}"
    return f"{digits[:8]}-{digits[8:]}"
