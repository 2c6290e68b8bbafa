"""Endpoints under `/_emulator/` that a test or a person steers the emulator with."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from app.emulators.dataverse.clock import Clock, SkewedClock
from app.emulators.dataverse.data_control import make_data_routes
from app.emulators.dataverse.tables import Tables
from app.emulators.dataverse.values import render_instant
from app.emulators.fault_control import make_fault_routes
from app.emulators.faults import Faults

_KEPT_REQUESTS = 10_000
_SECRET_HEADERS = frozenset({"authorization", "cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request as it arrived, without its token."""

    at: str
    method: str
    path: str
    query: str
    """Decoded."""
    options: Mapping[str, str]
    """Decoded query options by name."""
    headers: Mapping[str, str]
    """Names in lower case; `authorization` and `cookie` only say that they were there."""


class RequestLog:
    """The latest requests, and how many ran at the same time."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._requests: deque[RecordedRequest] = deque(maxlen=_KEPT_REQUESTS)
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def requests(self) -> list[RecordedRequest]:
        """The recorded requests, oldest first."""
        return list(self._requests)

    def begin(self, scope: Scope) -> None:
        """Record a request that arrives."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        raw_query = scope["query_string"].decode("latin-1")
        self._requests.append(
            RecordedRequest(
                at=render_instant(self._clock()),
                method=scope["method"],
                path=scope["path"],
                query=unquote_plus(raw_query),
                options=dict(parse_qsl(raw_query, keep_blank_values=True)),
                headers=_read_headers(scope),
            )
        )

    def end(self) -> None:
        """Note that a request has been answered or given up."""
        self.in_flight -= 1

    def clear(self) -> None:
        """Forget the recorded requests."""
        self._requests.clear()
        self.most_in_flight = self.in_flight


class Skew(BaseModel):
    """How the organisation's clock differs from everybody else's; its tokens are judged by it."""

    model_config = ConfigDict(extra="forbid")

    ahead_seconds: float = Field(ge=-864_000, le=864_000, allow_inf_nan=False)


class Control:
    """Shows and changes faults, clock, requests and state."""

    def __init__(self, *, faults: Faults, clock: SkewedClock, log: RequestLog, tables: Tables) -> None:
        self._faults = faults
        self._clock = clock
        self._log = log
        self._tables = tables

    def routes(self) -> list[Route]:
        """Return the routes to mount under `/_emulator`."""
        return [
            *make_fault_routes(self._faults),
            *make_data_routes(self._tables, self._clock),
            Route("/clock", self._show_clock, methods=["GET"]),
            Route("/clock", self._skew_clock, methods=["PUT"]),
            Route("/requests", self._show_requests, methods=["GET"]),
            Route("/requests", self._clear_requests, methods=["DELETE"]),
            Route("/state", self._show_state, methods=["GET"]),
        ]

    async def _show_clock(self, _request: Request) -> Response:
        return _answer({"ahead_seconds": self._clock.ahead_seconds, "now": render_instant(self._clock())})

    async def _skew_clock(self, request: Request) -> Response:
        try:
            skew = Skew.model_validate_json(await request.body())
        except ValidationError as exc:
            return _answer({"errors": exc.errors(include_url=False, include_context=False)}, status=422)
        self._clock.ahead_seconds = skew.ahead_seconds
        return await self._show_clock(request)

    async def _show_requests(self, _request: Request) -> Response:
        return _answer([asdict(request) for request in self._log.requests])

    async def _clear_requests(self, _request: Request) -> Response:
        self._log.clear()
        return Response(status_code=204)

    async def _show_state(self, _request: Request) -> Response:
        return _answer(
            {
                "rows": {name: len(self._tables.rows(name)) for name in self._tables.schema},
                "version": self._tables.version,
                "requests": Counter(f"{request.method} {request.path}" for request in self._log.requests),
                "in_flight": self._log.in_flight,
                "most_in_flight": self._log.most_in_flight,
            }
        )


def _answer(body: Any, *, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _read_headers(scope: Scope) -> dict[str, str]:
    headers = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    return {name: "(hidden)" if name in _SECRET_HEADERS else value for name, value in headers}
