"""A connection kept for one question that is asked at nearly every call."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database
from app.store.errors import translate_errors

__all__ = ["SteadyReader"]


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
            self._connection = await self._database.engine.execution_options(isolation_level="AUTOCOMMIT").connect()
            self._pool = pool
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with translate_errors():
                await connection.invalidate()
                await connection.close()
