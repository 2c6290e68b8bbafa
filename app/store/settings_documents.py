"""Settings that administrators change while the service runs: JSON documents by name."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from app.errors import PreconditionFailedError
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.tables import settings_documents

__all__ = ["SettingsDocument", "SettingsDocumentStore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDocument:
    """One document as it is now."""

    name: str
    document: Mapping[str, object]
    version: str
    """Random, new with every change, never used twice: the ETag."""
    author: str
    at: float
    """When it was changed, in seconds since the epoch."""


class SettingsDocumentStore:
    """Keeps documents; each change names the version it was made from."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> SettingsDocument | None:
        """Read a document; `None` when nobody has set it."""
        query = select(settings_documents).where(settings_documents.c.name == name)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else SettingsDocument(**row)

    async def put(
        self,
        name: str,
        document: Mapping[str, object],
        *,
        expected: str | None,
        author: str,
        now: float,
        notes: Sequence[AuditNote] = (),
    ) -> SettingsDocument:
        """Write a document over the version `expected`, or the first one for `None`, together with its audit notes.

        Raises PreconditionFailedError when the document is at another version.
        """
        values = {"document": document, "version": secrets.token_hex(16), "author": author, "at": now}
        table = settings_documents
        first = self._database.insert(table).values(name=name, **values).on_conflict_do_nothing().returning(table)
        later = update(table).where(table.c.name == name, table.c.version == expected).values(values).returning(table)
        async with self._database.write() as connection:
            found = await connection.execute(first if expected is None else later)
            row = found.mappings().one_or_none()
            if row is None:
                raise PreconditionFailedError(f"somebody else changed {name!r} since you read it; read it again")
            await write_notes(connection, notes)
        return SettingsDocument(**row)
