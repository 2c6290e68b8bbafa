"""What drafts in the shadow would have decided otherwise: counts by draft, and the latest calls one by one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database
from app.store.tables import decisions, shadow_diffs, shadow_results

__all__ = ["ShadowCounts", "ShadowResultStore", "ShadowResults"]

_KEPT = 500
"""Calls kept of one draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCounts:
    """What was found by one version of a draft."""

    calls: int = 0
    changed: int = 0
    other_rule: int = 0
    skipped: int = 0
    dropped: int = 0
    groups: Sequence[Mapping[str, Any]] = ()
    missing_facts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowResults:
    """The counts of a draft's version that ran last, and the latest calls it would have decided otherwise."""

    since: float
    """Seconds since the epoch."""
    counts: ShadowCounts
    diffs: Sequence[Mapping[str, Any]]
    """The oldest first."""


class ShadowResultStore:
    """Adds up what all processes find."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, draft: str) -> ShadowResults | None:
        """Read what was found for a draft; `None` before the first call."""
        latest = select(shadow_diffs.c.diff).where(shadow_diffs.c.draft == draft).order_by(shadow_diffs.c.id.desc())
        async with self._database.read() as connection:
            found = await connection.execute(select(shadow_results).where(shadow_results.c.draft == draft))
            row = found.mappings().one_or_none()
            diffs = (await connection.execute(latest.limit(_KEPT))).scalars().all()
        if row is None:
            return None
        return ShadowResults(since=row["since"], counts=_read_counts(row), diffs=diffs[::-1])

    async def add(
        self,
        draft: str,
        version: str,
        *,
        count: Callable[[ShadowCounts], ShadowCounts],
        diffs: Sequence[Mapping[str, Any]],
        now: float,
    ) -> None:
        """Add to what was found by the same version of the draft, or begin anew with another version.

        `count` adds to the counts so far. Of each draft the latest 500 calls are kept.
        """
        async with self._database.write() as connection:
            counts = count(await self._take_counts(connection, draft, version, now))
            values = {name: getattr(counts, name) for name in ShadowCounts.__slots__}
            changed = update(shadow_results).where(shadow_results.c.draft == draft)
            await connection.execute(changed.values(updated_at=now, **values))
            if diffs:
                rows = [{"draft": draft, "decision": d["decision"], "at": d["at"], "diff": d} for d in diffs[-_KEPT:]]
                await connection.execute(insert(shadow_diffs), rows)
                await _trim(connection, draft)

    async def erase_number(self, e164: str) -> int:
        """Forget the calls from or to this number, and return how many; to be done before their decisions are erased.

        A call whose decision is erased already, added by a process that was late, goes as well.
        """
        calls = select(decisions.c.id).where(
            or_(decisions.c.caller_e164 == e164, decisions.c.called_e164 == e164, decisions.c.erased)
        )
        async with self._database.write() as connection:
            return (await connection.execute(delete(shadow_diffs).where(shadow_diffs.c.decision.in_(calls)))).rowcount

    async def purge_before(self, time: float) -> int:
        """Delete calls, and counts that stand still, from before that time (seconds since the epoch); how many."""
        async with self._database.write() as connection:
            await connection.execute(delete(shadow_results).where(shadow_results.c.updated_at < time))
            return (await connection.execute(delete(shadow_diffs).where(shadow_diffs.c.at < time))).rowcount

    async def _take_counts(self, connection: AsyncConnection, draft: str, version: str, now: float) -> ShadowCounts:
        """Take the counts so far, which nobody else changes until the end of the transaction."""
        nothing = ShadowCounts(missing_facts={})
        fresh = {"version": version, "since": now, **{name: getattr(nothing, name) for name in ShadowCounts.__slots__}}
        added = self._database.insert(shadow_results).values(draft=draft, updated_at=now, **fresh)
        await connection.execute(added.on_conflict_do_nothing())
        mine = shadow_results.c.draft == draft
        found = await connection.execute(select(shadow_results).where(mine).with_for_update())
        row = found.mappings().one()
        if row["version"] == version:
            return _read_counts(row)
        await connection.execute(update(shadow_results).where(mine).values(fresh))
        await connection.execute(delete(shadow_diffs).where(shadow_diffs.c.draft == draft))
        return nothing


async def _trim(connection: AsyncConnection, draft: str) -> None:
    latest = select(shadow_diffs.c.id).where(shadow_diffs.c.draft == draft).order_by(shadow_diffs.c.id.desc())
    found = await connection.execute(latest.offset(_KEPT).limit(1))
    last = found.scalar_one_or_none()
    if last is not None:
        old = delete(shadow_diffs).where(shadow_diffs.c.draft == draft, shadow_diffs.c.id <= last)
        await connection.execute(old)


def _read_counts(row: Mapping[Any, Any]) -> ShadowCounts:
    return ShadowCounts(**{name: row[name] for name in ShadowCounts.__slots__})
