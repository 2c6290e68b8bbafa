"""The decision log in the database: what was answered to every call, and why."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import msgspec
from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.calls.erasure import erase_called, erase_caller
from app.observability.redaction import redact_identifier
from app.routing.callers import CallerStatus, Cause
from app.routing.decisions import DecisionRecord, Outcome
from app.store.database import Database
from app.store.pages import Page, cut_page
from app.store.tables import audit, decisions

__all__ = [
    "CallTimes",
    "DecisionFilter",
    "DecisionRollup",
    "DecisionStore",
    "DecisionSummary",
    "LoggedCall",
    "RecentCallsReader",
]

_NAMES = tuple(column.name for column in decisions.columns if column.name != "erased")
_RECORD = [decisions.c[name] for name in _NAMES]
_CHUNK = 250
"""Rows read at once: few milliseconds of work, so that a long read does not hold up a call."""
_RANDOM_PART = func.substr(decisions.c.id, 25)
"""The last 48 bits of an id, as twelve hexadecimal digits."""
_ABOVE_ALL = "g"
_PURGED_AT_ONCE = 2000
"""Rows deleted in one transaction, so that the newest decisions need not wait for the oldest."""
_NAMELESS = decisions.c.queue_id.is_(None)
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
_HAS_NUMBER = decisions.c.caller_e164.is_not(None)
_LOGGED = [decisions.c[name] for name in ("id", "at", "caller_e164", "call_id", "decision")]
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

    @property
    def tells_number(self) -> bool:
        """Whether the result tells whose number it is that was asked for."""
        texts = (text for text in (self.call_id, self.queue_id, self.target_id) if text is not None)
        return self.caller_e164 is not None or any(redact_identifier(text) != text for text in texts)

    def matches(self, summary: "DecisionSummary") -> bool:
        """Tell whether a decision meets the conditions, but for its time and whether its caller was erased."""
        drill = self.drill is None or self.drill is (summary.drill is not None)
        return drill and all(getattr(self, name) in {None, getattr(summary, name)} for name in _EXACT)

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


class DecisionRollup(Protocol):
    """Adds up what is written to the decision log."""

    async def add(self, connection: AsyncConnection, records: Sequence[DecisionRecord]) -> None:
        """Add records that the transaction of this connection has just written."""


class DecisionSummary(msgspec.Struct, frozen=True):
    """What a list shows of a `DecisionRecord`: everything but facts, decision and answer, which are its bulk."""

    id: str
    at: float
    call_id: str | None
    caller_raw: str | None
    caller_e164: str | None
    called_raw: str | None
    called_e164: str | None
    target_id: str | None
    queue_id: str | None
    caller_status: str
    caller_cause: str | None
    caller_age_seconds: float | None
    caller_source: str
    revision: int | None
    settings_version: int | None
    rule: str | None
    outcome: str
    status: int
    waterfall: Mapping[str, float]
    credential: str
    drill: str | None


_SUMMARY = [decisions.c[name] for name in DecisionSummary.__struct_fields__]


class DecisionStore:
    """Keeps decisions so that they can be found, counted, replayed and, for one caller, forgotten."""

    def __init__(self, *, database: Database, rollup: DecisionRollup | None = None) -> None:
        self._database = database
        self._rollup = rollup

    async def add(self, records: Sequence[DecisionRecord]) -> None:
        """Keep records; one whose id is there already is left as it is, so repeating is harmless. Raises StoreError."""
        if not records:
            return
        statement = self._database.insert(decisions).on_conflict_do_nothing().returning(decisions.c.id)
        async with self._database.write() as connection:
            rows = [{name: getattr(record, name) for name in _NAMES} for record in records]
            written = set((await connection.execute(statement, rows)).scalars())
            if self._rollup is not None:
                by_id = {record.id: record for record in records}
                await self._rollup.add(connection, [by_id[written_id] for written_id in written])

    async def get(self, record_id: str) -> DecisionRecord | None:
        """Find one decision."""
        async with self._database.read() as connection:
            found = await connection.execute(select(*_RECORD).where(decisions.c.id == record_id))
            row = found.one_or_none()
        return None if row is None else _read_record(row)

    async def page(
        self, wanted: DecisionFilter, *, limit: int, after: str | None = None, above: str = ""
    ) -> Page[DecisionSummary]:
        """List decisions, newest first; `after` is the `next` of the page before, `above` an id that ends the list."""
        conditions = wanted.list_conditions(above=above, below=after or "")
        query = select(*_SUMMARY).where(*conditions).order_by(decisions.c.id.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            found = [DecisionSummary(*row) for row in await connection.execute(query)]
        return cut_page(found, [summary.id for summary in found], limit)

    async def count(self, wanted: DecisionFilter) -> int:
        """Count decisions."""
        query = select(func.count()).select_from(decisions).where(*wanted.list_conditions())
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def stream(self, wanted: DecisionFilter, *, sample: int | None = None) -> AsyncIterator[DecisionRecord]:
        """Go through decisions, oldest first; with `sample` (at least 1) through so many of them.

        A sample holds the decisions whose ids have the smallest random parts (RFC 9562, section 5.7). So it is spread
        evenly, the same every time, and part of every larger sample of the same decisions.
        """
        last, query = "", select(*_RECORD).order_by(decisions.c.id).limit(_CHUNK)
        if sample is not None:
            query = query.where(_RANDOM_PART.between("", await self._find_bound(wanted, sample)))
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(query.where(*wanted.list_conditions(above=last)))).all()
            for row in rows:
                yield _read_record(row)
            if len(rows) < _CHUNK:
                return
            last = rows[-1].id

    async def count_by_rule(self, since: float) -> dict[str | None, int]:
        """Count real calls by deciding rule from then on (seconds since the epoch); `None`: no rule matched."""
        conditions = DecisionFilter(since=since, drill=False).list_conditions()
        query = select(decisions.c.rule, func.count()).where(*conditions).group_by(decisions.c.rule)
        async with self._database.read() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def list_drills(self, since: float) -> dict[str, bool]:
        """Tell of each kind of fire drill held since then (epoch seconds) whether the newest answered in time."""
        conditions = DecisionFilter(since=since, drill=True).list_conditions()
        columns = (decisions.c.drill, decisions.c.waterfall, decisions.c.deadline_ms)
        async with self._database.read() as connection:
            rows = await connection.execute(select(*columns).where(*conditions).order_by(decisions.c.id))
            return {row.drill: row.waterfall["total"] <= (row.deadline_ms or math.inf) for row in rows}

    async def erase_number(self, e164: str) -> int:
        """Forget the number that called or was called, and return in how many decisions.

        See `app.calls.erasure`. Records still in the journal are not seen: drain it first.
        """
        erased = 0
        for number, erase in ((decisions.c.caller_e164, erase_caller), (decisions.c.called_e164, erase_called)):
            while rows := await self._erase_chunk(number == e164, erase):
                erased += rows
        return erased

    async def purge_before(self, time: float) -> int:
        """Delete decisions from before that time (seconds since the epoch), and return how many."""
        old = select(decisions.c.id).where(*DecisionFilter(until=time).list_conditions()).limit(_PURGED_AT_ONCE)
        purged = 0
        while True:
            async with self._database.write() as connection:
                count = (await connection.execute(delete(decisions).where(decisions.c.id.in_(old)))).rowcount
            purged += count
            if count < _PURGED_AT_ONCE:
                return purged

    async def _find_bound(self, wanted: DecisionFilter, sample: int) -> str:
        """Find the largest random part of a sample; above all of them when there are not so many decisions."""
        query = select(_RANDOM_PART).where(*wanted.list_conditions()).order_by(_RANDOM_PART)
        async with self._database.read() as connection:
            found = await connection.execute(query.offset(sample - 1).limit(1))
            return found.scalar_one_or_none() or _ABOVE_ALL

    async def _erase_chunk(self, wanted: ColumnElement[bool], erase: Callable[[Any], dict[str, object]]) -> int:
        query = select(*_RECORD).where(wanted).limit(_CHUNK)
        async with self._database.write() as connection:
            rows = (await connection.execute(query)).mappings().all()
            if rows:
                changes = [{"row_id": row["id"], **erase(row)} for row in rows]
                await connection.execute(_make_erasure(), changes)
        return len(rows)


class LoggedCall(NamedTuple):
    """What counts of a call that came before."""

    id: str
    at: float
    caller: str
    """In E.164."""
    key: str
    """The id of the call, or else of the record: what several queues ask about is one call."""
    destination: str | None
    """The name of the destination it was redirected to."""

    @classmethod
    def of(cls, record_id: str, at: float, caller: str, call_id: str | None, decision: Mapping[str, Any]) -> Self:
        """Take it from the members of a record."""
        return cls(record_id, at, caller, call_id or record_id, decision.get("redirect"))


class RecentCallsReader:
    """Reads real calls with a full number from the decision log. Every method raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_before(self, before: str | None, *, since: float, limit: int) -> list[LoggedCall]:
        """List the calls from `since` on (seconds since the epoch) with ids below `before`, newest first."""
        conditions = DecisionFilter(since=since, drill=False).list_conditions(below=before or "")
        return await self._list(select(*_LOGGED).where(*conditions).order_by(decisions.c.id.desc()).limit(limit))

    async def list_after(self, after: str | None, *, since: float, limit: int) -> list[LoggedCall]:
        """List the calls from `since` on with ids above `after`, oldest first."""
        conditions = DecisionFilter(since=since, drill=False).list_conditions(above=after or "")
        return await self._list(select(*_LOGGED).where(*conditions).order_by(decisions.c.id).limit(limit))

    async def list_of(self, e164: str, before: str | None, *, since: float, limit: int) -> list[LoggedCall]:
        """List the calls of one number with ids below `before`, along its index, newest first."""
        wanted = [decisions.c.caller_e164 == e164, decisions.c.at >= since, decisions.c.drill.is_(None)]
        wanted += [] if before is None else [decisions.c.id < before]
        return await self._list(select(*_LOGGED).where(*wanted).order_by(decisions.c.id.desc()).limit(limit))

    async def find_last_erasure(self, after: int) -> int:
        """Return the number of the audit entry about the last erasure; `after` when there was none since."""
        query = select(func.max(audit.c.id)).where(audit.c.id > after, audit.c.what == "caller.erased")
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar() or after

    async def _list(self, query: Select[Any]) -> list[LoggedCall]:
        async with self._database.read() as connection:
            return [LoggedCall.of(*row) for row in await connection.execute(query.where(_HAS_NUMBER))]


