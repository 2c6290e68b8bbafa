"""Refusals in the words of the Web API, and the error of an unusable data file."""

from app.errors import InvalidInputError

BAD_QUERY = "0x80060888"
BAD_URL = "0x8006088a"
BAD_PAYLOAD = "0x80048d19"
NO_SUCH_ROW = "0x80040217"
DUPLICATE_ROW = "0x80040237"
VERSION_MISMATCH = "0x80060882"
PRIVILEGE_MISSING = "0x80040220"
NOT_A_MEMBER = "0x80072560"
TOO_MANY_AT_ONCE = "0x80072326"
INVALID_VALUE = "0x80044331"
NOT_IMPLEMENTED = "0x80004001"
VERSION_STAMP_EXPIRED = "0x80044352"
UNSPECIFIED = "0x0"


class DataFileError(InvalidInputError):
    """The data for the emulator cannot be used; one line says which table, row and column, and why."""

    code = "unusable-emulator-data"
    title = "Unusable emulator data"


class WireError(Exception):
    """A refusal as the Web API answers it: `{"error":{"code":…,"message":…}}` (Dataverse contract, section 1.7)."""

    def __init__(self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def bad_query(message: str) -> WireError:
    """Refuse a query option (400)."""
    return WireError(400, BAD_QUERY, message)


def bad_payload(message: str) -> WireError:
    """Refuse a request body (400)."""
    return WireError(400, BAD_PAYLOAD, message)


def unknown_property(name: str, table: str) -> WireError:
    """Refuse a column or navigation the table does not have (400). `table` is a logical name."""
    return bad_query(f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'.")


def unknown_segment(segment: str) -> WireError:
    """Refuse a path segment that names nothing (404)."""
    return WireError(404, BAD_URL, f"Resource not found for the segment '{segment}'.")


def no_such_row(table: str, key: str) -> WireError:
    """Say that a row is not there (404). `table` is a logical name."""
    return WireError(404, NO_SUCH_ROW, f"Entity '{table}' With Id = {key} Does Not Exist")


def method_not_allowed(method: str) -> WireError:
    """Refuse a method the resource does not take (405)."""
    return WireError(405, UNSPECIFIED, f"The requested resource does not support http method '{method}'.")


def privilege_missing(user_id: str, privilege: str) -> WireError:
    """Refuse a caller whose roles lack `privilege` (403)."""
    message = f"Principal user (Id={user_id}, type=8) is missing {privilege} privilege."
    return WireError(403, PRIVILEGE_MISSING, message)


def not_emulated(what: str) -> WireError:
    """Refuse what the Web API offers and this emulator does not, instead of answering it wrongly (501)."""
    return WireError(501, NOT_IMPLEMENTED, f"{what} is not emulated.")
