"""Reads sums of figures, by period and by what the calls have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Integer, MetaData, Select, Table, and_, func, select

from app.reports.periods import Period
from app.store.database import Database
from app.store.json_text import dump_text
from app.store.tables import (
    enterprise_calls,
    report_calls,
    report_cells,
    report_latencies,
    report_requests,
    report_users,
)

__all__ = ["ReportFilter", "ReportStore", "Sum"]

_PERIODS = Table(
    "period", MetaData(), Column("number", Integer), Column("begin", BigInteger), Column("end", BigInteger)
)
"""Is in no database: how the rows of a parameter are read."""
_FETCHED_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFilter:
    """Which calls are reported on; `None` leaves a condition out."""

    queue: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """Calls of one period that have some members in common."""

    period: int
    """The number of the period in the list that was asked for."""
    members: tuple[Any, ...]
    """In the order of the names that were asked for."""
    calls: int
    repeated: int = 0


class ReportStore:
    """Answers by sums that the database makes."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        # Otherwise SQLite reads the JSON once for every row that it is joined to.
        self._period = database.select_rows(_PERIODS, "periods").cte("period").prefix_with("MATERIALIZED")

    async def sum_calls(self, periods: Sequence[Period], wanted: ReportFilter, *names: str) -> list[Sum]:
        """Add calls up by period and these members of `CallCell`. Raises StoreError."""
        found = self._sum_by(report_calls, wanted, "cell", "repeated").subquery()
        members = [report_cells.c[name] for name in names]
        query = (
            select(found.c.number, *members, func.sum(found.c.calls), func.sum(found.c.repeated))
            .join_from(found, report_cells, report_cells.c.id == found.c.cell)
            .group_by(found.c.number, *members)
        )
        return [Sum(row[0], tuple(row[1:-2]), *map(int, row[-2:])) for row in await self._fetch(query, periods)]

    async def sum_latencies(self, periods: Sequence[Period], wanted: ReportFilter) -> list[Sum]:
        """Add calls up by period and bucket of the latency sketch. Raises StoreError."""
        rows = await self._fetch(self._sum_by(report_latencies, wanted, "bucket"), periods)
        return [Sum(row[0], (row[1],), int(row[2])) for row in rows]

    async def sum_requests(self, periods: Sequence[Period]) -> list[Sum]:
        """Add requests to Dataverse up by period and purpose, `calls` or `other`. Raises StoreError."""
        columns = report_requests.c
        rows = await self._fetch(self._join(columns.slot, columns.purpose, func.sum(columns.requests)), periods)
        return [Sum(row[0], (row[1],), int(row[2])) for row in rows]

    async def add_requests(self, slot: int, requests: Mapping[str, int]) -> None:
        """Add to the requests of a half-hour, by purpose. Raises StoreError."""
        insert = self._database.insert(report_requests)
        more = {"requests": report_requests.c.requests + insert.excluded.requests}
        statement = insert.on_conflict_do_update(index_elements=["slot", "purpose"], set_=more)
        rows = [{"slot": slot, "purpose": purpose, "requests": count} for purpose, count in requests.items()]
        async with self._database.write() as connection:
            await connection.execute(statement, rows)

    async def sum_work_calls(self, periods: Sequence[Period]) -> list[Sum]:
        """Add work calls up by period, outcome and reason. Raises StoreError."""
        columns = enterprise_calls.c
        rows = await self._fetch(self._join(columns.at, columns.outcome, columns.reason, func.count()), periods)
        return [Sum(row[0], (row[1], row[2]), row[3]) for row in rows]

    async def save_user_counts(self, slot: int, counts: Mapping[str, Any]) -> None:
        """Keep how many users were ready in a half-hour, in place of what was counted in it before."""
        insert = self._database.insert(report_users)
        statement = insert.on_conflict_do_update(index_elements=["slot"], set_={"counts": insert.excluded.counts})
        async with self._database.write() as connection:
            await connection.execute(statement, {"slot": slot, "counts": dict(counts)})

    async def list_user_counts(self, periods: Sequence[Period]) -> list[Mapping[str, Any] | None]:
        """Read the last count of users in each period, `None` where there is none. Raises StoreError."""
        period, columns = self._period, report_users.c
        within = and_(columns.slot >= period.c.begin, columns.slot < period.c.end)
        query = select(period.c.number, columns.counts).join_from(period, report_users, within).order_by(columns.slot)
        found = {row[0]: row[1] for row in await self._fetch(query, periods)}
        return [found.get(number) for number in range(len(periods))]

    def _sum_by(self, table: Table, wanted: ReportFilter, member: str, *others: str) -> Select[Any]:
        """Add up by period and one column, before anything wider is looked at."""
        sums = [func.sum(table.c[name]).label(name) for name in ("calls", *others)]
        query = self._join(table.c.slot, table.c[member], *sums)
        cells = report_cells.c
        asked = ((cells.queue, wanted.queue), (cells.rule, wanted.rule))
        conditions = [column == value for column, value in asked if value is not None]
        return query.where(table.c.cell.in_(select(cells.id).where(*conditions))) if conditions else query

    def _join(self, time: Column[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        """Put what happened into the periods; the last of the columns are sums, by the others."""
        period = self._period
        members = [column for column in columns if isinstance(column, Column)]
        return (
            select(period.c.number, *columns)
            .join_from(period, time.table, and_(time >= period.c.begin, time < period.c.end))
            .group_by(period.c.number, *members)
        )

    async def _fetch(self, query: Select[Any], periods: Sequence[Period]) -> list[Any]:
        """Read rows in parts, between which the event loop does other things."""
        rows = [(number, period.begin, period.end) for number, period in enumerate(periods)]
        async with self._database.read() as connection:
            result = await connection.stream(query, {"periods": dump_text(rows)})
            return [row async for part in result.partitions(_FETCHED_AT_ONCE) for row in part]
