"""Builds the emulated Enreach API as an ASGI application."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from app.emulators.enreach.access import discover, exchange_password, refuse, require_key
from app.emulators.enreach.call_control import make_call_route
from app.emulators.enreach.calls import list_calls, list_service_calls
from app.emulators.enreach.catalogue import (
    fetch_availability,
    fetch_user,
    list_directories,
    list_entries,
    list_queues,
    list_users,
)
from app.emulators.enreach.tables import Clock, Tables, build_tables
from app.emulators.fault_control import CONTROL_ROOT, make_fault_routes
from app.emulators.faults import ErrorAnswer, FaultLayer, Faults, Traffic

__all__ = ["EnreachEmulator", "SeenRequest", "create_enreach_emulator"]

_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request the emulator got, without what is secret in it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)


class EnreachEmulator:
    """The emulated API: serve it as any ASGI application, and hold it to look inside.

    `requests` remembers the last 1000 requests, `tables` may be changed at any time, and `faults` shows trouble on
    demand, also over HTTP (`/_emulator/faults`): a fault's `table` is the first word of the path, its `at` is `token`
    for `/authuser`.
    """

    def __init__(self, *, tables: Tables, clock: Clock) -> None:
        self.tables = tables
        self.faults = Faults()
        self.requests: deque[SeenRequest] = deque(maxlen=_REMEMBERED)
        self._app = FaultLayer(
            _create_app(tables, self.faults, clock),
            faults=self.faults,
            describe=_describe_traffic,
            word_error=_word_error,
        )

    @property
    def credential(self) -> tuple[str, str]:
        """The e-mail and secret key of the first who may use it; empty where nobody may."""
        first = next(iter(self.tables["credentials"]), {"UserName": "", "SecretKey": ""})
        return first["UserName"], first["SecretKey"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; a trailing slash makes no difference."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _describe_traffic(scope) is not None:
            self.requests.append(_describe(scope))
        # Starlette takes `app_root_path` for its base URL; below a mount that would be the mounting application's.
        place = {"path": scope["path"].rstrip("/") or "/", "app_root_path": scope.get("root_path", "")}
        await self._app({**scope, **place}, receive, send)


def create_enreach_emulator(
    *, data: Mapping[str, Iterable[Mapping[str, Any]]] | None = None, clock: Clock
) -> EnreachEmulator:
    """Build the emulator over `data` (see `tables`), or over the sample organisation.

    Calls of the sample are dated back from `clock()`, once. Raises ValueError for tables it does not know.
    """
    return EnreachEmulator(tables=build_tables(data, clock()), clock=clock)


def _create_app(tables: Tables, faults: Faults, clock: Clock) -> Starlette:
    app = Starlette(
        routes=[
            Mount(CONTROL_ROOT, routes=[*make_fault_routes(faults), make_call_route(tables, clock)]),
            Route("/api/user", discover, methods=["GET", "POST"]),
            Route("/authuser/{email}", exchange_password, methods=["POST"]),
            Route("/users", require_key(list_users)),
            Route("/users/{id}", require_key(fetch_user)),
            Route("/users/{id}/availability/current", require_key(fetch_availability)),
            Route("/queues", require_key(list_queues)),
            Route("/directory", require_key(list_directories)),
            Route("/directory/{id}", require_key(list_entries)),
            Route("/calls", require_key(list_calls)),
            Route("/servicecall", require_key(list_service_calls)),
        ]
    )
    app.state.tables = tables
    return app


def _describe_traffic(scope: Scope) -> Traffic | None:
    seen = _describe(scope)
    if seen.path.startswith(CONTROL_ROOT):
        return None
    first = seen.path.strip("/").partition("/")[0]
    query = "&".join(f"{name}={value}" for name, value in seen.query.items())
    return Traffic(at="token" if first == "authuser" else "api", table=first, text=f"{seen.path}?{query}")


def _word_error(status: int, _traffic: Traffic) -> ErrorAnswer:
    answer = refuse(status, "Planned trouble")
    return ErrorAnswer(headers=dict(answer.headers), body=bytes(answer.body))


def _describe(scope: Scope) -> SeenRequest:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return SeenRequest(scope["method"], path, dict(parse_qsl(scope["query_string"].decode("latin-1"))))
