"""Which Enreach user a Dynamics user is, where the customer has no column for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.store.database import Database
from app.store.tables import agent_ids

__all__ = ["EnreachIdStore", "StoredEnreachId"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEnreachId:
    """What is kept of one Dynamics user."""

    user_id: str
    """The `systemuserid`."""
    enreach_id: str | None
    email: str | None
    """The user's e-mail address in Enreach, where it is not the one in Dynamics."""
    updated_at: float
    """Seconds since the epoch."""


class EnreachIdStore:
    """Keeps ids and e-mail overrides by Dynamics user; the two are set apart from each other."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def load(self) -> dict[str, StoredEnreachId]:
        """Read all of them by Dynamics user."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(agent_ids))
            return {row["user_id"]: StoredEnreachId(**row) for row in rows.mappings()}

    async def get(self, user_id: str) -> StoredEnreachId | None:
        """Read what is kept of one user."""
        async with self._database.read() as connection:
            found = await connection.execute(select(agent_ids).where(agent_ids.c.user_id == user_id))
            row = found.mappings().one_or_none()
        return None if row is None else StoredEnreachId(**row)

    async def put_enreach_ids(self, ids: Mapping[str, str | None], *, now: float) -> None:
        """Set the Enreach ids of many users, or take them away with `None`; e-mail overrides stay."""
        await self._put("enreach_id", ids, now)

    async def put_email(self, user_id: str, email: str | None, *, now: float) -> None:
        """Set the e-mail override of one user, or take it away with `None`; the id stays."""
        await self._put("email", {user_id: email}, now)

    async def _put(self, column: str, values: Mapping[str, str | None], now: float) -> None:
        if not values:
            return
        insert = self._database.insert(agent_ids)
        statement = insert.on_conflict_do_update(
            index_elements=["user_id"],
            set_={column: insert.excluded[column], "updated_at": insert.excluded.updated_at},
        )
        rows = [{"user_id": user, column: value, "updated_at": now} for user, value in sorted(values.items())]
        async with self._database.write() as connection:
            await connection.execute(statement, rows)
