"""The audit: who did what to what, and how it was before and after."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database
from app.store.pages import Page, cut_page, read_cursor
from app.store.tables import audit

__all__ = ["AuditEntry", "AuditNote", "AuditStore", "write_notes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNote:
    """One thing somebody does, to be written in the transaction in which it is done."""

    at: float
    """Seconds since the epoch."""
    who: str
    """The label of an API key, or the subject of a token."""
    what: str
    """A fixed dotted name, e.g. `ruleset.published`."""
    target: str
    """What it was done to, e.g. `ruleset/7`."""
    before: object = None
    """JSON without secrets, or `None`."""
    after: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry(AuditNote):
    """One thing somebody did."""

    id: int


class AuditStore:
    """Keeps the audit; entries are only ever added."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(
        self, *, at: float, who: str, what: str, target: str, before: object = None, after: object = None
    ) -> None:
        """Add an entry; `before` and `after` are JSON values without secrets."""
        note = AuditNote(at=at, who=who, what=what, target=target, before=before, after=after)
        async with self._database.write() as connection:
            await write_notes(connection, [note])

    async def page(
        self,
        *,
        limit: int,
        after: str | None = None,
        who: str | None = None,
        what: str | None = None,
        target: str | None = None,
    ) -> Page[AuditEntry]:
        """List entries, newest first, of one person, action or target; `after` is the `next` of the page before."""
        wanted = {audit.c.who: who, audit.c.what: what, audit.c.target: target}
        query = (
            select(audit)
            .where(*(column == value for column, value in wanted.items() if value is not None))
            .order_by(audit.c.id.desc())
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(audit.c.id < read_cursor(after))
        async with self._database.read() as connection:
            entries = [AuditEntry(**row) for row in (await connection.execute(query)).mappings()]
        return cut_page(entries, [entry.id for entry in entries], limit)


async def write_notes(connection: AsyncConnection, notes: Sequence[AuditNote]) -> None:
    """Add entries within a transaction: they are kept if, and only if, everything else in it is."""
    for note in notes:
        values = {field.name: getattr(note, field.name) for field in fields(note)}
        await connection.execute(insert(audit).values(values))
