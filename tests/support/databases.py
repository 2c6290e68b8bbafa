"""A database for each test, on SQLite and, where one is named, on PostgreSQL."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.store.database import Database, open_database
from app.store.tables import metadata
from app.store.upgrade import upgrade
from tests.support.organisation import PLACES
from tests.support.postgres import find_postgres, new_postgres_database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables in it, made once for each worker."""
    file = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(_create_tables(f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a PostgreSQL server where tests may create databases."""
    return find_postgres()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database with the tables in it, made once for each worker."""
    with new_postgres_database(postgres_server) as url:
        asyncio.run(_create_tables(url))
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with tables and nothing in them."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    file = tmp_path / "test.db"
    shutil.copy(request.getfixturevalue("sqlite_template"), file)
    return f"sqlite:///{file}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with tables and nothing in them."""
    database = open_database(database_url)
    if not database.is_sqlite:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        async with database.write() as connection:
            await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    yield database
    await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with new_postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture(params=[*PLACES, "postgresql"])
def where(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Each place where Enreach ids may be kept, and everything in PostgreSQL: arguments of `open_organisation`."""
    if request.param != "postgresql":
        yield {"place": request.param}
        return
    with new_postgres_database(find_postgres()) as url:
        yield {"place": "store", "store": {"url": url}}


async def _create_tables(url: str) -> None:
    database = open_database(url)
    await upgrade(database)
    await database.close()
