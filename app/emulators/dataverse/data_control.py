"""Endpoints under `/_emulator/` that change the emulated data past the Web API, as other people's work would."""

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.errors import DataFileError
from app.emulators.dataverse.loading import put_rows
from app.emulators.dataverse.tables import Tables
from app.emulators.dataverse.values import render_instant

_SWITCHES = TypeAdapter(dict[str, bool])


def make_data_routes(tables: Tables, clock: Clock) -> list[Route]:
    """Make the routes that put and remove rows and switch change tracking."""

    async def put(request: Request) -> Response:
        try:
            put_rows(tables, orjson.loads(await request.body()), now=render_instant(clock()))
        except (DataFileError, orjson.JSONDecodeError) as exc:
            return _answer({"errors": [{"msg": str(exc)}]}, status=422)
        return Response(status_code=204)

    async def remove(request: Request) -> Response:
        entity_set, key = request.path_params["entity_set"], request.path_params["key"].lower()
        found = entity_set in tables.schema and tables.remove(entity_set, key)
        return Response(status_code=204 if found else 404)

    async def show_tracking(_request: Request) -> Response:
        return _answer({name: table.tracks_changes for name, table in tables.schema.items()})

    async def switch_tracking(request: Request) -> Response:
        try:
            wanted = _SWITCHES.validate_json(await request.body())
        except ValidationError as exc:
            return _answer({"errors": exc.errors(include_url=False, include_context=False)}, status=422)
        unknown = sorted(set(wanted) - set(tables.schema))
        if unknown:
            return _answer({"errors": [{"loc": [unknown[0]], "msg": "no such table"}]}, status=422)
        for entity_set, on in wanted.items():
            tables.track_changes(entity_set, on=on)
        return await show_tracking(request)

    return [
        Route("/rows", put, methods=["PUT"]),
        Route("/rows/{entity_set}/{key}", remove, methods=["DELETE"]),
        Route("/change-tracking", show_tracking, methods=["GET"]),
        Route("/change-tracking", switch_tracking, methods=["PUT"]),
    ]


def _answer(body: object, *, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
