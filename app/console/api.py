"""The console's files at `/console`, as they lie in `static`; all data comes from the public endpoints."""

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import resources
from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from app.auth.sign_in import SignIn

__all__ = ["add_console"]

_TYPES: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "json": "application/json",
}
_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def add_console(app: FastAPI, *, sign_in: SignIn | None = None) -> None:
    """Serve the page at `/console` and its modules, style and catalogues below it; they name no other host.

    With `sign_in` people can sign in at their issuer, the only other host the page may speak to.
    """
    for file in resources.files("app.console").joinpath("static").iterdir():
        path = "/console" if file.name == "index.html" else f"/console/{file.name}"
        serve = _serve(file.read_bytes(), _TYPES[file.name.rpartition(".")[2]], sign_in)
        app.add_api_route(path, serve, include_in_schema=False, response_model=None)

    async def show_sign_in() -> Response:
        client = None if sign_in is None else sign_in.describe_client()
        return JSONResponse(client, headers=_HEADERS)

    app.add_api_route("/console/sign-in", show_sign_in, include_in_schema=False, response_model=None)


def _serve(content: bytes, media_type: str, sign_in: SignIn | None) -> Callable[[Request], Awaitable[Response]]:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    async def serve(request: Request) -> Response:
        # Written each time: the issuer's endpoints are only known once its discovery document was read.
        headers = {**_HEADERS, "ETag": tag, "Content-Security-Policy": _write_policy(sign_in)}
        known = request.headers.get("If-None-Match", "")
        if tag in (each.strip().removeprefix("W/") for each in known.split(",")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return serve


def _write_policy(sign_in: SignIn | None) -> str:
    # Charts are fetched with the key and shown as pictures, in which nothing runs.
    origins = " ".join(["'self'", *(sign_in.list_origins() if sign_in else ())])
    return (
        f"default-src 'self'; connect-src {origins}; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
