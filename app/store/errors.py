"""What can go wrong between the service and its database.

    StoreError
    ├── StoreUnavailableError    away, busy, locked or too slow: worth another try
    ├── StoreUnwritableError     read-only, full, or not ours to write
    ├── StoreDamagedError        the file is no database, or a broken one
    ├── StoreSchemaTooNewError   written by a newer version of this program
    ├── StoreRejectedError       the database refused a value; others would do
    └── StoreStatementError      the database could not run a statement, whatever the values

Messages name the kind of failure and the driver's code, never a statement or a value: those may hold numbers and names.
"""

from app.errors import AppError

__all__ = [
    "StoreDamagedError",
    "StoreError",
    "StoreRejectedError",
    "StoreSchemaTooNewError",
    "StoreStatementError",
    "StoreUnavailableError",
    "StoreUnwritableError",
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
