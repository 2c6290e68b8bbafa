"""What can go wrong between the service and its database, and the one place where foreign errors become ours.

    StoreError
    ├── StoreUnavailableError    away, busy, locked or too slow: worth another try
    ├── StoreUnwritableError     read-only, full, or not ours to write
    ├── StoreDamagedError        the file is no database, or a broken one
    ├── StoreSchemaTooNewError   written by a newer version of this program
    ├── StoreRejectedError       the database refused a value; others would do
    └── StoreStatementError      the database could not run a statement, whatever the values

Messages name the kind of failure and the driver's code, never a statement or a value: those may hold numbers and names.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.errors import AppError

__all__ = [
    "StoreDamagedError",
    "StoreError",
    "StoreRejectedError",
    "StoreSchemaTooNewError",
    "StoreStatementError",
    "StoreUnavailableError",
    "StoreUnwritableError",
    "translate_errors",
]


class StoreError(AppError):
    """Anything that went wrong in the database or on the way to it."""

    status = 503
    code = "store"
    title = "Store trouble"


class StoreUnavailableError(StoreError):
    """The database does not answer now; the same request may work later."""

    code = "store-unavailable"
    title = "Store unavailable"


class StoreUnwritableError(StoreError):
    """The database cannot be written: read-only, full, or forbidden by the file system."""

    code = "store-unwritable"
    title = "Store not writable"


class StoreDamagedError(StoreError):
    """The file is not a database, or is damaged; an operator has to restore it."""

    code = "store-damaged"
    title = "Store damaged"


class StoreSchemaTooNewError(StoreError):
    """A newer version of the program has upgraded the schema; this one must not touch it."""

    code = "store-schema-too-new"
    title = "Store schema too new"


class StoreRejectedError(StoreError):
    """The database refused a value, such as a duplicate or one out of range; trying again would not help."""

    status = 500
    code = "store-rejected"
    title = "Store rejected a value"


class StoreStatementError(StoreError):
    """The database could not run a statement: the schema is not what the program expects."""

    status = 500
    code = "store-statement"
    title = "Store could not run a statement"


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
