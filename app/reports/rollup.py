"""Adds decisions up while they are written, so that a report never goes through the decision log.

Figures stand by half-hours of UTC, from which the days of nearly every time zone can be put together. They are
written in the transaction of their decisions: what is in the log is in the figures, once. They name nobody, so they
outlive the erasure of a caller.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Executable,
    FromClause,
    MetaData,
    Row,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.calls.store import DecisionFilter
from app.observability.redaction import redact_identifier
from app.routing.decisions import DecisionRecord
from app.store.database import Database
from app.store.json_text import dump, dump_text, replace_odd_characters
from app.store.tables import (
    decisions,
    report_calls,
    report_cells,
    report_exports,
    report_latencies,
    report_requests,
    report_users,
)

__all__ = ["SLOT_SECONDS", "CallCell", "Rollup", "find_slot", "tell_milliseconds"]

SLOT_SECONDS = 1800
_REPEAT_SECONDS = 86_400.0
_MAX_TEXT = 200
"""Characters kept of an id from outside."""
_GROWTH = 1.1
"""Each bucket of the latency sketch ends a tenth above the one before (DDSketch, Masson et al. 2019), so that a
quantile is right within five per cent."""
_SHORTEST_MS = 0.01
_IDS = Table("ids", MetaData(), Column("id", BigInteger))
"""Is in no database: how the rows of a parameter are read."""
_LOCK = 0x7265_706F_7274_7300
"""Of the turns, an advisory lock of PostgreSQL."""
_REBUILT_AT_ONCE = 1000
"""Decisions read at once when figures are made anew."""


Recorded = DecisionRecord | Row[Any]
"""A record, or the row of one."""


class CallCell(NamedTuple):
    """What calls have in common that are added up together; texts are empty where there is none."""

    queue: str
    """The queue's id, or the target id of one that does not tell its id; a number in its place is masked."""
    rule: str
    outcome: str = ""
    destination: str = ""
    """The name in the ruleset; empty for an agent taken from a fact."""
    caller_status: str = ""
    caller_cause: str = ""
    caller_source: str = ""
    vip: bool = False
    revision: int = 0
    """0 while nothing was published."""
    in_time: bool = False

    @classmethod
    def of(cls, record: Recorded) -> "CallCell":
        """Find the cell of a decision."""
        total = record.waterfall.get("total", 0.0)
        return cls(
            queue=replace_odd_characters(redact_identifier(record.queue_id or record.target_id or "")[:_MAX_TEXT]),
            rule=record.rule or "",
            outcome=record.outcome,
            destination=str(record.decision.get("redirect") or ""),
            caller_status=record.caller_status,
            caller_cause=record.caller_cause or "",
            caller_source=record.caller_source,
            vip=record.facts.get("caller.vip") is True,
            revision=record.revision or 0,
            in_time=record.deadline_ms is None or total <= record.deadline_ms,
        )


@lru_cache(maxsize=10_000)
def _identify(cell: CallCell) -> int:
    """Number a cell, everywhere alike: processes need not agree on numbers, and no other cell has this one."""
    return int.from_bytes(hashlib.blake2b(dump(cell), digest_size=8).digest(), signed=True)


@dataclass(slots=True)
class _Count:
    calls: int = 0
    repeated: int = 0


class _Repeats(NamedTuple):
    """Ids of calls."""

    repeating: set[str]
    """Those that repeat an earlier call of the same number."""
    repeated: bool
    """Whether one of them is repeated by a later call that is not among them."""


