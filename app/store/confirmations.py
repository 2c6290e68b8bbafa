"""What an administrator confirmed by hand, because no system can be asked for it."""

from dataclasses import dataclass

from sqlalchemy import delete, select

from app.store.database import Database
from app.store.tables import confirmations

__all__ = ["EVERYBODY", "Confirmation", "ConfirmationStore"]

EVERYBODY = "*"
"""The subject of a confirmation that holds for all users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Somebody says that something is so."""

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
