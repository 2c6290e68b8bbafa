"""The way of the schema."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from dirty_equals import Contains, IsPartialDict, IsStr
from sqlalchemy import Connection, text
from structlog.testing import capture_logs

import app
from app.store.database import open_database
from app.store.errors import StoreSchemaTooNewError
from app.store.tables import metadata
from app.store.upgrade import rehearse_upgrade, upgrade
from app.store.upgrade_notes import read_upgrade_notes
from tests.support.console import Console

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


def test_every_migration_says_what_operators_should_know() -> None:
    """Each has a line `- 0001: …` under "Upgrade notes" of CHANGELOG.md, which may be "nothing to do."."""
    versions = Path(app.__file__).parent / "store" / "migrations" / "versions"

    assert set(read_upgrade_notes()) == {file.name[:4] for file in versions.glob("[0-9]*.py")}


async def test_upgrade_is_told_beforehand_and_in_the_log(tmp_path: Path, console: Console) -> None:
    """The command names the migrations that are new to a database and changes nothing; the start names their notes."""
    url = f"sqlite:///{tmp_path}/smartrouting.db"
    settings = {"SMARTROUTING_DEMO": "1", "SMARTROUTING_STORE__URL": url}
    empty = console.run(tmp_path, "upgrade-notes", **settings)
    database = open_database(url)
    async with database.write() as connection:
        await connection.run_sync(bring_to, "0010")
    behind = [console.run(tmp_path, "upgrade-notes", **settings).out for _ in range(2)]
    as_json = json.loads(console.run(tmp_path, "upgrade-notes", "--json", **settings).out)
    with capture_logs() as logs:
        await upgrade(database)
    await database.close()
    present = console.run(tmp_path, "upgrade-notes", **settings)

    note = read_upgrade_notes()["0011"]
    assert "reports rebuild" in note
    assert f"creates its tables at schema {NEWEST}" in empty.out
    assert behind[0] == behind[1]
    first, second, *_ = behind[0].splitlines()
    assert first == IsStr(regex=f".* at schema 0010; .* upgrades it to {NEWEST}:")
    assert second == f"0011: {note}"
    assert as_json == IsPartialDict(before="0010", after=NEWEST)
    assert as_json["steps"][0] == {"revision": "0011", "note": note}
    assert [each for each in logs if each["event"] == "store.upgrade"] == [
        IsPartialDict(before="0010", after=NEWEST, notes=Contains(f"0011: {note}"))
    ]
    assert present.out.endswith(f"schema {NEWEST}; smartrouting {version('smartrouting')} changes nothing.\n")


def bring_to(connection: Connection, revision: str) -> None:
    """Upgrade an empty database to the schema of some earlier version."""
    config = Config()
    config.set_main_option("script_location", str(Path(app.__file__).parent / "store" / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


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