class Rollup:
    """Writes the figures of decisions; fire drills count nowhere.

    A call is *repeated* when the same number called in the 24 hours before.
    """

    def __init__(self, *, database: Database, exports: bool = False) -> None:
        """With `exports` the decisions are noted for the export as well."""
        self._database = database
        self._exports = exports
        # Made once: to write such a statement takes longer than to carry it out.
        self._select_repeats = _select_repeats(database)
        self._select_late = _select_late_repeats(database)
        self._select_records = select(decisions).where(database.is_among(decisions.c.id, "late"))
        cells = database.insert(report_cells)
        self._select_cells = select(report_cells.c.id).where(report_cells.c.id.in_(database.select_rows(_IDS, "ids")))
        self._add_cells = cells.from_select(list(report_cells.c.keys()), database.select_rows(report_cells, "rows"))
        self._add_calls = _make_increase(database, report_calls)
        self._add_latencies = _make_increase(database, report_latencies)

    async def add(self, connection: AsyncConnection, records: Sequence[Recorded]) -> None:
        """Add decisions that this transaction has written, none of which was there before."""
        real = [record for record in records if record.drill is None]
        if real:
            await self._take_turn(connection)
            repeats = await self._find_repeats(connection, real)
            await self._write(connection, real, repeats, await self._find_late_repeats(connection, real, repeats))
            if self._exports:
                await connection.execute(insert(report_exports), [{"id": record.id} for record in real])

    async def find_bounds(self) -> tuple[int, int] | None:
        """Find the first and the last half-hour of the decision log. Raises StoreError."""
        async with self._database.read() as connection:
            ends = [
                (await connection.execute(select(decisions.c.at).order_by(order).limit(1))).scalar_one_or_none()
                for order in (decisions.c.id, decisions.c.id.desc())
            ]
        first, last = ends
        return None if first is None or last is None else (find_slot(first), find_slot(last))

    async def rebuild(self, slot: int) -> int | None:
        """Make the figures of one half-hour anew from the decision log; returns of how many calls. Raises StoreError.

        `None`: the figures stay, because decisions they tell of, or calls of the day before that were repeated, may
        have been purged from the log. Numbers erased since repeat nobody any more.
        """
        wanted = DecisionFilter(since=float(slot), until=float(slot + SLOT_SECONDS), drill=False)
        rebuilt, last = 0, ""
        async with self._database.write() as connection:
            if not await self._clear(connection, slot, wanted):
                return None
            while True:
                query = select(decisions).where(*wanted.list_conditions(above=last)).order_by(decisions.c.id)
                rows: Sequence[Any] = (await connection.execute(query.limit(_REBUILT_AT_ONCE))).all()
                if not rows:
                    return rebuilt
                await self._write(connection, rows, await self._find_repeats(connection, rows), [])
                rebuilt, last = rebuilt + len(rows), rows[-1].id

    async def forget_purged(self) -> None:
        """Drop what was noted for the export of decisions that are gone. Raises StoreError."""
        gone = ~exists().where(decisions.c.id == report_exports.c.id)
        async with self._database.write() as connection:
            await connection.execute(delete(report_exports).where(gone))

    async def purge_before(self, time: float) -> int:
        """Delete figures of half-hours that began before that time (seconds since the epoch), and return how many."""
        async with self._database.write() as connection:
            purged = [
                (await connection.execute(delete(table).where(table.c.slot < time))).rowcount
                for table in (report_calls, report_latencies, report_requests, report_users)
            ]
        return sum(purged)

    async def _clear(self, connection: AsyncConnection, slot: int, wanted: DecisionFilter) -> bool:
        """Remove the figures of a half-hour, unless the log no longer tells all that they tell."""
        await self._take_turn(connection)
        counted = select(func.coalesce(func.sum(report_calls.c.calls), 0)).where(report_calls.c.slot == slot)
        logged = select(func.count()).select_from(decisions).where(*wanted.list_conditions())
        oldest = select(decisions.c.at).order_by(decisions.c.id).limit(1)
        figures, log = [(await connection.execute(query)).scalar_one() for query in (counted, logged)]
        begin = (await connection.execute(oldest)).scalar_one_or_none()
        if figures > log or (0 < figures == log and slot < (begin or 0.0) + _REPEAT_SECONDS):
            return False
        for table in (report_calls, report_latencies):
            await connection.execute(delete(table).where(table.c.slot == slot))
        return True

    async def _take_turn(self, connection: AsyncConnection) -> None:
        """Have transactions that add up follow each other, as they do in SQLite anyway.

        Two at once would not see that a call of one repeats a call of the other.
        """
        if not self._database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})

    async def _write(
        self, connection: AsyncConnection, new: Iterable[Recorded], repeats: _Repeats, late_repeats: Iterable[Any]
    ) -> None:
        counts: defaultdict[tuple[int, CallCell], _Count] = defaultdict(_Count)
        latencies: Counter[tuple[int, CallCell, int]] = Counter()
        for record in new:
            slot, cell = find_slot(record.at), CallCell.of(record)
            counts[slot, cell].calls += 1
            counts[slot, cell].repeated += record.id in repeats.repeating
            bucket = _find_bucket(record.waterfall.get("total", 0.0))
            latencies[slot, CallCell(cell.queue, cell.rule), bucket] += 1
        for record in late_repeats:
            counts[find_slot(record.at), CallCell.of(record)].repeated += 1
        ids = {cell: _identify(cell) for cell in {cell for _, cell in counts} | {cell for _, cell, _ in latencies}}
        calls = [(slot, ids[cell], count.calls, count.repeated) for (slot, cell), count in counts.items()]
        sketch = [(slot, ids[cell], bucket, count) for (slot, cell, bucket), count in latencies.items()]
        await self._note_cells(connection, ids)
        await connection.execute(self._add_calls, {"rows": dump_text(sorted(calls))})
        await connection.execute(self._add_latencies, {"rows": dump_text(sorted(sketch))})

    async def _note_cells(self, connection: AsyncConnection, ids: Mapping[CallCell, int]) -> None:
        """Keep what the numbers stand for; nearly always it is there already."""
        asked = dump_text([[cell_id] for cell_id in ids.values()])
        known = set((await connection.execute(self._select_cells, {"ids": asked})).scalars())
        if new := [(cell_id, *cell) for cell, cell_id in ids.items() if cell_id not in known]:
            await connection.execute(self._add_cells, {"rows": dump_text(new)})

    async def _find_repeats(self, connection: AsyncConnection, records: Iterable[Recorded]) -> _Repeats:
        """Find which of the calls repeat an earlier one, and whether older ones turn out to repeat one of them."""
        ids = self._database.spell_texts([record.id for record in records if record.caller_e164])
        rows = (await connection.execute(self._select_repeats, {"new": ids})).all()
        return _Repeats({row.id for row in rows if row.repeats}, any(row.repeated for row in rows))

    async def _find_late_repeats(
        self, connection: AsyncConnection, records: Sequence[Recorded], repeats: _Repeats
    ) -> Sequence[Any]:
        """Find older records that only now turn out to repeat a call.

        There are some when the lines of a process that died are carried over after later calls of the same numbers.
        """
        if not repeats.repeated:
            return []
        ids = self._database.spell_texts([record.id for record in records if record.caller_e164])
        late = (await connection.execute(self._select_late, {"new": ids})).scalars().all()
        return (await connection.execute(self._select_records, {"late": self._database.spell_texts(late)})).all()


