"""Swagger UI at `/docs`, from files installed with the service: no other host is asked for anything.

The page, its style and its scripts obey a content policy without any inline script, so that it can be served in a
network without internet and behind a proxy that adds a policy of its own.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus
from importlib import resources
from typing import Final

import orjson
from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app.auth.issuer import IssuerMetadata
from app.auth.sign_in import SignIn
from app.single_flight import SingleFlight
from app.web.openapi import complete_openapi

__all__ = ["add_documentation"]

_FILES: Final = {
    "/docs": ("docs.html", "text/html"),
    "/docs/start.js": ("start.js", "text/javascript"),
    "/docs/icon.svg": ("icon.svg", "image/svg+xml"),
    "/docs/oauth2-redirect": ("oauth2-redirect.html", "text/html"),
    "/docs/oauth2-redirect.js": ("oauth2-redirect.js", "text/javascript"),
}
_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def add_documentation(app: FastAPI, *, models: Sequence[type[BaseModel]] = (), sign_in: SignIn | None = None) -> None:
    """Serve the documentation of `app`, which must have been made with `openapi_url=None`.

    The OpenAPI document at `/openapi.json` is completed with error bodies, roles and `models` on the way. With
    `sign_in` users can sign in there at their issuer; the pages may speak to no other host.
    """
    complete_openapi(app, models=models, describe_sign_in=None if sign_in is None else sign_in.describe_scheme)
    folder = resources.files("app.web").joinpath("static")
    for path, (name, media_type) in _FILES.items():
        text = folder.joinpath(name).read_text(encoding="utf-8")
        if sign_in is not None and name == "start.js":
            text += _write_start(sign_in)
        app.add_api_route(path, _serve(text, media_type, sign_in), include_in_schema=False, response_model=None)
    app.add_route("/openapi.json", OpenApiDocument(app, sign_in).serve, include_in_schema=False)
    app.add_api_route("/", _lead_to_documentation, include_in_schema=False, response_model=None)
    app.mount("/docs/swagger", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")


class OpenApiDocument:
    """The OpenAPI document as bytes: written once, in a thread, since that takes longer than a call should wait."""

    def __init__(self, app: FastAPI, sign_in: SignIn | None) -> None:
        self._app = app
        self._sign_in = sign_in
        self._written: tuple[IssuerMetadata | None, bytes, str] | None = None
        self._single_flight: SingleFlight[None] = SingleFlight()

    async def serve(self, request: Request) -> Response:
        """Answer with the document, or 304 to whoever has it (RFC 9110, section 13.1.2)."""
        # The issuer's endpoints are only known once its discovery document was read.
        metadata = None if self._sign_in is None else self._sign_in.metadata
        if self._written is None or self._written[0] != metadata:
            await self._single_flight.run("openapi", partial(asyncio.to_thread, self._write, metadata))
        assert self._written is not None  # noqa: S101 - just written
        _, content, tag = self._written
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        known = request.headers.get("If-None-Match", "")
        if tag in (each.strip().removeprefix("W/") for each in known.split(",")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(content, headers=headers, media_type="application/json")

    def _write(self, metadata: IssuerMetadata | None) -> None:
        content = orjson.dumps(self._app.openapi())
        self._written = metadata, content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


async def _lead_to_documentation() -> Response:
    """Lead a browser that opens the bare address on; relatively, as a proxy may serve us below another path."""
    headers = {"Content-Security-Policy": _write_policy(None), **_HEADERS}
    return Response(status_code=307, headers=headers | {"Location": "docs"})


def _serve(text: str, media_type: str, sign_in: SignIn | None) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        # Written each time: the issuer's endpoints are only known once its discovery document was read.
        policy = _write_policy(sign_in)
        return Response(text, headers={"Content-Security-Policy": policy, **_HEADERS}, media_type=media_type)

    return serve


def _write_policy(sign_in: SignIn | None) -> str:
    origins = " ".join(["'self'", *(sign_in.list_origins() if sign_in else ())])
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {origins}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _write_start(sign_in: SignIn) -> str:
    """Write what Swagger UI is told after its start."""
    if sign_in.client_id is None:
        return ""
    options = {
        "clientId": sign_in.client_id,
        "scopes": " ".join(sign_in.scopes),
        "usePkceWithAuthorizationCodeGrant": True,
    }
    return f"ui.initOAuth({json.dumps(options)});\n"
