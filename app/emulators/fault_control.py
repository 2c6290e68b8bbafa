"""Endpoints under `/_emulator/faults` by which a test or a person puts faults in force."""

import orjson
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.emulators.faults import Fault, Faults

__all__ = ["CONTROL_ROOT", "make_fault_routes"]

CONTROL_ROOT = "/_emulator"
"""Where emulators are steered; faults never hit what is below it."""
_FAULTS = TypeAdapter(list[Fault])


def make_fault_routes(faults: Faults) -> list[Route]:
    """Make the routes to mount under `CONTROL_ROOT`: show, replace and clear the faults in force."""

    async def show(_request: Request) -> Response:
        shown = [fault.model_dump(mode="json") for fault in faults.active]
        return Response(orjson.dumps(shown), media_type="application/json")

    async def replace(request: Request) -> Response:
        try:
            wanted = _FAULTS.validate_json(await request.body())
        except ValidationError as exc:
            errors = {"errors": exc.errors(include_url=False, include_context=False)}
            return Response(orjson.dumps(errors), 422, media_type="application/json")
        faults.replace(wanted)
        return await show(request)

    async def clear(_request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    return [
        Route("/faults", show, methods=["GET"]),
        Route("/faults", replace, methods=["PUT"]),
        Route("/faults", clear, methods=["DELETE"]),
    ]
