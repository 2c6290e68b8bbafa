"""Which of several processes on one database does the timed work."""

from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database
from app.store.errors import StoreError, translate_errors

__all__ = ["Leadership"]


class Leadership:
    """One role that at most one process holds, by an advisory lock of PostgreSQL on a connection of its own.

    The lock ends with the connection, so a leader that dies is replaced at the next question. SQLite serves one
    process, which always leads.
    """

    def __init__(self, *, database: Database, role: str) -> None:
        self._database = database
        self._lock = int.from_bytes(sha256(role.encode()).digest()[:8], signed=True)
        self._connection: AsyncConnection | None = None

    async def lead(self) -> bool:
        """Tell whether this process leads now, and take the lead when nobody does; ask before every piece of work.

        Raises StoreError when the database is away.
        """
        if self._database.is_sqlite:
            return True
        if self._connection is not None and await self._is_alive(self._connection):
            return True
        with translate_errors():
            return await self._try_lock()

    async def resign(self) -> None:
        """Give the role up, at the end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with translate_errors():
                await connection.invalidate()
                await connection.close()

    async def _try_lock(self) -> bool:
        connection = await self._database.engine.execution_options(isolation_level="AUTOCOMMIT").connect()
        try:
            question = text("SELECT pg_try_advisory_lock(:lock)")
            won = (await connection.execute(question, {"lock": self._lock})).scalar_one()
        except BaseException:
            await connection.close()
            raise
        if won:
            self._connection = connection
        else:
            await connection.close()
        return bool(won)

    async def _is_alive(self, connection: AsyncConnection) -> bool:
        try:
            with translate_errors():
                await connection.execute(text("SELECT 1"))
        except StoreError:
            await self.resign()
            return False
        return True