class CallTimes:
    """Reads the times of real calls from the decision log, along its index by queue; fire drills do not count.

    A queue that does not tell its id, as those with the older payload, goes by its target id.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_queues(self, since: float) -> list[str]:
        """List the queues that called from then on, in seconds since the epoch. Raises StoreError."""
        conditions = DecisionFilter(since=since, drill=False).list_conditions()
        by_id = select(decisions.c.queue_id).where(decisions.c.queue_id.is_not(None), *conditions)
        by_target = select(decisions.c.target_id).where(_NAMELESS, decisions.c.target_id.is_not(None), *conditions)
        async with self._database.read() as connection:
            return sorted((await connection.execute(by_id.union(by_target))).scalars())

    async def list_latest(self, queue_id: str, *, since: float, limit: int) -> list[float]:
        """List the times of the latest calls of a queue, newest first. Raises StoreError."""
        by_id = DecisionFilter(since=since, queue_id=queue_id, drill=False).list_conditions()
        by_target = DecisionFilter(since=since, target_id=queue_id, drill=False).list_conditions()
        query = select(decisions.c.at).order_by(decisions.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            if times := list((await connection.execute(query.where(*by_id))).scalars()):
                return times
            return list((await connection.execute(query.where(_NAMELESS, *by_target))).scalars())


def _bound_ids(time: float) -> str:
    """Begin an id of UUID version 7 made at that time: 48 bits of milliseconds (RFC 9562, section 5.7)."""
    # In this order of arguments, what is not a number counts as the beginning.
    milliseconds = min(max(0.0, time * 1000), float((1 << 48) - 1))
    digits = f"{int(milliseconds):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _make_erasure() -> Any:
    places = ("call_id", "target_id", "queue_id")
    names = ("caller_e164", "caller_raw", "called_e164", "called_raw", *places, "facts", "decision", "body", "erased")
    values = {name: bindparam(name, type_=decisions.c[name].type) for name in names}
    return update(decisions).where(decisions.c.id == bindparam("row_id")).values(values)


def _read_record(row: Row[Any]) -> DecisionRecord:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    cause = values["caller_cause"]
    values["caller_status"] = CallerStatus(values["caller_status"])
    values["caller_cause"] = None if cause is None else Cause(cause)
    values["outcome"] = Outcome(values["outcome"])
    return DecisionRecord(**values)
