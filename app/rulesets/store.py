"""Published rulesets: a row of revisions that only grows."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import ConflictError, NotFoundError
from app.rulesets.draft_store import DraftStore, take_draft
from app.rulesets.values import Document, Draft, Revision, RevisionHead, compute_checksum
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.pages import Page, cut_page, read_cursor
from app.store.tables import revisions

__all__ = ["RulesetStore"]

_HEAD = [column for column in revisions.columns if column.name != "document"]


class RulesetStore:
    """Keeps revisions and drafts; of two who publish at once on the same revision, exactly one succeeds.

    A revision is written together with its audit notes, or not at all.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self.drafts = DraftStore(database=database)
        """The drafts of the same database."""

    async def current(self) -> Revision | None:
        """Read the newest revision; `None` when nothing was ever published."""
        async with self._database.read() as connection:
            found = await connection.execute(select(revisions).order_by(revisions.c.number.desc()).limit(1))
            row = found.mappings().one_or_none()
        return None if row is None else _read_revision(row)

    async def current_number(self) -> int | None:
        """Tell the newest revision's number, cheaply enough to ask every second."""
        async with self._database.read() as connection:
            return await _read_current_number(connection)

    async def revision(self, number: int) -> Revision:
        """Read one revision; raises NotFoundError."""
        async with self._database.read() as connection:
            return await _read_one(connection, number)

    async def list_revisions(self, *, limit: int, after: str | None = None) -> Page[RevisionHead]:
        """List revisions without their documents, newest first; `after` is the `next` of the page before."""
        query = select(*_HEAD).order_by(revisions.c.number.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(revisions.c.number < read_cursor(after))
        async with self._database.read() as connection:
            heads = [RevisionHead(**row) for row in (await connection.execute(query)).mappings()]
        return cut_page(heads, [head.number for head in heads], limit)

    async def publish(
        self,
        draft_id: str,
        *,
        version: str,
        expected: int | None,
        comment: str,
        author: str,
        now: float,
        notes: Sequence[AuditNote] = (),
    ) -> Revision:
        """Turn a draft into the next revision; the draft is gone afterwards.

        `version` is the draft's, `expected` the current revision as the publisher saw it. Raises NotFoundError or
        PreconditionFailedError for the draft, ConflictError when another revision was published meanwhile.
        """
        async with self._database.write() as connection:
            draft: Draft = await take_draft(connection, draft_id, version)
            await write_notes(connection, notes)
            return await self._add(
                connection, draft.document, expected=expected, comment=comment, author=author, now=now, rollback_of=None
            )

    async def publish_document(
        self,
        document: Document,
        *,
        expected: int | None,
        comment: str,
        author: str,
        now: float,
        notes: Sequence[AuditNote] = (),
    ) -> Revision:
        """Publish a ruleset that was no draft, such as a file; raises ConflictError as `publish` does."""
        async with self._database.write() as connection:
            await write_notes(connection, notes)
            return await self._add(
                connection, document, expected=expected, comment=comment, author=author, now=now, rollback_of=None
            )

    async def roll_back(
        self,
        number: int,
        *,
        expected: int | None,
        comment: str,
        author: str,
        now: float,
        notes: Sequence[AuditNote] = (),
    ) -> Revision:
        """Publish the document of an older revision as a new one; raises NotFoundError or ConflictError."""
        async with self._database.write() as connection:
            old = await _read_one(connection, number)
            await write_notes(connection, notes)
            return await self._add(
                connection, old.document, expected=expected, comment=comment, author=author, now=now, rollback_of=number
            )

    async def _add(
        self,
        connection: AsyncConnection,
        document: Document,
        *,
        expected: int | None,
        comment: str,
        author: str,
        now: float,
        rollback_of: int | None,
    ) -> Revision:
        current = await _read_current_number(connection)
        head = RevisionHead(
            number=(current or 0) + 1,
            comment=comment,
            author=author,
            at=now,
            checksum=compute_checksum(document),
            rollback_of=rollback_of,
        )
        values = {column.name: getattr(head, column.name) for column in _HEAD} | {"document": document}
        added = self._database.insert(revisions).values(values).on_conflict_do_nothing()
        if current != expected or (await connection.execute(added)).rowcount != 1:
            raise ConflictError("another revision was published meanwhile; look at it, then publish again")
        return Revision(head=head, document=document)


async def _read_current_number(connection: AsyncConnection) -> int | None:
    number: int | None = (await connection.execute(select(func.max(revisions.c.number)))).scalar_one()
    return number


async def _read_one(connection: AsyncConnection, number: int) -> Revision:
    found = await connection.execute(select(revisions).where(revisions.c.number == number))
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"there is no revision {number}")
    return _read_revision(row)


def _read_revision(row: Mapping[Any, Any]) -> Revision:
    members = dict(row)
    document = members.pop("document")
    return Revision(head=RevisionHead(**members), document=document)
