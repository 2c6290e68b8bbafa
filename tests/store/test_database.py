"""Opening databases, and what becomes of their errors."""

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import exc, text

from app.calls.store import DecisionFilter, DecisionStore
from app.store.database import Database, open_database, translate_errors
from app.store.errors import (
    StoreDamagedError,
    StoreError,
    StoreRejectedError,
    StoreStatementError,
    StoreUnavailableError,
    StoreUnwritableError,
)
from app.store.upgrade import upgrade


async def test_healthy_database_can_be_written(database: Database) -> None:
    """A healthy database takes a row."""
    await database.check_writable()


async def test_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    """A path whose folders do not exist yet works at once."""
    database = open_database(f"sqlite:///{tmp_path}/a/b/test.db")

    await upgrade(database)

    await database.close()
    assert (tmp_path / "a" / "b" / "test.db").exists()


async def test_sqlite_is_set_up_for_concurrent_use(tmp_path: Path) -> None:
    """Every connection has the write-ahead log, foreign keys and a busy timeout."""
    database = open_database(f"sqlite:///{tmp_path}/test.db")

    async with database.read() as connection:
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    await database.close()
    assert found == ["wal", 1, 1, 5000]


def test_unusable_folder_gives_one_clear_line(tmp_path: Path) -> None:
    """A folder that cannot be made is named together with the reason."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreUnwritableError) as caught:
        open_database(f"sqlite:///{tmp_path}/file/sub/test.db")

    assert caught.value.detail == f"cannot create the folder {tmp_path}/file/sub of the database: Not a directory"


def test_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """A path that is a folder is named."""
    with pytest.raises(StoreUnwritableError, match="it is a folder"):
        open_database(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "mysql://host/db", "postgresql+psycopg://host/db"])
def test_other_urls_are_refused(url: str) -> None:
    """A URL of another kind is refused without being repeated, since it may hold a password."""
    with pytest.raises(StoreError) as caught:
        open_database(url)

    assert caught.value.detail == ("the store's URL must be sqlite:///path or postgresql://user:password@host/database")


async def test_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    """Garbage in the file is told apart from a database that is away."""
    (tmp_path / "test.db").write_bytes(b"garbage" * 1000)
    database = open_database(f"sqlite:///{tmp_path}/test.db")

    with pytest.raises(StoreDamagedError):
        await database.check_writable()

    await database.close()


async def test_locked_database_is_unavailable(tmp_path: Path) -> None:
    """A writer that waited in vain for another one may try again."""
    first = open_database(f"sqlite:///{tmp_path}/test.db")
    second = open_database(f"sqlite:///{tmp_path}/test.db", busy_timeout_ms=1)

    async with first.write():
        with pytest.raises(StoreUnavailableError):
            async with second.write():
                pass

    await first.close()
    await second.close()


@pytest.mark.parametrize("place", ["127.0.0.1:1/nowhere", "/nowhere?host=/nonexistent"])
async def test_postgres_that_is_not_there_is_unavailable(place: str) -> None:
    """A refused connection and a missing socket are the same trouble."""
    database = open_database(f"postgresql://{place}")

    with pytest.raises(StoreUnavailableError):
        await database.check_writable()

    await database.close()


@pytest.mark.parametrize("change", ["database", "username"])
async def test_postgres_that_refuses_us_is_unavailable(postgres_server: str, change: str) -> None:
    """A database or user that does not exist there is no reason to crash."""
    database = open_database(
        postgres_server.rsplit("/", 1)[0] + "/missing"
        if change == "database"
        else postgres_server.replace("smartrouting", "missing", 1)
    )

    with pytest.raises(StoreUnavailableError):
        await database.check_writable()

    await database.close()


async def test_sslmode_is_understood(postgres_server: str) -> None:
    """The word of libpq for encryption works."""
    database = open_database(f"{postgres_server}?sslmode=disable")

    async with database.read() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1

    await database.close()


async def test_bad_statement_is_told_without_its_values(database: Database) -> None:
    """A statement that cannot be run says so and does not repeat what was in it."""
    with pytest.raises(StoreStatementError) as caught:
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO nowhere VALUES (:number)"), {"number": "+358501234567"})

    assert "+358501234567" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("number", [2**31, 2**63, 2**70], ids=["33-bit", "64-bit", "71-bit"])
async def test_number_out_of_range_is_rejected_or_found_nowhere(database: Database, number: int) -> None:
    """A number no column holds is a refused value, never another error."""
    with suppress(StoreRejectedError):
        assert await DecisionStore(database=database).count(DecisionFilter(revision=number)) == 0


async def test_error_undoes_the_transaction(database: Database) -> None:
    """Nothing is half-written."""

    async def insert_twice() -> None:
        async with database.write() as connection:
            for _ in range(2):
                await connection.execute(text("INSERT INTO key_uses (label, last_used) VALUES ('main', 1)"))

    with pytest.raises(StoreRejectedError):
        await insert_twice()

    async with database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM key_uses"))).scalar_one() == 0


async def test_writers_take_turns(database: Database) -> None:
    """Concurrent read-then-write transactions on one row wait for each other instead of failing."""
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO key_uses (label, last_used) VALUES ('main', 0)"))

    async def increment() -> None:
        async with database.write() as connection:
            await connection.execute(text("UPDATE key_uses SET last_used = last_used + 1"))

    await asyncio.gather(*(increment() for _ in range(20)))

    async with database.read() as connection:
        assert (await connection.execute(text("SELECT last_used FROM key_uses"))).scalar_one() == 20


def list_subclasses(root: type[BaseException]) -> list[type[BaseException]]:
    """List a class and everything below it."""
    return [root, *(found for child in root.__subclasses__() for found in list_subclasses(child))]


@pytest.mark.parametrize(
    "root", [sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError]
)
def test_no_driver_error_gets_through(root: type[Exception]) -> None:
    """Whatever a driver or the network raises becomes a StoreError that keeps its cause."""
    for kind in list_subclasses(root):
        error = kind.__new__(kind)
        with pytest.raises(StoreError) as caught, translate_errors():
            raise error
        assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (exc.OperationalError("x", None, OSError()), StoreUnavailableError),
        (exc.DBAPIError("x", None, Exception(), connection_invalidated=True), StoreUnavailableError),
        (exc.TimeoutError(), StoreUnavailableError),
        (exc.StatementError("x", "y", None, TypeError()), StoreRejectedError),
        (exc.InvalidRequestError("x"), StoreStatementError),
        (OverflowError(), StoreRejectedError),
        (asyncpg.DiskFullError(), StoreUnwritableError),
        (asyncpg.ReadOnlySQLTransactionError(), StoreUnwritableError),
        (asyncpg.TooManyConnectionsError(), StoreUnavailableError),
        (asyncpg.CannotConnectNowError(), StoreUnavailableError),
        (asyncpg.DeadlockDetectedError(), StoreUnavailableError),
        (asyncpg.UniqueViolationError(), StoreRejectedError),
        (asyncpg.CharacterNotInRepertoireError(), StoreRejectedError),
        (asyncpg.DataError(""), StoreRejectedError),
        (asyncpg.UndefinedTableError(), StoreStatementError),
        (TimeoutError(), StoreUnavailableError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_kinds_of_trouble_are_told_apart(error: Exception, expected: type[StoreError]) -> None:
    """What may pass, what an operator must mend, and what we did wrong are different errors."""
    with pytest.raises(StoreError) as caught, translate_errors():
        raise error

    assert type(caught.value) is expected
