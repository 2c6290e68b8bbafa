"""The audit: who did what to what, and how it was before and after."""

from dataclasses import dataclass

from sqlalchemy import insert, select

from app.store.database import Database
from app.store.pages import Page, cut_page, read_cursor
from app.store.tables import audit

__all__ = ["AuditEntry", "AuditStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing somebody did."""

    id: int
    at: float
    """Seconds since the epoch."""
    who: str
    """The label of an API key, or the subject of a token."""
    what: str
    """A fixed dotted name, e.g. `ruleset.published`."""
    target: str
    """What it was done to, e.g. `ruleset/7`."""
    before: object
    """JSON, or `None`."""
    after: object


class AuditStore:
    """Keeps the audit; entries are only ever added."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(
        self, *, at: float, who: str, what: str, target: str, before: object = None, after: object = None
    ) -> None:
        """Add an entry; `before` and `after` are JSON values without secrets."""
        values = {"at": at, "who": who, "what": what, "target": target, "before": before, "after": after}
        async with self._database.write() as connection:
            await connection.execute(insert(audit).values(values))

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
