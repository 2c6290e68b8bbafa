"""One database, SQLite or PostgreSQL, opened from its URL; what its drivers raise becomes a StoreError here."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from weakref import WeakSet

import aiosqlite
import asyncpg
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    event,
    func,
    select,
    text,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.store.errors import (
    StoreDamagedError,
    StoreError,
    StoreRejectedError,
    StoreStatementError,
    StoreUnavailableError,
    StoreUnwritableError,
)
from app.store.json_text import dump_text, load

__all__ = ["Database", "open_database", "translate_errors"]

_BEGIN = "begin"
"""The option of an engine or connection that says how SQLite begins its transactions."""
_JOIN_SECONDS = 3.0
_EMPTYING_MS = 250
_SQLITE: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_BUSY: StoreUnavailableError,
    sqlite3.SQLITE_LOCKED: StoreUnavailableError,
    sqlite3.SQLITE_INTERRUPT: StoreUnavailableError,
    sqlite3.SQLITE_PROTOCOL: StoreUnavailableError,
    sqlite3.SQLITE_NOMEM: StoreUnavailableError,
    sqlite3.SQLITE_PERM: StoreUnwritableError,
    sqlite3.SQLITE_READONLY: StoreUnwritableError,
    sqlite3.SQLITE_IOERR: StoreUnwritableError,
    sqlite3.SQLITE_FULL: StoreUnwritableError,
    sqlite3.SQLITE_CANTOPEN: StoreUnwritableError,
    sqlite3.SQLITE_AUTH: StoreUnwritableError,
    sqlite3.SQLITE_CORRUPT: StoreDamagedError,
    sqlite3.SQLITE_NOTADB: StoreDamagedError,
    sqlite3.SQLITE_TOOBIG: StoreRejectedError,
    sqlite3.SQLITE_CONSTRAINT: StoreRejectedError,
    sqlite3.SQLITE_MISMATCH: StoreRejectedError,
    sqlite3.SQLITE_RANGE: StoreRejectedError,
}
"""By primary result code (sqlite.org, "Result and Error Codes")."""

_SQLSTATE: dict[str, type[StoreError]] = {
    "08": StoreUnavailableError,
    "22": StoreRejectedError,
    "23": StoreRejectedError,
    "25006": StoreUnwritableError,
    "28": StoreUnavailableError,
    "3D": StoreUnavailableError,
    "40": StoreUnavailableError,
    "53": StoreUnavailableError,
    "53100": StoreUnwritableError,
    "55": StoreUnavailableError,
    "57": StoreUnavailableError,
    "58": StoreUnavailableError,
    "XX": StoreDamagedError,
    "42501": StoreUnwritableError,
}
"""By code or class of code (PostgreSQL manual, appendix A)."""


class Database:
    """Hides which database it is, and keeps reading apart from writing, which SQLite has to know at the start."""

    def __init__(self, *, engine: AsyncEngine, threads: Collection[Thread] = ()) -> None:
        """`threads` carry out statements for the engine; the set changes as connections come and go."""
        self._engine = engine
        self._threads = threads
        self._writer = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        self._file = Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None
        self._identity: tuple[int, int] | None = None
        self._unusable = ""

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for migrations and locks."""
        return self._engine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database of one process."""
        return self._engine.dialect.name == "sqlite"

    @property
    def is_usable(self) -> bool:
        """Whether `read` and `write` do anything but raise StoreUnavailableError."""
        self._notice_other_file()
        return not self._unusable

    def suspend(self, reason: str) -> None:
        """Have `read` and `write` raise StoreUnavailableError for a reason, until `reopen` and `resume`."""
        self._unusable = reason

    async def reopen(self) -> None:
        """Let go of old connections; raises StoreUnavailableError when the file they belonged to is still missing."""
        if self._file is not None and self._identity is not None and not self._file.exists():
            raise StoreUnavailableError(
                f"the database file {self._file} is gone: put it back, or restart the service to begin without it"
            )
        await self._engine.dispose()
        self._identity = None

    def resume(self) -> None:
        """Let `read` and `write` work again."""
        self._unusable = ""

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction for reading; raises StoreError."""
        self.require_usable()
        with translate_errors():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction that commits at the end, or rolls back on an error; raises StoreError."""
        self.require_usable()
        async with self.write_while_suspended() as connection:
            yield connection

    @asynccontextmanager
    async def write_while_suspended(self) -> AsyncIterator[AsyncConnection]:
        """Do as `write` does, for the upgrade that precedes everything else; raises StoreError."""
        with translate_errors():
            async with self._writer.begin() as connection:
                yield connection

    def connect(self) -> AsyncConnection:
        """Lend a connection without transactions, to be awaited or entered; it raises what `translate_errors` reads."""
        if self.is_sqlite:
            # With AUTOCOMMIT, SQLAlchemy 2.1 talks to the driver between taking a connection and knowing it, and loses
            # the connection of a task that is cancelled meanwhile.
            return self._engine.execution_options(**{_BEGIN: None}).connect()
        return self._engine.execution_options(isolation_level="AUTOCOMMIT").connect()

    def require_usable(self) -> None:
        """Raise StoreUnavailableError when `read` and `write` would."""
        self._notice_other_file()
        if self._unusable:
            raise StoreUnavailableError(self._unusable)

    def _notice_other_file(self) -> None:
        """Suspend when the file is not the one it was: what is written to a file without a name is lost."""
        if self._file is None or self._unusable:
            return
        try:
            found = self._file.stat()
            identity = (found.st_dev, found.st_ino)
        except OSError:
            identity = None
        if self._identity is None:
            self._identity = identity
        elif identity != self._identity:
            self._unusable = f"the database file {self._file} was removed or replaced while the service runs"

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """Start an INSERT that understands ON CONFLICT, which both databases spell alike."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def is_among(self, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
        """Compare with the texts that a statement gets as one parameter: one for each would cost more than the search.

        The value of the parameter is made by `spell_texts`.
        """
        if self.is_sqlite:
            return column.in_(select(func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value))
        return column == any_(bindparam(name, type_=postgresql.ARRAY(Text)))

    def spell_texts(self, texts: Sequence[str]) -> object:
        """Write texts as the value of a parameter of `is_among`."""
        return dump_text(list(texts)) if self.is_sqlite else list(texts)

    def select_rows(self, table: Table, name: str) -> Select[Any]:
        """Select whole rows of a table from a parameter that is a JSON list of lists, texts in it without NUL."""
        if self.is_sqlite:
            value = func.json_each(bindparam(name, type_=Text)).table_valued("value").c.value
            # Without a condition SQLite would take the ON CONFLICT of an INSERT for that of a join.
            return select(
                *[func.json_extract(value, f"$[{place}]").label(name) for place, name in enumerate(table.c.keys())]
            ).where(true())
        value = func.json_array_elements(cast(bindparam(name, type_=Text), postgresql.JSON)).column_valued("value")
        return select(
            *[cast(value.op("->>")(place), column.type).label(column.name) for place, column in enumerate(table.c)]
        )

    async def check_writable(self) -> None:
        """Write a row that stays as it was, which a database that is locked, full or read-only refuses.

        Raises StoreError.
        """
        async with self.write() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))

    async def forget_old_pages(self) -> None:
        """Have SQLite empty its log, where rows stay readable as they were before a change; raises StoreError.

        Where somebody reads for longer than a moment, what is left goes with the next time.
        """
        if not self.is_sqlite:
            return
        self.require_usable()
        with translate_errors():
            async with self.connect() as connection:
                # Writers wait as long as this waits for readers, and so does the end of the process.
                await connection.execute(text(f"PRAGMA busy_timeout={_EMPTYING_MS}"))
                try:
                    await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
                finally:
                    await connection.invalidate()

    async def close(self) -> None:
        """Close every connection, and wait for statements that nobody waits for any more, for three seconds at most.

        Their threads would report to an event loop that is gone. One that finds no end must not keep the service from
        stopping.
        """
        await self._engine.dispose()
        await asyncio.to_thread(_join, tuple(self._threads), time.monotonic() + _JOIN_SECONDS)


