"""What administrators set while the service runs, and what they confirm by hand."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import delete, select, update

from app.errors import PreconditionFailedError
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.tables import confirmations, settings_documents

__all__ = [
    "EVERYBODY",
    "UNSET",
    "Confirmation",
    "ConfirmationStore",
    "SettingsDocument",
    "SettingsDocumentStore",
    "Versioned",
    "VersionedDocument",
]

UNSET = "unset"
"""The version of a document that nobody has set yet."""
EVERYBODY = "*"
"""The subject of a confirmation that holds for all users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDocument:
    """One JSON document as it is now."""

    name: str
    document: Mapping[str, object]
    version: str
    """Random, new with every change, never used twice: the ETag."""
    author: str
    at: float
    """When it was changed, in seconds since the epoch."""


class SettingsDocumentStore:
    """Keeps documents by name; each change names the version it was made from."""

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
                raise _refuse(name)
            await write_notes(connection, notes)
        return SettingsDocument(**row)


Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Versioned(Generic[Model]):
    """Settings, and the version to change them from."""

    value: Model
    version: str = UNSET
    author: str | None = None
    at: float | None = None
    """When they were set, in seconds since the epoch; `None` while nobody has."""


class VersionedDocument(Generic[Model]):
    """One settings document, read and written as a model.

    A change names the version it was made from, and is kept together with an audit entry that says what was there
    before. Members that the model does not know, written by a later version of the program, are left out.
    """

    def __init__(self, *, store: SettingsDocumentStore, name: str, model: type[Model], what: str, target: str) -> None:
        """`what` and `target` are those of the audit entry; while nobody has set anything the model's defaults hold."""
        self._store = store
        self._name = name
        self._model = model
        self._what = what
        self._target = target

    async def read(self) -> Versioned[Model]:
        """Return what is set; raises StoreError."""
        found = await self._store.get(self._name)
        if found is None:
            return Versioned(self._model())
        known = {name: value for name, value in found.document.items() if name in self._model.model_fields}
        return Versioned(self._model.model_validate(known), found.version, found.author, found.at)

    async def write(self, value: Model, *, version: str, author: str, now: float) -> Versioned[Model]:
        """Set it from that version; raises PreconditionFailedError when it is at another one, and StoreError."""
        before = await self.read()
        if before.version != version:
            raise _refuse(self._name)
        document = value.model_dump(mode="json")
        note = AuditNote(
            at=now,
            who=author,
            what=self._what,
            target=self._target,
            before=before.value.model_dump(mode="json"),
            after=document,
        )
        expected = None if version == UNSET else version
        written = await self._store.put(self._name, document, expected=expected, author=author, now=now, notes=[note])
        return Versioned(value, written.version, written.author, written.at)


def _refuse(name: str) -> PreconditionFailedError:
    return PreconditionFailedError(f"somebody else changed {name!r} since you read it; read it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Somebody says that something is so which no system can be asked for."""

    subject: str
    """A `systemuserid`, `EVERYBODY`, or another name of what it is about."""
    item: str
    who: str
    at: float
    """Seconds since the epoch."""
    note: str = ""
    """What they want others to know about it."""


class ConfirmationStore:
    """Keeps the latest confirmation of each item of each subject."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_of(self, item: str) -> dict[str, Confirmation]:
        """Read all confirmations of one item by subject."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(confirmations).where(confirmations.c.item == item))
            return {row["subject"]: Confirmation(**row) for row in rows.mappings()}

    async def list_about(self, subject: str) -> dict[str, Confirmation]:
        """Read all confirmations of one subject by item."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(confirmations).where(confirmations.c.subject == subject))
            return {row["item"]: Confirmation(**row) for row in rows.mappings()}

    async def put(self, confirmation: Confirmation) -> None:
        """Keep a confirmation instead of an earlier one."""
        values = {name: getattr(confirmation, name) for name in ("subject", "item", "who", "at", "note")}
        insert = self._database.insert(confirmations).values(values)
        changes = {name: insert.excluded[name] for name in ("who", "at", "note")}
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["subject", "item"], set_=changes))

    async def remove(self, subject: str, item: str) -> bool:
        """Take a confirmation back; False when there was none."""
        gone = delete(confirmations).where(confirmations.c.subject == subject, confirmations.c.item == item)
        async with self._database.write() as connection:
            return (await connection.execute(gone)).rowcount > 0
