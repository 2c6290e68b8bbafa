"""The console's files at `/console`, as they lie in `static`; all data comes from the public endpoints."""

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import resources
from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import Response

__all__ = ["add_console"]

_TYPES: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "json": "application/json",
}
_HEADERS: Final = {
    # Charts are fetched with the key and shown as pictures, in which nothing runs.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def add_console(app: FastAPI) -> None:
    """Serve the page at `/console` and its modules, style and catalogues below it; they name no other host."""
    for file in resources.files("app.console").joinpath("static").iterdir():
        path = "/console" if file.name == "index.html" else f"/console/{file.name}"
        serve = _serve(file.read_bytes(), _TYPES[file.name.rpartition(".")[2]])
        app.add_api_route(path, serve, include_in_schema=False, response_model=None)


def _serve(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": tag}

    async def serve(request: Request) -> Response:
        known = request.headers.get("If-None-Match", "")
        if tag in (each.strip().removeprefix("W/") for each in known.split(",")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return serve
