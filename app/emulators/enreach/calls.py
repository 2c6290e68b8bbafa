"""The call lists of the emulated API: they want a range of 31 days at most, or one call id."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.emulators.enreach.access import refuse
from app.emulators.enreach.tables import Row, serve

__all__ = ["list_calls", "list_service_calls"]

_MAX = timedelta(days=31)
_RANGES = (("StartTime", "EndTime", "StartTime"), ("ModifiedAfter", "ModifiedBefore", "_modified"))


@dataclass(frozen=True, slots=True)
class _Range:
    """A span of one of a call's times, both ends inside."""

    start: datetime
    end: datetime
    column: str

    def holds(self, row: Row) -> bool:
        value = row.get(self.column)
        return value is not None and self.start <= datetime.fromisoformat(value).replace(tzinfo=None) <= self.end


class _RefusedError(ValueError):
    """The range is missing, unreadable or too long."""


async def list_calls(request: Request) -> Response:
    """Calls of users: by `CallId`, or by a range and optionally `UserIDs`, separated by commas."""
    query, rows = request.query_params, request.app.state.tables["calls"]
    if "CallId" in query:
        return JSONResponse([serve(row) for row in rows if row["CallId"] == query["CallId"]])
    users = query["UserIDs"].split(",") if query.get("UserIDs") else None
    mine = [row for row in rows if users is None or row.get("_user_id") in users]
    return _answer_range(query, mine)


async def list_service_calls(request: Request) -> Response:
    """Inbound calls of queues, by a range."""
    return _answer_range(request.query_params, request.app.state.tables["service_calls"])


def _answer_range(query: Mapping[str, str], rows: list[Row]) -> Response:
    try:
        asked = _read_range(query)
    except _RefusedError as exc:
        return refuse(400, str(exc))
    return JSONResponse([serve(row) for row in rows if asked.holds(row)])


def _read_range(query: Mapping[str, str]) -> _Range:
    for first, last, column in _RANGES:
        if first in query and last in query:
            asked = _Range(_read_moment(query[first]), _read_moment(query[last]), column)
            if not timedelta() <= asked.end - asked.start <= _MAX:
                raise _RefusedError("The range must be positive and 31 days at most")
            return asked
    raise _RefusedError("StartTime and EndTime, or ModifiedAfter and ModifiedBefore, are required")


def _read_moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the wire has no zone, all is UTC
    except ValueError as exc:
        raise _RefusedError("Times must be UTC as YYYY-MM-DD HH:MM:SS") from exc
