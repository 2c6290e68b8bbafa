"""Drafts of rulesets: changed only by who has seen the latest version, so that nothing is lost."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import NotFoundError, PreconditionFailedError
from app.rulesets.values import Document, Draft
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.tables import drafts

__all__ = ["DraftStore", "take_draft"]


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
        """Start a draft under an id that was never used."""
        draft = Draft(
            id=draft_id,
            name=name,
            document=document,
            version=_make_version(),
            based_on=based_on,
            author=author,
            updated_at=now,
        )
        async with self._database.write() as connection:
            values = {column.name: getattr(draft, column.name) for column in drafts.columns}
            await connection.execute(insert(drafts).values(values))
            await write_notes(connection, notes)
        return draft

    async def get(self, draft_id: str) -> Draft:
        """Find a draft; raises NotFoundError."""
        async with self._database.read() as connection:
            found = await connection.execute(select(drafts).where(drafts.c.id == draft_id))
            row = found.mappings().one_or_none()
        if row is None:
            raise _not_found(draft_id)
        return _read_draft(row)

    async def list_all(self) -> list[Draft]:
        """List the drafts, the last changed first."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(drafts).order_by(drafts.c.updated_at.desc(), drafts.c.id))
            return [_read_draft(row) for row in rows.mappings()]

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
        """Change a draft from the version it was read in; raises NotFoundError or PreconditionFailedError."""
        changed = (
            update(drafts)
            .where(drafts.c.id == draft_id, drafts.c.version == version)
            .values(name=name, document=document, version=_make_version(), author=author, updated_at=now)
            .returning(drafts)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(changed)).mappings().one_or_none()
            if row is None:
                raise await _refuse(connection, draft_id)
            await write_notes(connection, notes)
        return _read_draft(row)

    async def delete(self, draft_id: str, *, version: str, notes: Sequence[AuditNote] = ()) -> None:
        """Throw a draft away; raises NotFoundError or PreconditionFailedError."""
        async with self._database.write() as connection:
            await take_draft(connection, draft_id, version)
            await write_notes(connection, notes)


async def take_draft(connection: AsyncConnection, draft_id: str, version: str) -> Draft:
    """Remove a draft of exactly this version within a transaction; raises NotFoundError or PreconditionFailedError."""
    taken = delete(drafts).where(drafts.c.id == draft_id, drafts.c.version == version).returning(drafts)
    row = (await connection.execute(taken)).mappings().one_or_none()
    if row is None:
        raise await _refuse(connection, draft_id)
    return _read_draft(row)


async def _refuse(connection: AsyncConnection, draft_id: str) -> NotFoundError | PreconditionFailedError:
    found = await connection.execute(select(drafts.c.id).where(drafts.c.id == draft_id))
    if found.scalar_one_or_none() is None:
        return _not_found(draft_id)
    return PreconditionFailedError("somebody else changed this draft since you read it; read it again")


def _not_found(draft_id: str) -> NotFoundError:
    return NotFoundError(f"there is no draft {draft_id!r}")


def _make_version() -> str:
    return secrets.token_hex(16)


def _read_draft(row: Mapping[Any, Any]) -> Draft:
    return Draft(**row)