def _join(threads: Iterable[Thread], until: float) -> None:
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def open_database(url: str, *, busy_timeout_ms: int = 5000) -> Database:
    """Open `sqlite:///path` or `postgresql://...`; nothing connects yet, but a SQLite file gets its folder.

    `busy_timeout_ms` is how long SQLite waits for another writer. Raises StoreUnwritableError with one line for a
    folder or file that cannot be written, and StoreError for a URL of another kind.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise StoreError("the store's URL must be sqlite:///path or postgresql://user:password@host/database") from exc
    if parsed.drivername == "sqlite" and parsed.database:
        return _open_sqlite(parsed, busy_timeout_ms)
    if parsed.drivername in {"postgresql", "postgres"}:
        return _open_postgres(parsed)
    raise StoreError("the store's URL must be sqlite:///path or postgresql://user:password@host/database")


def _open_sqlite(url: URL, busy_timeout_ms: int) -> Database:
    _require_writable(Path(url.database or ""))
    threads: WeakSet[Thread] = WeakSet()

    def connect(*arguments: Any, **options: Any) -> aiosqlite.Connection:
        connection = aiosqlite.connect(*arguments, **options)
        connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does; aiosqlite offers no other way
        threads.add(connection._thread)  # noqa: SLF001 - to wait for it at the end
        return connection

    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        json_serializer=dump_text,
        json_deserializer=load,
        hide_parameters=True,
        connect_args={"timeout": busy_timeout_ms / 1000, "async_creator_fn": connect},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return Database(engine=engine, threads=threads)


def _open_postgres(url: URL) -> Database:
    # libpq and most tools say sslmode; asyncpg says ssl and takes the same words.
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg", query=query),
        json_serializer=dump_text,
        json_deserializer=load,
        hide_parameters=True,
        pool_size=8,
        max_overflow=8,
        pool_timeout=5,
        pool_pre_ping=True,
        connect_args={"timeout": 5, "command_timeout": 60},
    )
    return Database(engine=engine)


def _require_writable(file: Path) -> None:
    folder = file.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreUnwritableError(f"cannot create the folder {folder} of the database: {exc.strerror}") from exc
    if file.is_dir():
        raise StoreUnwritableError(f"cannot use {file} as the database: it is a folder")
    for path in (folder, file):
        if path.exists() and not os.access(path, os.W_OK):
            raise StoreUnwritableError(f"cannot write the database at {file}: {path} is not writable")


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Set a new connection up; transactions are begun by `_begin_sqlite`, not by the driver."""
    connection.isolation_level = None
    cursor = connection.cursor()
    # What is erased must not stay readable in the free pages of the file.
    for pragma in (
        "secure_delete=ON",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "cache_size=-16000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A reading transaction that turns to writing fails at once when another wrote meanwhile; so writers say it first.
    begin = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn whatever SQLAlchemy, a driver or the network raises inside into a StoreError, keeping the cause."""
    try:
        yield
    except DBAPIError as exc:
        raise _read_driver_error(exc.orig, lost=exc.connection_invalidated) from exc
    except PoolTimeoutError as exc:
        raise StoreUnavailableError("every connection to the database is in use") from exc
    except SQLAlchemyError as exc:
        orig = getattr(exc, "orig", None)
        kind = StoreRejectedError if isinstance(orig, TypeError | ValueError) else StoreStatementError
        raise kind(f"the statement could not be run ({type(exc).__name__})") from exc
    except OverflowError as exc:
        raise StoreRejectedError("a number is too large for the database") from exc
    except (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as exc:
        raise _read_driver_error(exc, lost=False) from exc
    except OSError as exc:
        raise StoreUnavailableError(f"no connection to the database ({type(exc).__name__})") from exc


def _read_driver_error(error: BaseException | None, *, lost: bool) -> StoreError:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    state: str | None = getattr(error, "sqlstate", None)
    if code is not None:
        kind = _SQLITE.get(code & 0xFF, StoreStatementError)
        return kind(f"SQLite: {getattr(error, 'sqlite_errorname', code)}")
    if state:
        kind = _SQLSTATE.get(state) or _SQLSTATE.get(state[:2]) or StoreStatementError
        return kind(f"PostgreSQL: {state}")
    if lost or isinstance(error, OSError):
        return StoreUnavailableError("the connection to the database was lost")
    # asyncpg checks values itself before it sends them, and says so with a ValueError.
    refused = isinstance(error, ValueError) or isinstance(error.__cause__ if error else None, ValueError)
    kind = StoreRejectedError if refused else StoreStatementError
    return kind(f"the database driver refused the request ({type(error).__name__})")
