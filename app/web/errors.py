"""The one mapping from exceptions to answers: every error leaves as problem details (RFC 9457)."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, InvalidInputError
from app.web.problems import make_error_response, make_problem_response
from app.web.validation import list_findings

__all__ = ["FailureBoundary", "add_error_handlers"]

log = structlog.get_logger()

_MIN_BODY_STATUS = 200
_BODYLESS = frozenset({204, 205, 304})
_UNREADABLE = (UnicodeDecodeError, RecursionError)
"""Why the framework could not read a body as JSON, besides finding that it is none."""
_UNEXPECTED = "Something went wrong here; the log of the service tells more under the instance's identifier."


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error with problem details; call it before adding the request middleware."""
    app.add_exception_handler(AppError, _answer_app_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
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
        refusal = InvalidInputError("The body is not JSON in UTF-8, or nested too deep.")
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
    findings = list_findings(error, request.scope.get("route"))
    refusal = InvalidInputError("The request does not have the form this endpoint accepts.", findings=findings)
    return make_error_response(request.scope, refusal)
