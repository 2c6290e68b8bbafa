"""The one mapping from exceptions to answers: every error leaves as problem details (RFC 9457)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, get_args

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, Finding, InvalidInputError, PreconditionRequiredError
from app.observability.redaction import redact_text
from app.routing.documents import join_pointer
from app.routing.registry import suggest
from app.validation_messages import explain_problem
from app.web.methods import AllowedMethods
from app.web.parameters import NO_IF_MATCH
from app.web.problems import make_error_response, make_problem_response

__all__ = ["FailureBoundary", "add_error_handlers", "list_findings"]

log = structlog.get_logger()

_MIN_BODY_STATUS = 200
_BODYLESS = frozenset({204, 205, 304})
_UNREADABLE = (UnicodeDecodeError, RecursionError)
"""Why the framework could not read a body as JSON, besides finding that it is none."""
_UNREADABLE_TEXT = "The body is not JSON in UTF-8, or nested too deep."
_UNEXPECTED = "Something went wrong here; the log of the service tells more under the instance's identifier."
_HIDDEN = "*"
"""Stands for a key that is none of the interface."""
_IF_MATCH = ("header", "if-match")
_PLAIN_NAME = re.compile(r"[a-z][a-z_]{0,40}")
"""What an unknown parameter is called when it is a word that somebody mistyped, and nothing personal."""
_OWN_WORDS = frozenset({"value_error", "assertion_error", "finding"})
"""Kinds of errors whose message is written by a validator of ours, and may quote what was sent."""
_MIN_TELLING = 3
"""Characters; shorter values tell nothing, and are found in the middle of any word."""


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error with problem details; call it before adding the request middleware."""
    app.add_exception_handler(AppError, _answer_app_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_middleware(AllowedMethods, routes=app)
    app.add_middleware(FailureBoundary)


class FailureBoundary:
    """Pure ASGI middleware that turns an unexpected exception into a 500 without internals, logged once.

    It sits inside the request middleware, so that log line and answer carry the request's identifier. When the answer
    has begun it cannot be changed: the connection ends unfinished, which the client notices.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            log.info("http.client_left")
        except Exception as error:
            # The outermost boundary: beyond it the server would log values and answer in plain text.
            log.error("http.failed", exc_info=error, answer_started=started)  # noqa: TRY400 - given explicitly
            if not started:
                await make_error_response(scope, AppError(_UNEXPECTED))(scope, receive, send)


async def _answer_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 - registered for it; Starlette's type is wider
    if error.status >= AppError.status:
        log.error("http.failed", code=error.code, exc_info=error)
    return make_error_response(request.scope, error)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it; Starlette's type is wider
    headers = error.headers or {}
    if isinstance(error.__cause__, AppError):
        # Raised while the framework read the body, which lets nothing else through.
        return await _answer_app_error(request, error.__cause__)
    if isinstance(error.__cause__, _UNREADABLE):
        refusal = InvalidInputError(_UNREADABLE_TEXT)
        return make_error_response(request.scope, refusal)
    if error.status_code < _MIN_BODY_STATUS or error.status_code in _BODYLESS:
        return Response(status_code=error.status_code, headers=dict(headers))
    phrase = HTTPStatus(error.status_code).phrase
    detail: object = error.detail  # FastAPI's own HTTPException takes any value
    return make_problem_response(
        request.scope,
        status=error.status_code,
        code=phrase.casefold().replace(" ", "-").replace("'", ""),
        title=phrase.capitalize(),
        detail=detail if isinstance(detail, str) and detail != phrase else None,
        headers=headers.items(),
    )


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it; Starlette's type is wider
    if any(problem["loc"] == _IF_MATCH and problem["type"] == "missing" for problem in error.errors()):
        return make_error_response(request.scope, PreconditionRequiredError(NO_IF_MATCH))
    findings = list_findings(error, request.scope.get("route"))
    refusal = InvalidInputError("The request does not have the form this endpoint accepts.", findings=findings)
    return make_error_response(request.scope, refusal)


def list_findings(error: RequestValidationError, route: object) -> list[Finding]:
    """List what is wrong in a request for `route`, without the values, or the unknown keys, that caused it."""
    known = _list_body_keys(route)
    return [_find(problem, error.body, known) for problem in error.errors()]


def _find(problem: Mapping[str, Any], body: object, known: frozenset[str]) -> Finding:
    """Tell one validation error without the value, or the unknown key, that caused it."""
    place, *path = problem["loc"]
    context = problem.get("ctx", {})
    # Our own validators give code and hint with their errors (see `app.routing.documents.refuse`).
    code, hint = str(context.get("code", problem["type"])).replace("_", "-"), str(context.get("hint", ""))
    message, unexpected = _remove_input(problem), problem["type"] == "extra_forbidden"
    if problem["type"] == "json_invalid":
        where = f"This is not JSON, from character {path[0]} on." if path else _UNREADABLE_TEXT
        return Finding(code=code, pointer="", message=where)
    if place == "body":
        pointer = _point(path, body, known, missing=problem["type"] == "missing")
        hint = suggest(str(path[-1]), known) if unexpected else hint
        return Finding(code=code, pointer=pointer, message=message, hint=hint)
    word = ".".join(map(str, path))
    name = redact_text(word) if not unexpected or _PLAIN_NAME.fullmatch(word) else _HIDDEN
    return Finding(code=code, pointer="", message=f"{place} {name} {message}")


def _remove_input(problem: Mapping[str, Any]) -> str:
    """Say what is wrong, without the input that a validator of ours may quote."""
    message, sent = explain_problem(problem), problem.get("input")
    if problem["type"] in _OWN_WORDS and isinstance(sent, str) and len(sent) >= _MIN_TELLING:
        message = message.replace(sent, "…")
    return message


def _point(path: Sequence[str | int], body: object, known: frozenset[str], *, missing: bool) -> str:
    """Make a JSON pointer of pydantic's location, leaving out the names of union members it mixes in.

    A key that is none of the interface is spelled `*`, because it may be a name or a number.
    """
    steps: list[str] = []
    node = body
    for index, part in enumerate(path):
        found = _descend(node, part)
        if found is None and not (missing and index == len(path) - 1):
            continue
        node = found[0] if found else None
        steps.append(str(part) if isinstance(part, int) or part in known else _HIDDEN)
    return join_pointer(*steps)


def _descend(node: object, part: str | int) -> tuple[object] | None:
    """Look one step into a document; `None` when there is no such step."""
    if isinstance(node, dict) and part in node:
        return (node[part],)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return (node[part],)
    return None


def _list_body_keys(route: object) -> frozenset[str]:
    """List every key that the models of a route's body know, at whatever depth; whatever else is sent is not ours."""
    if not isinstance(route, APIRoute) or route.body_field is None:
        return frozenset()
    return frozenset(_list_keys(route.body_field.field_info.annotation, set()))


def _list_keys(annotation: Any, seen: set[type]) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        for name, field in annotation.model_fields.items():
            yield field.alias or name
            yield from _list_keys(field.annotation, seen)
    for part in get_args(annotation):
        yield from _list_keys(part, seen)
