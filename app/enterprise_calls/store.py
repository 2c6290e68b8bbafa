"""Work calls in the database: what became of each and why, and how far Enreach was read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import delete, func, select, tuple_, update

from app.enterprise_calls.rules import CallEvent, Reason, Step, SyncOutcome
from app.errors import InvalidInputError
from app.routing.numbers import NumberKind
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.pages import Page, cut_page
from app.store.tables import enterprise_call_state, enterprise_calls

__all__ = ["EnterpriseCallStore", "StoredCall", "SyncState"]

_NAME = "calls"
_MAX_RUNS = 20
_AT_ONCE = 500
"""Ids in one question, far below what either database takes."""
_IN_EVENT = [each.name for each in fields(CallEvent) if each.name not in {"id", "call_id", "number"}]
"""Fields without a column of their own."""
_STEP = [each.name for each in fields(Step)]
_ERASED_STEP = {"rule": "number", "passed": False, "saw": {}, "explanation": "The number was erased."}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """A work call, and what became of it."""

    event: CallEvent
    user_id: str | None
    """The user of Dynamics whose call it was, where there is one."""
    outcome: SyncOutcome
    reason: Reason
    steps: tuple[Step, ...]
    updated_at: float
    tried_at: float | None = None
    """When an overnight run looked at it last."""

    @property
    def may_have_activity(self) -> bool:
        """Whether something may be in Dynamics."""
        return self.outcome is SyncOutcome.SYNCED or self.reason is Reason.WRITING


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """How far Enreach was read."""

    since: float
    """When reading began, in seconds since the epoch."""
    position: float
    """Until when every change was read."""
    overnight: float = 0.0
    """When the last overnight run that came to its end was due."""
    runs: Sequence[Mapping[str, Any]] = ()
    """The latest first."""


class EnterpriseCallStore:
    """Keeps them. Everything raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def load(self, ids: Collection[str]) -> dict[str, StoredCall]:
        """Read those of these that are kept."""
        found: dict[str, StoredCall] = {}
        wanted = sorted(ids)
        for start in range(0, len(wanted), _AT_ONCE):
            query = select(enterprise_calls).where(enterprise_calls.c.id.in_(wanted[start : start + _AT_ONCE]))
            async with self._database.read() as connection:
                found |= {row["id"]: _read(row) for row in (await connection.execute(query)).mappings()}
        return found

    async def save(self, calls: Sequence[StoredCall]) -> None:
        """Keep calls as they are now; one whose number was erased meanwhile stays so."""
        if not calls:
            return
        insert = self._database.insert(enterprise_calls)
        columns = {name: insert.excluded[name] for name in _write(calls[0]) if name != "id"}
        statement = insert.on_conflict_do_update(
            index_elements=["id"], set_=columns, where=enterprise_calls.c.reason != Reason.ERASED
        )
        async with self._database.write() as connection:
            await connection.execute(statement, [_write(call) for call in calls])

    async def withdraw(self, ids: Collection[str], *, now: float, who: str) -> list[str]:
        """Forget calls that may not be kept; returns the activities that stay in Dynamics, each with an audit note."""
        known = await self.load(ids)
        if not known:
            return []
        left = sorted(key for key, call in known.items() if call.may_have_activity)
        notes = [
            AuditNote(
                at=now,
                who=who,
                what="enterprise_calls.withdrawn",
                target=f"phonecall/{key}",
                after={"removed": "what this service kept of the call", "left": "the activity in Dynamics"},
            )
            for key in left
        ]
        async with self._database.write() as connection:
            await connection.execute(delete(enterprise_calls).where(enterprise_calls.c.id.in_(sorted(known))))
            await write_notes(connection, notes)
        return left

    async def find(self, call_id: str) -> list[StoredCall]:
        """Find the parts of one call, the latest first."""
        plain = call_id.strip()
        mine = enterprise_calls.c.call_id.in_({plain, plain.lower(), plain.upper()})
        query = select(enterprise_calls).where(mine).order_by(enterprise_calls.c.at.desc(), enterprise_calls.c.id)
        async with self._database.read() as connection:
            return [_read(row) for row in (await connection.execute(query)).mappings()]

    async def page(
        self,
        *,
        outcome: SyncOutcome | None = None,
        user_id: str | None = None,
        since: float | None = None,
        limit: int,
        after: str | None = None,
    ) -> Page[StoredCall]:
        """List calls, the latest first; `after` is the `next` of the page before."""
        table = enterprise_calls.c
        query = select(enterprise_calls).order_by(table.at.desc(), table.id.desc()).limit(limit + 1)
        if outcome is not None:
            query = query.where(table.outcome == outcome)
        if user_id is not None:
            query = query.where(table.user_id == user_id)
        if since is not None:
            query = query.where(table.at >= since)
        if after is not None:
            query = query.where(tuple_(table.at, table.id) < _read_cursor(after))
        async with self._database.read() as connection:
            rows = list((await connection.execute(query)).mappings())
        return cut_page([_read(row) for row in rows], [f"{row['at']!r}_{row['id']}" for row in rows], limit)

    async def list_pending(self, *, not_tried_since: float, limit: int) -> list[StoredCall]:
        """List calls that wait and that no overnight run has looked at since then, the oldest first."""
        query = (
            select(enterprise_calls)
            .where(*_wait(not_tried_since))
            .order_by(enterprise_calls.c.at, enterprise_calls.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [_read(row) for row in (await connection.execute(query)).mappings()]

    async def count_pending(self, *, not_tried_since: float) -> int:
        """Count them."""
        query = select(func.count()).select_from(enterprise_calls).where(*_wait(not_tried_since))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def count(self) -> dict[str, dict[str, int]]:
        """Count calls by outcome and reason."""
        table = enterprise_calls.c
        query = select(table.outcome, table.reason, func.count()).group_by(table.outcome, table.reason)
        counts: dict[str, dict[str, int]] = {}
        async with self._database.read() as connection:
            for outcome, reason, number in await connection.execute(query.order_by(table.outcome, table.reason)):
                counts.setdefault(outcome, {})[reason] = number
        return counts

    async def list_users(self) -> frozenset[str]:
        """List the users who have had work calls."""
        query = select(enterprise_calls.c.user_id).distinct()
        async with self._database.read() as connection:
            return frozenset(user for (user,) in await connection.execute(query) if user is not None)

    async def find_latest(self, outcome: SyncOutcome) -> float | None:
        """Return when a call last came to an outcome."""
        query = select(func.max(enterprise_calls.c.updated_at)).where(enterprise_calls.c.outcome == outcome)
        async with self._database.read() as connection:
            latest: float | None = (await connection.execute(query)).scalar_one()
        return latest

    async def erase_number(self, e164: str) -> int:
        """Take a number out, and everything else that tells who took part; the call is not synchronised any more."""
        erased = (
            update(enterprise_calls)
            .where(enterprise_calls.c.number == e164)
            .values(
                number=None,
                user_id=None,
                event={},
                outcome=SyncOutcome.SKIPPED,
                reason=Reason.ERASED,
                steps=[_ERASED_STEP],
            )
        )
        async with self._database.write() as connection:
            return (await connection.execute(erased)).rowcount

    async def purge_before(self, time: float) -> int:
        """Delete calls of before that time (seconds since the epoch), and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(enterprise_calls).where(enterprise_calls.c.at < time))).rowcount

    async def read_state(self) -> SyncState | None:
        """Return how far Enreach was read; `None` before the first time."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(enterprise_call_state))).mappings().one_or_none()
        return None if row is None else SyncState(**{name: row[name] for name in row if name != "name"})

    async def begin(self, *, position: float) -> None:
        """Begin to read from here, unless somebody did."""
        values = {"name": _NAME, "since": position, "position": position, "overnight": 0.0, "runs": []}
        async with self._database.write() as connection:
            await connection.execute(
                self._database.insert(enterprise_call_state).values(values).on_conflict_do_nothing()
            )

    async def advance(self, *, position: float | None = None, overnight: float | None = None) -> None:
        """Move on, never back."""
        table = enterprise_call_state
        async with self._database.write() as connection:
            for column, value in ((table.c.position, position), (table.c.overnight, overnight)):
                if value is not None:
                    await connection.execute(update(table).where(column < value).values({column: value}))

    async def note_run(self, run: Mapping[str, Any]) -> None:
        """Keep what a run did, and the latest of those before it."""
        table = enterprise_call_state
        async with self._database.write() as connection:
            runs = (await connection.execute(select(table.c.runs).with_for_update())).scalar_one_or_none()
            if runs is not None:
                await connection.execute(update(table).values(runs=[run, *runs][:_MAX_RUNS]))


def _wait(not_tried_since: float) -> tuple[Any, ...]:
    table = enterprise_calls.c
    return table.outcome == SyncOutcome.PENDING, func.coalesce(table.tried_at, 0.0) < not_tried_since


def _write(call: StoredCall) -> dict[str, Any]:
    event = call.event
    rest = {name: getattr(event, name) for name in _IN_EVENT}
    return {
        "id": event.id,
        "call_id": event.call_id,
        "at": call.updated_at if event.started_at is None else event.started_at,
        "user_id": call.user_id,
        "number": event.number,
        "event": rest,
        "outcome": call.outcome,
        "reason": call.reason,
        "steps": [{name: getattr(step, name) for name in _STEP} for step in call.steps],
        "updated_at": call.updated_at,
        "tried_at": call.tried_at,
    }


def _read(row: Mapping[Any, Any]) -> StoredCall:
    erased = {"user_name": None, "started_at": row["at"], "seconds": 0.0, "outgoing": False, "answered": False}
    event = {**erased, "number_kind": NumberKind.WITHHELD, **row["event"]}
    event["number_kind"] = NumberKind(event["number_kind"])
    return StoredCall(
        event=CallEvent(id=row["id"], call_id=row["call_id"], number=row["number"], **event),
        user_id=row["user_id"],
        outcome=SyncOutcome(row["outcome"]),
        reason=Reason(row["reason"]),
        steps=tuple(Step(**step) for step in row["steps"]),
        updated_at=row["updated_at"],
        tried_at=row["tried_at"],
    )


def _read_cursor(cursor: str) -> tuple[float, str]:
    at, _, key = cursor.partition("_")
    try:
        return float(at), key
    except ValueError as error:
        raise InvalidInputError("the cursor is not one that a page of this list gave") from error
