"""Bodies of requests: how large they may be, and JSON that its own reader judges, place by place."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLargeError, Finding, InvalidInputError
from app.web.problems import make_error_response

__all__ = ["BodyLimit", "JsonBodyDep", "describe_body"]


class BodyLimit:
    """Pure ASGI middleware that refuses large bodies below a path, whether their size is announced or not."""

    def __init__(
        self, app: ASGIApp, *, prefix: str, most: int, larger: Mapping[tuple[str, str], int] | None = None
    ) -> None:
        """Wrap `app`; bodies below the path `prefix` may have `most` bytes, and methods and paths of `larger` more."""
        self._app = app
        self._prefix = prefix
        self._most = most
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; other paths pass through."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        most = next((size for way, size in self._larger.items() if _goes(scope, *way)), self._most)
        refusal = BodyTooLargeError(f"The body has more than {most:,} bytes.")
        if _read_size(scope) > most:
            # What is left of an unread body must not be taken for the next request.
            await make_error_response(scope, refusal, headers=(("Connection", "close"),))(scope, receive, send)
            return
        size = 0

        async def count() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                # The framework lets nothing else through while it reads a body.
                raise HTTPException(refusal.status) from refusal
            return message

        await self._app(scope, count, send)


async def _read_json(request: Request) -> object:
    """Parse the body; raises InvalidInputError for anything but JSON, also when it is nested a thousand deep."""
    body = await request.body()
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        deep = "depth limit" in error.msg
        code, message = ("too-deep", "nested too deep") if deep else ("not-json", _locate(error))
        finding = Finding(code=code, pointer="", message=message)
        raise InvalidInputError("The body is not usable JSON.", findings=[finding]) from error
    return document


JsonBodyDep = Annotated[Any, Depends(_read_json)]


def describe_body(model: type[BaseModel], what: str, example: object) -> dict[str, Any]:
    """Describe a body for the `openapi_extra=` of a route that reads it with `JsonBodyDep`.

    The document must be completed with the model, or with one that holds it.
    """
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {
            "required": True,
            "description": what,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


def _goes(scope: Scope, method: str, path: str) -> bool:
    return bool(scope["method"] == method and scope["path"].startswith(path))


def _read_size(scope: Scope) -> int:
    sizes = [int(value) for name, value in scope["headers"] if name == b"content-length" and value.isdigit()]
    return max(sizes, default=0)


def _locate(error: orjson.JSONDecodeError) -> str:
    return f"this is not JSON, from line {error.lineno}, column {error.colno} on"
