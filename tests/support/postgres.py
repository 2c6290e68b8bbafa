"""Databases on PostgreSQL, for as long as a test needs one."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from sqlalchemy import make_url

__all__ = ["find_postgres", "new_postgres_database"]


def find_postgres() -> str:
    """Return the URL of a server where tests may create databases; without one the test is skipped, or fails."""
    url = os.environ.get("TEST_POSTGRES_URL")
    if url:
        return url
    reason = "TEST_POSTGRES_URL names no PostgreSQL: tested on SQLite only"
    if os.environ.get("REQUIRE_POSTGRES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def new_postgres_database(server: str) -> Iterator[str]:
    """Create a database under a new name, and drop it at the end."""
    name = f"test_{secrets.token_hex(8)}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
