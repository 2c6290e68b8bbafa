"""Enreach ids of Dynamics users, where the customer has no column for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.store.database import Database
from app.store.tables import agent_ids

__all__ = ["EnreachIdCache", "EnreachIdStore", "StoredEnreachId"]


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


class EnreachIdCache:
    """A copy of the ids in the store for calls, which must not wait for the database.

    Refreshed after every change here, and every few seconds for those of other replicas.
    """

    def __init__(self, *, store: EnreachIdStore) -> None:
        self._store = store
        self._ids: Mapping[str, str] = {}

    def agent_of(self, user_id: str) -> str | None:
        """Return the Enreach user id of a Dynamics user."""
        return self._ids.get(user_id)

    async def refresh(self) -> None:
        """Read all ids again; raises StoreError, and then keeps what it had."""
        kept = await self._store.load()
        self._ids = {user: entry.enreach_id for user, entry in kept.items() if entry.enreach_id}
