"""Brings a database to the schema of this program."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.store.database import Database
from app.store.errors import StoreSchemaTooNewError

__all__ = ["rehearse_upgrade", "upgrade"]

_LOCK = 7_402_315_118
"""Any number that nobody else takes as an advisory lock of the same database."""


async def upgrade(database: Database) -> None:
    """Create or upgrade the tables in one transaction; does nothing when they are up to date.

    Programs that start together on one database wait for each other; within one process this must not run twice at
    once, because Alembic keeps the running migration in a global place. Raises StoreSchemaTooNewError when a newer
    version of the program has been here, and StoreError when the database is away or cannot be written.
    """
    async with database.write() as connection:
        await connection.run_sync(_upgrade)


async def rehearse_upgrade(database: Database) -> tuple[str | None, str | None]:
    """Upgrade and take it back again, so that a check changes nothing; names the schema before and after.

    Both databases roll back changes of tables too. Raises what `upgrade` raises.
    """
    async with database.write() as connection:
        before = await connection.run_sync(_read_revision)
        await connection.run_sync(_upgrade)
        after = await connection.run_sync(_read_revision)
        await connection.rollback()
    return before, after


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _make_config(connection)
    current = _read_revision(connection)
    scripts = ScriptDirectory.from_config(config)
    if current is not None and current == scripts.get_current_head():
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise StoreSchemaTooNewError(
            f"the database is at schema {current}, which this version does not know; run the newer version again"
        )
    command.upgrade(config, "head")


def _read_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _make_config(connection: Connection) -> Config:
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config
