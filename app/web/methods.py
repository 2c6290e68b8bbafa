"""405 for methods that a path does not take, with all that it takes (RFC 9110, section 15.5.6)."""

from collections.abc import Sequence
from http import HTTPStatus
from re import Pattern

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.problems import make_problem_response

__all__ = ["AllowedMethods"]


class AllowedMethods:
    """Pure ASGI middleware that knows the methods of every path.

    The router looks at one route after the other: its own 405 names the methods of the first that fits, and
    `GET /admin/users/bulk-enable` would be taken for the user called `bulk-enable`.
    """

    def __init__(self, app: ASGIApp, *, routes: FastAPI) -> None:
        """`routes` is the application whose routes are meant; all are added before its first request."""
        self._app = app
        self._routes = routes
        self._fixed: dict[str, frozenset[str]] | None = None
        self._templates: list[tuple[Pattern[str], frozenset[str]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fixed = self._read_routes()
        path, method = scope["path"], scope["method"]
        allowed = fixed.get(path)
        if allowed is not None and method not in allowed:
            await _refuse(scope, allowed)(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.METHOD_NOT_ALLOWED:
                found = self._list_methods(path)
                if found:
                    MutableHeaders(scope=message)["Allow"] = _join(found)
            await send(message)

        await self._app(scope, receive, complete)

    def _list_methods(self, path: str) -> frozenset[str]:
        return frozenset().union(*(methods for regex, methods in self._templates if regex.match(path)))

    def _read_routes(self) -> dict[str, frozenset[str]]:
        if self._fixed is None:
            self._fixed = {}
            for route in iter_route_contexts(self._routes.routes):
                if route.path is None or not route.methods:
                    continue
                if "{" in route.path:
                    self._templates.append((route.path_regex, frozenset(route.methods)))
                else:
                    self._fixed[route.path] = self._fixed.get(route.path, frozenset()) | route.methods
        return self._fixed


def _refuse(scope: Scope, allowed: frozenset[str]) -> ASGIApp:
    detail = f"This path takes {' and '.join(sorted(allowed))}."
    return make_problem_response(
        scope,
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        code="method-not-allowed",
        title="Method not allowed",
        detail=detail,
        headers=[("Allow", _join(allowed))],
    )


def _join(methods: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(methods))