def _make_increase(database: Database, table: Table) -> Executable:
    """Make a statement that takes its rows as one JSON parameter: one for each value would cost more than the rest."""
    names = list(table.c.keys())
    insert = database.insert(table).from_select(names, database.select_rows(table, "rows"))
    sums = {name: table.c[name] + insert.excluded[name] for name in ("calls", "repeated") if name in table.c}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=sums)


def _select_repeats(database: Database) -> Select[Any]:
    """Ask of new calls whether they repeat a call, and whether one that is not new repeats them."""
    earlier, later = decisions.alias("earlier"), decisions.alias("later")
    return select(
        decisions.c.id,
        exists().where(_repeats(decisions, earlier)).label("repeats"),
        exists().where(_repeats(later, decisions), ~database.is_among(later.c.id, "new")).label("repeated"),
    ).where(database.is_among(decisions.c.id, "new"))


def _select_late_repeats(database: Database) -> Select[Any]:
    """Ask for other calls that repeat a new one, and none besides."""
    new, earlier = decisions.alias("new"), decisions.alias("earlier")
    return (
        select(decisions.c.id)
        .distinct()
        .select_from(new.join(decisions, _repeats(decisions, new)))
        .where(database.is_among(new.c.id, "new"), ~database.is_among(decisions.c.id, "new"))
        .where(decisions.c.drill.is_(None))
        .where(~exists().where(_repeats(decisions, earlier), ~database.is_among(earlier.c.id, "new")))
    )


def _repeats(later: FromClause, earlier: FromClause) -> ColumnElement[bool]:
    """Tell whether one call repeats another, which is no fire drill."""
    return and_(
        earlier.c.drill.is_(None),
        later.c.caller_e164 == earlier.c.caller_e164,
        later.c.at > earlier.c.at,
        earlier.c.at >= later.c.at - _REPEAT_SECONDS,
        # Says nothing more, but bounds a search along the index from the other side too.
        later.c.at < earlier.c.at + _REPEAT_SECONDS + 1,
    )


def tell_milliseconds(bucket: int) -> float:
    """Return the middle of a bucket of the latency sketch."""
    middle: float = _SHORTEST_MS * _GROWTH ** (bucket - 0.5)
    return middle


def find_slot(time: float) -> int:
    """Return when the half-hour of a time begins, both in seconds since the epoch."""
    return int(time // SLOT_SECONDS) * SLOT_SECONDS


def _find_bucket(milliseconds: float) -> int:
    return max(0, math.ceil(math.log(max(milliseconds, _SHORTEST_MS) / _SHORTEST_MS, _GROWTH)))
