"""Brings a database to the schema of this program, and watches whether it can be used."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.store.database import Database
from app.store.errors import StoreError, StoreSchemaTooNewError, StoreUnavailableError
from app.store.upgrade_notes import NOTHING_TO_DO, read_upgrade_notes

__all__ = ["StoreHealth", "UpgradePlan", "plan_upgrade", "rehearse_upgrade", "upgrade"]

log = structlog.get_logger()

_ANSWER_SECONDS = 3.0
"""How long the database has to take a row; locked SQLite itself says so after five."""
_LOCK = 7_402_315_118
"""Any number that nobody else takes as an advisory lock of the same database."""


class StoreHealth:
    """Whether the database can be written, as of the last check; `ok` means just that.

    A database that is away at the start, or whose file is replaced later, is upgraded and prepared when it comes
    back. Until then nothing reads or writes it, since its tables may be those of another version.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._opening: asyncio.Task[None] | None = None
        self._prepare: Callable[[], Awaitable[None]] | None = None
        self.error: StoreError | None = None
        """Why it cannot be written, or `None`."""

    async def open(self, prepare: Callable[[], Awaitable[None]], *, within: float) -> None:
        """Upgrade the database, then `prepare` what is read from it or written to it at the start.

        Returns after so many seconds when the database does not answer, and at once when it is away or cannot be
        written; `check` then goes on trying. Raises StoreSchemaTooNewError, and what `prepare` raises but StoreError.
        """
        self._prepare = prepare
        self._database.suspend("the database has not answered since the start")
        await self._wait_for_opening(within)
        if isinstance(self.error, StoreSchemaTooNewError):
            raise self.error
        if self.error is not None:
            log.warning("store.away_at_start", error=self.error.code, detail=self.error.detail)

    async def check(self) -> bool:
        """Try to write, within some seconds; returns whether that was possible. Raises what `prepare` raises."""
        if not self._database.is_usable:
            await self._wait_for_opening(_ANSWER_SECONDS)
            return self.error is None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._database.check_writable()
            self.error = None
        except TimeoutError:
            self.error = StoreUnavailableError(f"no answer within {_ANSWER_SECONDS:g} seconds")
        except StoreError as error:
            self.error = error
        return self.error is None

    async def aclose(self) -> None:
        """Stop trying."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)

    async def _wait_for_opening(self, seconds: float) -> None:
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="store.open")
        await asyncio.wait([self._opening], timeout=seconds)
        if not self._opening.done():
            self.error = StoreUnavailableError(f"no answer within {seconds:g} seconds")
            return
        opening, self._opening = self._opening, None
        try:
            opening.result()
            self.error = None
        except StoreError as error:
            self.error = error

    async def _open(self) -> None:
        await self._database.reopen()
        await upgrade(self._database)
        self._database.resume()
        try:
            if self._prepare is not None:
                await self._prepare()
        except StoreError as error:
            self._database.suspend(error.detail)
            raise
        log.info("store.opened")


async def upgrade(database: Database) -> None:
    """Create or upgrade the tables in one transaction; does nothing when they are up to date.

    Programs that start together on one database wait for each other; within one process this must not run twice at
    once, because Alembic keeps the running migration in a global place. Raises StoreSchemaTooNewError when a newer
    version of the program has been here, and StoreError when the database is away or cannot be written.
    """
    async with database.write_while_suspended() as connection:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradePlan:
    """What an upgrade would do."""

    before: str | None
    """The schema of the database; `None` while it is empty."""
    after: str
    """The schema of this program."""
    notes: Mapping[str, str]
    """The migrations between, oldest first, with what to know about each; empty for an empty database."""


async def plan_upgrade(database: Database) -> UpgradePlan:
    """Tell what `upgrade` would do, by reading only; raises StoreSchemaTooNewError, and StoreError when it is away."""
    async with database.read() as connection:
        return await connection.run_sync(_plan)


def _plan(connection: Connection) -> UpgradePlan:
    scripts = ScriptDirectory.from_config(_make_config(connection))
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    before = _read_revision(connection)
    if before is not None and before not in revisions:
        raise StoreSchemaTooNewError(
            f"the database is at schema {before}, which this version does not know; run the newer version again"
        )
    pending = [] if before is None else revisions[revisions.index(before) + 1 :]
    notes = read_upgrade_notes() if pending else {}
    return UpgradePlan(
        before=before, after=revisions[-1], notes={each: notes.get(each, "no note came along.") for each in pending}
    )


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    plan = _plan(connection)
    if plan.before == plan.after:
        return
    if plan.before is not None:
        notes = [f"{revision}: {note}" for revision, note in plan.notes.items() if note != NOTHING_TO_DO]
        log.info("store.upgrade", before=plan.before, after=plan.after, notes=notes)
    command.upgrade(_make_config(connection), "head")


def _read_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _make_config(connection: Connection) -> Config:
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config
