"""`PUT /_emulator/calls`: adds calls, or changes them as people and switches do after a call."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.emulators.enreach.tables import Clock, Row, Tables, put_call

__all__ = ["make_call_route"]


def make_call_route(tables: Tables, clock: Clock) -> Route:
    """Make the route; it takes rows in wire spelling, and `UserName` tells which part of a call one changes."""

    async def put(request: Request) -> Response:
        try:
            rows: list[Row] = json.loads(await request.body())
            for row in rows:
                put_call(tables, row, clock())
        except (ValueError, TypeError, KeyError, AttributeError):
            return JSONResponse({"Message": "Send a list of calls, each with its CallId"}, status_code=422)
        return Response(status_code=204)

    return Route("/calls", put, methods=["PUT"])
