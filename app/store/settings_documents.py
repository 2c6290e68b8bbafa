"""What administrators set while the service runs, with all its versions, and what they confirm by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import PreconditionFailedError
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.pages import Page, cut_page, read_cursor
from app.store.tables import confirmations, settings_versions

__all__ = [
    "EVERYBODY",
    "UNSET",
    "Confirmation",
    "ConfirmationStore",
    "DocumentChange",
    "SettingsDocument",
    "SettingsDocumentStore",
    "Versioned",
    "VersionedDocument",
]

UNSET = "unset"
"""The version of a document that nobody has set yet, as an ETag."""
EVERYBODY = "*"
"""The subject of a confirmation that holds for all users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDocument:
    """One version of a document."""

    name: str
    version: int
    """1 for the first, then one more with every change."""
    document: Mapping[str, object]
    author: str
    at: float
    """When it was written, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentChange:
    """A document to write."""

    name: str
    document: Mapping[str, object]
    expected: int
    """The version it is made from; 0 while nobody has written any."""


class SettingsDocumentStore:
    """Keeps documents and their history; each change names the version it was made from."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, name: str, version: int | None = None) -> SettingsDocument | None:
        """Read a version of a document, the newest for `None`; `None` when there is none."""
        table = settings_versions
        query = select(table).where(table.c.name == name).order_by(table.c.version.desc()).limit(1)
        if version is not None:
            query = query.where(table.c.version == version)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else SettingsDocument(**row)

    async def list_newest(self) -> dict[str, int]:
        """Return the number of the newest version by document."""
        table = settings_versions
        query = select(table.c.name, func.max(table.c.version)).group_by(table.c.name)
        async with self._database.read() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}

    async def list_since(self, name: str, version: int) -> list[SettingsDocument]:
        """List the versions of a document that are newer than this one, oldest first."""
        table = settings_versions
        query = select(table).where(table.c.name == name, table.c.version > version).order_by(table.c.version)
        async with self._database.read() as connection:
            return [SettingsDocument(**row) for row in (await connection.execute(query)).mappings()]

    async def page(self, name: str, *, limit: int, after: str | None) -> Page[SettingsDocument]:
        """List the versions of a document, newest first; `after` is the `next` of the page before."""
        table = settings_versions
        query = select(table).where(table.c.name == name).order_by(table.c.version.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(table.c.version < read_cursor(after))
        async with self._database.read() as connection:
            found = [SettingsDocument(**row) for row in (await connection.execute(query)).mappings()]
        return cut_page(found, [document.version for document in found], limit)

    async def put(
        self, changes: Sequence[DocumentChange], *, author: str, now: float, notes: Sequence[AuditNote] = ()
    ) -> list[SettingsDocument]:
        """Write new versions of some documents together with their audit notes, all or none.

        Raises PreconditionFailedError when one of them is at another version than expected.
        """
        async with self._database.write() as connection:
            written = [await self._write(connection, change, author, now) for change in changes]
            await write_notes(connection, notes)
        return written

    async def _write(
        self, connection: AsyncConnection, change: DocumentChange, author: str, now: float
    ) -> SettingsDocument:
        table = settings_versions
        newest = select(func.max(table.c.version)).where(table.c.name == change.name)
        if ((await connection.execute(newest)).scalar_one() or 0) != change.expected:
            raise _refuse(change.name)
        written = SettingsDocument(
            name=change.name, version=change.expected + 1, document=change.document, author=author, at=now
        )
        values = {name: getattr(written, name) for name in SettingsDocument.__dataclass_fields__}
        # Of two who write at once only one finds the number free.
        insert = self._database.insert(table).values(values).on_conflict_do_nothing()
        if (await connection.execute(insert)).rowcount == 0:
            raise _refuse(change.name)
        return written


Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Versioned(Generic[Model]):
    """Settings, and the version to change them from."""

    value: Model
    version: str = UNSET
    """The ETag."""
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
        return Versioned(self._model.model_validate(known), str(found.version), found.author, found.at)

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
        change = DocumentChange(name=self._name, document=document, expected=0 if version == UNSET else int(version))
        (written,) = await self._store.put([change], author=author, now=now, notes=[note])
        return Versioned(value, str(written.version), written.author, written.at)


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
