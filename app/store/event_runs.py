"""What is kept of the runs of events: which rows ran, for whom, and what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select, update

from app.store.database import Database
from app.store.pages import Page, cut_page
from app.store.tables import event_runs

__all__ = ["EventRunRecord", "EventRunStore"]

_PURGED_AT_ONCE = 2000


class EventRunRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="event_run"):
    """One run. All members are JSON values, so that journal and database store it as it is."""

    id: str
    """UUID version 7: unique, and sorted by time."""
    at: float
    """When the event arrived, in seconds since the epoch."""
    event: str
    version: int
    """Of the rows of the event."""
    request_id: str
    credential: str
    """Label of the webhook key or name of the Basic user; never the secret."""
    call_id: str | None
    phone_raw: str | None
    phone_e164: str | None
    user_id: str | None
    """The agent's id in Enreach."""
    customer: Mapping[str, object] | None
    """Kind and id of the customer's record, after the last row."""
    trace: Sequence[Mapping[str, object]]
    """What became of each row; free of names and numbers."""
    ms: float
    """Milliseconds of all rows together."""


_NAMES = EventRunRecord.__struct_fields__
_RECORD = [event_runs.c[name] for name in _NAMES]


class EventRunStore:
    """Keeps runs so that they can be listed and, for one number, forgotten. Everything raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(self, records: Sequence[EventRunRecord]) -> None:
        """Keep records; one whose id is there already is left as it is, so repeating is harmless."""
        if not records:
            return
        statement = self._database.insert(event_runs).on_conflict_do_nothing()
        async with self._database.write() as connection:
            await connection.execute(statement, [{name: getattr(r, name) for name in _NAMES} for r in records])

    async def page(self, event: str, *, limit: int, after: str | None) -> Page[EventRunRecord]:
        """List the runs of an event, newest first; `after` is the `next` of the page before."""
        query = select(*_RECORD).where(event_runs.c.event == event).order_by(event_runs.c.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(event_runs.c.id < after)
        async with self._database.read() as connection:
            rows: Sequence[Any] = (await connection.execute(query)).all()
        found = [EventRunRecord(**dict(zip(_NAMES, row, strict=True))) for row in rows]
        return cut_page(found, [record.id for record in found], limit)

    async def erase_number(self, e164: str) -> int:
        """Forget whose call it was, and return in how many runs; records still in the journal are not seen."""
        gone = dict.fromkeys(("call_id", "phone_raw", "phone_e164", "customer"))
        statement = update(event_runs).where(event_runs.c.phone_e164 == e164).values(**gone, erased=True)
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount

    async def purge_before(self, time: float) -> int:
        """Delete runs from before that time (seconds since the epoch), and return how many."""
        old = select(event_runs.c.id).where(event_runs.c.at < time).limit(_PURGED_AT_ONCE)
        purged = 0
        while True:
            async with self._database.write() as connection:
                count = (await connection.execute(delete(event_runs).where(event_runs.c.id.in_(old)))).rowcount
            purged += count
            if count < _PURGED_AT_ONCE:
                return purged
