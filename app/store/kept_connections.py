"""Connections that are kept: for a question that is asked at nearly every call, and for the lock of who leads."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, translate_errors
from app.store.errors import StoreError

__all__ = ["Leadership", "SteadyReader"]


class SteadyReader:
    """Reads without a transaction and without a check-out from the pool: one round trip, or one change of threads.

    A pooled read costs SQLite nine changes of threads and PostgreSQL four round trips.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection | None = None
        self._pool: object = None
        self._turn = asyncio.Lock()

    async def fetch(self, sqlite: str, postgresql: str, *values: object) -> Sequence[Sequence[Any]]:
        """Run the statement of the database in use, with its values in order; raises StoreError.

        After a failure, or when whoever waited has gone, the next read connects anew.
        """
        async with self._turn:
            try:
                self._database.require_usable()
                with translate_errors():
                    connection = await self._connect()
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    if self._database.is_sqlite:
                        return list(await driver.execute_fetchall(sqlite, values))
                    return list(await driver.fetch(postgresql, *values))
            except BaseException:
                await self._drop()
                raise

    async def aclose(self) -> None:
        """Give the connection back."""
        async with self._turn:
            await self._drop()

    async def _connect(self) -> AsyncConnection:
        """Return the connection; a new one when the old one belongs to a database that has been put back since."""
        pool = self._database.engine.pool
        if self._connection is not None and self._pool is not pool:
            await self._drop()
        if self._connection is None:
            self._connection = await self._database.connect()
            self._pool = pool
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with translate_errors():
                try:
                    await connection.invalidate()
                finally:
                    await connection.close()


class Leadership:
    """One role that at most one process holds, by an advisory lock of PostgreSQL on a connection of its own.

    The lock ends with the connection, so a leader that dies is replaced at the next question. SQLite serves one
    process, which always leads.
    """

    def __init__(self, *, database: Database, role: str) -> None:
        self._database = database
        self._lock = int.from_bytes(sha256(role.encode()).digest()[:8], signed=True)
        self._connection: AsyncConnection | None = None
        self._asking = asyncio.Lock()

    async def lead(self) -> bool:
        """Tell whether this process leads now, and take the lead when nobody does; ask before every piece of work.

        Raises StoreError when the database is away.
        """
        if self._database.is_sqlite:
            return True
        # One at a time: a second connection of this process would find the role taken, by the first one.
        async with self._asking:
            if self._connection is not None and await self._is_alive(self._connection):
                return True
            with translate_errors():
                return await self._try_lock()

    async def resign(self) -> None:
        """Give the role up, at the end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with translate_errors():
                try:
                    await connection.invalidate()
                finally:
                    await connection.close()

    async def _try_lock(self) -> bool:
        connection = await self._database.connect()
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
