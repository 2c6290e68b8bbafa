"""The way of the schema."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import app
from app.store.database import open_database
from app.store.errors import StoreSchemaTooNewError
from app.store.tables import metadata
from app.store.upgrade import rehearse_upgrade, upgrade

NEWEST = "0015"


async def test_migrations_lead_to_the_tables(empty_url: str) -> None:
    """After every migration the database has exactly the tables, columns and indexes the program uses."""
    database = open_database(empty_url)
    await upgrade(database)

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with database.read() as connection:
        differences = await connection.run_sync(compare)

    await database.close()
    assert differences == []


async def test_upgrade_twice_changes_nothing(empty_url: str) -> None:
    """A database that is up to date stays as it is, with its rows."""
    database = open_database(empty_url)
    await upgrade(database)
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO key_uses (label, last_used) VALUES ('main', 1)"))

    await upgrade(database)

    async with database.read() as connection:
        count = (await connection.execute(text("SELECT count(*) FROM key_uses"))).scalar_one()
    await database.close()
    assert count == 1


async def test_rehearsal_changes_nothing(empty_url: str) -> None:
    """An upgrade that is only tried leaves an empty database empty, and a full one as it is."""
    database = open_database(empty_url)
    assert [await rehearse_upgrade(database) for _ in range(2)] == [(None, NEWEST), (None, NEWEST)]
    await upgrade(database)

    assert await rehearse_upgrade(database) == (NEWEST, NEWEST)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'from the future'"))
    with pytest.raises(StoreSchemaTooNewError):
        await rehearse_upgrade(database)
    await database.close()


def start_upgrade(url: str, *, folder: Path, packages: Path) -> subprocess.Popen[bytes]:
    """Start a program that upgrades a database."""
    program = (
        "import asyncio, sys; from app.store.database import open_database; from app.store.upgrade import upgrade\n"
        "asyncio.run(upgrade(open_database(sys.argv[1])))"
    )
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", program, url], cwd=folder, env={"PYTHONPATH": str(packages)}, stderr=subprocess.DEVNULL
    )


async def test_programs_that_start_together_upgrade_once(empty_url: str, tmp_path: Path) -> None:
    """Several programs that start at once on an empty database all succeed."""
    programs = [start_upgrade(empty_url, folder=tmp_path, packages=Path(app.__file__).parents[1]) for _ in range(3)]

    assert [program.wait(120) for program in programs] == [0, 0, 0]

    database = open_database(empty_url)
    assert await rehearse_upgrade(database) == (NEWEST, NEWEST)
    await database.close()


async def test_newer_schema_is_left_alone(empty_url: str) -> None:
    """A database that a newer version has upgraded refuses this one by name."""
    database = open_database(empty_url)
    await upgrade(database)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreSchemaTooNewError, match="schema 9999"):
        await upgrade(database)

    await database.close()


def test_upgrade_works_from_wherever_the_package_lies(tmp_path: Path) -> None:
    """The migrations are found next to the code, whatever the working directory and the path."""
    site = tmp_path / "site %packages"
    shutil.copytree(Path(app.__file__).parent, site / "app", ignore=shutil.ignore_patterns("__pycache__"))
    assert start_upgrade("sqlite:///new.db", folder=tmp_path, packages=site).wait(120) == 0

    assert (tmp_path / "new.db").stat().st_size > 0
