"""Published rulesets, a row of revisions that only grows, and the drafts of the next one."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Text, cast, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import ConflictError, NotFoundError, PreconditionFailedError
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.pages import Page, cut_page, read_cursor
from app.store.tables import drafts, revisions

__all__ = [
    "Document",
    "Draft",
    "DraftHead",
    "DraftStore",
    "Revision",
    "RevisionHead",
    "RulesetStore",
    "compute_checksum",
    "make_version",
]

Document = Mapping[str, object]
"""A ruleset as JSON."""
_HEAD = [column for column in revisions.columns if column.name != "document"]
_DRAFT_HEAD = [column for column in drafts.columns if column.name != "document"]
_MAX_DRAFTS = 100
_MAX_DRAFT_CHARACTERS = 20 * 1024 * 1024
"""Of all drafts together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionHead:
    """What a list says about a revision."""

    number: int
    """1, 2, 3 and so on; never used twice."""
    comment: str
    author: str
    at: float
    """When it was published, in seconds since the epoch."""
    checksum: str
    rollback_of: int | None
    """The revision whose document it brought back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A published ruleset; nothing about it ever changes but a number that is erased."""

    head: RevisionHead
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftHead:
    """What a list says about a draft."""

    id: str
    name: str
    version: str
    """Random, new with every change, never used twice: the ETag."""
    based_on: int | None
    """The revision it started from."""
    author: str
    """Who changed it last."""
    updated_at: float

    @property
    def etag(self) -> str:
        """The version, as If-Match takes it."""
        return self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(DraftHead):
    """A ruleset somebody is working on."""

    document: Document


def compute_checksum(document: Document) -> str:
    """Fingerprint a document regardless of the order of members and of white space."""
    return sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


class DraftStore:
    """Keeps drafts; each change names the version it was made from, and is kept together with its audit notes."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def create(
        self,
        draft_id: str,
        *,
        name: str,
        document: Document,
        based_on: int | None,
        author: str,
        now: float,
        notes: Sequence[AuditNote] = (),
    ) -> Draft:
        """Start a draft under an id that was never used; raises ConflictError when there are too many."""
        draft = Draft(
            id=draft_id,
            name=name,
            document=document,
            version=make_version(),
            based_on=based_on,
            author=author,
            updated_at=now,
        )
        async with self._database.write() as connection:
            values = {column.name: getattr(draft, column.name) for column in drafts.columns}
            await connection.execute(insert(drafts).values(values))
            await _require_room(connection)
            await write_notes(connection, notes)
        return draft

    async def get(self, draft_id: str) -> Draft:
        """Find a draft; raises NotFoundError."""
        async with self._database.read() as connection:
            found = await connection.execute(select(drafts).where(drafts.c.id == draft_id))
            row = found.mappings().one_or_none()
        if row is None:
            raise _not_found(draft_id)
        return Draft(**row)

    async def list_heads(self) -> list[DraftHead]:
        """List the drafts, the last changed first."""
        query = select(*_DRAFT_HEAD).order_by(drafts.c.updated_at.desc(), drafts.c.id)
        async with self._database.read() as connection:
            return [DraftHead(**row) for row in (await connection.execute(query)).mappings()]

    async def update(
        self,
        draft_id: str,
        *,
        version: str,
        name: str,
        document: Document,
        author: str,
        now: float,
        notes: Sequence[AuditNote] = (),
    ) -> Draft:
        """Change a draft from the version it was read in.

        Raises NotFoundError, PreconditionFailedError, and ConflictError when all drafts together are too large.
        """
        changed = (
            update(drafts)
            .where(drafts.c.id == draft_id, drafts.c.version == version)
            .values(name=name, document=document, version=make_version(), author=author, updated_at=now)
            .returning(drafts)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(changed)).mappings().one_or_none()
            if row is None:
                raise await _explain_missing(connection, draft_id)
            await _require_room(connection)
            await write_notes(connection, notes)
        return Draft(**row)

    async def delete(self, draft_id: str, *, version: str, notes: Sequence[AuditNote] = ()) -> None:
        """Throw a draft away; raises NotFoundError or PreconditionFailedError."""
        async with self._database.write() as connection:
            await _take_draft(connection, draft_id, version)
            await write_notes(connection, notes)


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
        """Tell the newest revision's number."""
        async with self._database.read() as connection:
            return await _read_current_number(connection)

    async def current_fingerprint(self) -> tuple[int, str] | None:
        """Tell number and checksum of the newest revision, cheaply enough to ask every second.

        The checksum changes when a number is erased from the revision.
        """
        newest = select(revisions.c.number, revisions.c.checksum).order_by(revisions.c.number.desc()).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(newest)).one_or_none()
        return None if row is None else (row.number, row.checksum)

    async def revision(self, number: int) -> Revision:
        """Read one revision; raises NotFoundError."""
        async with self._database.read() as connection:
            return await _read_one(connection, number)

    async def find_live_at(self, moment: float) -> Revision | None:
        """Read the revision that was live at a moment, in seconds since the epoch; `None` when there was none yet."""
        query = select(revisions).where(revisions.c.at <= moment).order_by(revisions.c.number.desc()).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else _read_revision(row)

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
        columns: Document | None = None,
        notes: Sequence[AuditNote] = (),
    ) -> Revision:
        """Turn a draft into the next revision; the draft is gone afterwards.

        `version` is the draft's, `expected` the current revision as the publisher saw it, and `columns` describes the
        columns the rules read. Raises NotFoundError or
        PreconditionFailedError for the draft, ConflictError when another revision was published meanwhile.
        """
        async with self._database.write() as connection:
            draft = await _take_draft(connection, draft_id, version)
            await write_notes(connection, notes)
            document = {**draft.document, "columns": columns} if columns else draft.document
            return await self._add(connection, document, expected=expected, comment=comment, author=author, now=now)

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
            return await self._add(connection, document, expected=expected, comment=comment, author=author, now=now)

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
        rollback_of: int | None = None,
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


async def _take_draft(connection: AsyncConnection, draft_id: str, version: str) -> Draft:
    """Remove a draft of exactly this version within a transaction; raises NotFoundError or PreconditionFailedError."""
    taken = delete(drafts).where(drafts.c.id == draft_id, drafts.c.version == version).returning(drafts)
    row = (await connection.execute(taken)).mappings().one_or_none()
    if row is None:
        raise await _explain_missing(connection, draft_id)
    return Draft(**row)


async def _require_room(connection: AsyncConnection) -> None:
    """Undo, by raising ConflictError, what made the drafts too many or too large."""
    size = func.coalesce(func.sum(func.length(cast(drafts.c.document, Text))), 0)
    count, characters = (await connection.execute(select(func.count(), size).select_from(drafts))).one()
    if count > _MAX_DRAFTS:
        raise ConflictError(f"there are {_MAX_DRAFTS} drafts already; publish one, or throw one away")
    if characters > _MAX_DRAFT_CHARACTERS:
        raise ConflictError("all drafts together would be too large; publish one, or throw one away")


async def _explain_missing(connection: AsyncConnection, draft_id: str) -> NotFoundError | PreconditionFailedError:
    found = await connection.execute(select(drafts.c.id).where(drafts.c.id == draft_id))
    if found.scalar_one_or_none() is None:
        return _not_found(draft_id)
    return PreconditionFailedError("somebody else changed this draft since you read it; read it again")


def _not_found(draft_id: str) -> NotFoundError:
    return NotFoundError(f"there is no draft {draft_id!r}")


def make_version() -> str:
    """Make the version of a draft that was changed."""
    return secrets.token_hex(16)


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
