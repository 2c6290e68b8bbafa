"""When each webhook key was used last, so that a key can be retired once nobody uses it."""

from collections.abc import Mapping

from sqlalchemy import select

from app.store.database import Database
from app.store.tables import key_uses

__all__ = ["KeyUseStore"]


class KeyUseStore:
    """Keeps last-used times by label; the keys themselves are not here."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def save(self, uses: Mapping[str, float]) -> None:
        """Note uses by label, in seconds since the epoch; an older time than the known one changes nothing."""
        if not uses:
            return
        insert = self._database.insert(key_uses)
        newer = insert.excluded.last_used
        statement = insert.on_conflict_do_update(
            index_elements=["label"], set_={"last_used": newer}, where=newer > key_uses.c.last_used
        )
        rows = [{"label": label, "last_used": used} for label, used in sorted(uses.items())]
        async with self._database.write() as connection:
            await connection.execute(statement, rows)

    async def load(self) -> dict[str, float]:
        """Read all of them."""
        async with self._database.read() as connection:
            return {row.label: row.last_used for row in await connection.execute(select(key_uses))}
