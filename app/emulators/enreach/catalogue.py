"""Users, queues and directories of the emulated API. Query parameters it does not know are ignored, as there."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.emulators.enreach.access import find_user, refuse
from app.emulators.enreach.tables import Row, Tables, serve

__all__ = ["fetch_availability", "fetch_user", "list_directories", "list_entries", "list_queues", "list_users"]

_QUEUE_ENTRIES = "2"
_NUMBERS = ("WorkNumber", "MobileNumber", "OtherNumber")


async def list_users(request: Request) -> Response:
    """All users, always: there is no filter by e-mail."""
    return JSONResponse([serve(row) for row in _tables(request)["users"]])


async def fetch_user(request: Request) -> Response:
    """One user by id, or the caller as `me`."""
    tables, wanted = _tables(request), request.path_params["id"]
    own = find_user(tables, request.state.user_name) if wanted == "me" else None
    user = own or _find_by(tables["users"], "Id", wanted)
    return JSONResponse(serve(user)) if user else refuse(404, "Not found")


async def fetch_availability(request: Request) -> Response:
    """What a user is at the moment; 404 where the data tell nothing."""
    user = _find_by(_tables(request)["users"], "Id", request.path_params["id"])
    kind = None if user is None else user.get("_availability")
    return refuse(404, "Not found") if kind is None else JSONResponse({"EventTypeID": kind})


async def list_queues(request: Request) -> Response:
    """All queues, or with `OnlyForUser` those the user serves."""
    only_for = request.query_params.get("OnlyForUser")
    rows = [row for row in _tables(request)["queues"] if only_for is None or only_for in row.get("_user_ids", ())]
    return JSONResponse([serve(row) for row in rows])


async def list_directories(request: Request) -> Response:
    """The directories, by `ID` and name."""
    return JSONResponse([serve(row) for row in _tables(request)["directories"]])


async def list_entries(request: Request) -> Response:
    """The entries of one directory under `Entries`, narrowed by `EntryTypes`, `Number` and `MaxCount`."""
    tables, query = _tables(request), request.query_params
    if _find_by(tables["directories"], "ID", request.path_params["id"]) is None:
        return refuse(404, "Not found")
    most = query.get("MaxCount", "1000")
    if not most.isdecimal():
        return refuse(400, "MaxCount must be a number")
    rows = [row for row in tables["entries"] if _is_asked(row, query.get("EntryTypes"), query.get("Number"))]
    return JSONResponse({"Entries": [serve(row) for row in rows[: int(most)]]})


def _is_asked(row: Row, entry_types: str | None, number: str | None) -> bool:
    fits_type = entry_types != _QUEUE_ENTRIES or bool(row.get("QueueId"))
    return fits_type and (number is None or number in {row.get(name) for name in _NUMBERS})


def _find_by(rows: list[Row], key: str, value: str) -> Row | None:
    """Find a row by GUID, which counts in any case."""
    return next((row for row in rows if str(row.get(key)).casefold() == value.casefold()), None)


def _tables(request: Request) -> Tables:
    tables: Tables = request.app.state.tables
    return tables
