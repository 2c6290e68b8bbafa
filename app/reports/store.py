"""Reads sums of figures, by period and by what the calls have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, Integer, Table, and_, column, func, select, values

from app.reports.periods import Period
from app.store.database import Database
from app.store.tables import enterprise_calls, report_calls, report_latencies, report_requests, report_users

__all__ = ["ReportFilter", "ReportStore", "Sum"]


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

    async def sum_calls(self, periods: Sequence[Period], wanted: ReportFilter, *names: str) -> list[Sum]:
        """Add calls up by period and these members of `CallCell`. Raises StoreError."""
        repeated = func.sum(report_calls.c.repeated)
        return await self._sum(report_calls, periods, wanted, names, [repeated])

    async def sum_latencies(self, periods: Sequence[Period], wanted: ReportFilter) -> list[Sum]:
        """Add calls up by period and bucket of the latency sketch. Raises StoreError."""
        return await self._sum(report_latencies, periods, wanted, ("bucket",), [])

    async def sum_requests(self, periods: Sequence[Period]) -> list[Sum]:
        """Add requests to Dataverse up by period and purpose, `calls` or `other`. Raises StoreError."""
        period, table = _make_table(periods), report_requests
        query = (
            select(period.c.number, table.c.purpose, func.sum(table.c.requests))
            .select_from(period.join(table, and_(table.c.slot >= period.c.begin, table.c.slot < period.c.end)))
            .group_by(period.c.number, table.c.purpose)
        )
        async with self._database.read() as connection:
            return [Sum(row[0], (row[1],), int(row[2])) for row in await connection.execute(query)]

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
        period, table = _make_table(periods), enterprise_calls
        query = (
            select(period.c.number, table.c.outcome, table.c.reason, func.count())
            .select_from(period.join(table, and_(table.c.at >= period.c.begin, table.c.at < period.c.end)))
            .group_by(period.c.number, table.c.outcome, table.c.reason)
        )
        async with self._database.read() as connection:
            return [Sum(row[0], (row[1], row[2]), row[3]) for row in await connection.execute(query)]

    async def save_user_counts(self, slot: int, counts: Mapping[str, Any]) -> None:
        """Keep how many users were ready in a half-hour, in place of what was counted in it before."""
        insert = self._database.insert(report_users)
        statement = insert.on_conflict_do_update(index_elements=["slot"], set_={"counts": insert.excluded.counts})
        async with self._database.write() as connection:
            await connection.execute(statement, {"slot": slot, "counts": dict(counts)})

    async def list_user_counts(self, periods: Sequence[Period]) -> list[Mapping[str, Any] | None]:
        """Read the last count of users in each period, `None` where there is none. Raises StoreError."""
        period, table = _make_table(periods), report_users
        query = (
            select(period.c.number, table.c.counts)
            .select_from(period.join(table, and_(table.c.slot >= period.c.begin, table.c.slot < period.c.end)))
            .order_by(table.c.slot)
        )
        async with self._database.read() as connection:
            found = {row[0]: row[1] for row in await connection.execute(query)}
        return [found.get(number) for number in range(len(periods))]

    async def _sum(
        self, table: Table, periods: Sequence[Period], wanted: ReportFilter, names: Sequence[str], sums: Sequence[Any]
    ) -> list[Sum]:
        period = _make_table(periods)
        members = [table.c[name] for name in names]
        conditions = [table.c.slot >= period.c.begin, table.c.slot < period.c.end]
        conditions += [] if wanted.queue is None else [table.c.queue == wanted.queue]
        conditions += [] if wanted.rule is None else [table.c.rule == wanted.rule]
        query = (
            select(period.c.number, *members, func.sum(table.c.calls), *sums)
            .select_from(period.join(table, and_(*conditions)))
            .group_by(period.c.number, *members)
        )
        count = len(members)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Sum(row[0], tuple(row[1 : count + 1]), *map(int, row[count + 1 :])) for row in rows]


def _make_table(periods: Sequence[Period]) -> CTE:
    table = values(column("number", Integer), column("begin", Integer), column("end", Integer), name="period")
    rows = [(number, period.begin, period.end) for number, period in enumerate(periods)]
    return table.data(rows).cte("period")
