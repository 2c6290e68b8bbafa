"""The emulator as an ASGI application: the way from a request to its answer."""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from app.emulators.dataverse.clock import Clock, SkewedClock
from app.emulators.dataverse.control import Control, RecordedRequest, RequestLog
from app.emulators.dataverse.loading import sample_tables
from app.emulators.dataverse.provisioning import provision
from app.emulators.dataverse.service import WebApi
from app.emulators.dataverse.tables import Tables
from app.emulators.dataverse.tokens import TokenIssuer, describe_authority, describe_instance
from app.emulators.dataverse.traffic import API_ROOT, describe_traffic, word_error
from app.emulators.fault_control import CONTROL_ROOT
from app.emulators.faults import FaultLayer, Faults

TENANT_ID = "11111111-2222-4333-8444-555555555555"
CLIENT_ID = "0a0b0c0d-1111-4222-8333-444455556666"
CLIENT_SECRET = "demo-secret-not-for-production"  # noqa: S105 - opens the emulator only
TOKEN = "demo-dataverse-token"  # noqa: S105 - opens an emulator that was told to take it
AGENT_ID_COLUMN = "new_enreachuserid"
"""The column of the sample users that holds their Enreach ids."""
AGENT_EMAIL_COLUMN = "new_enreachemail"
"""The column of the sample users that holds their addresses in Enreach, where they differ."""
_OLDER = re.compile(r"^(/.*)?/api/data/v9\.[01](/|$)")
_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def read_utc_clock() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class DataverseEmulator:
    """The emulated organisation: call it as an ASGI application, or look into it from the same process."""

    def __init__(
        self, *, tables: Tables, issuer: TokenIssuer, api: WebApi, faults: Faults, clock: SkewedClock, log: RequestLog
    ) -> None:
        self.tables = tables
        self.faults = faults
        self.clock = clock
        self.log = log
        self._issuer = issuer
        self._api = api
        control = Control(faults=faults, clock=clock, log=log, tables=tables)
        routes = [
            Mount(CONTROL_ROOT, routes=control.routes()),
            Route(API_ROOT, self._serve_api, methods=_METHODS),
            Route(f"{API_ROOT}/{{path:path}}", self._serve_api, methods=_METHODS),
            Route("/common/discovery/instance", self._serve_instance),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._serve_authority),
            Route("/{tenant}/oauth2/v2.0/token", self._serve_token, methods=["POST"]),
        ]
        self._app = FaultLayer(
            Starlette(routes=routes), faults=faults, describe=describe_traffic, word_error=word_error
        )

    @property
    def requests(self) -> list[RecordedRequest]:
        """The recorded requests, oldest first, without those to the control endpoints."""
        return self.log.requests

    def issue_token(self, client_id: str = CLIENT_ID) -> str:
        """Return a token as the token endpoint would grant it to this client."""
        return self._issuer.issue(client_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI call."""
        if scope["type"] == "http":
            scope = _take_version(scope)
        if scope["type"] != "http" or describe_traffic(scope) is None:
            await self._app(scope, receive, send)
            return
        self.log.begin(scope)
        try:
            await self._app(scope, receive, send if "spec_version" in scope["asgi"] else self._date(send))
        finally:
            self.log.end()

    def _date(self, send: Send) -> Send:
        """Send the Date that a server would add, to whom reaches this application without one."""

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self.clock(), usegmt=True).encode()
                message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
            await send(message)

        return send_dated

    async def _serve_api(self, request: Request) -> Response:
        return await self._api.answer(request, in_flight=self.log.in_flight)

    async def _serve_token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        status, body = self._issuer.grant(request.path_params["tenant"], form)
        return _answer_uncached(body, status)

    async def _serve_authority(self, request: Request) -> Response:
        return _answer_uncached(describe_authority(_base(request), request.path_params["tenant"]))

    async def _serve_instance(self, request: Request) -> Response:
        return _answer_uncached(describe_instance(_base(request), self._issuer.tenant_id))


def create_dataverse_emulator(
    *,
    data: Tables | None = None,
    clock: Clock = read_utc_clock,
    tenant_id: str = TENANT_ID,
    clients: Mapping[str, str] | None = None,
    static_tokens: Mapping[str, str] | None = None,
    token_lifetime_s: int = 3599,
    most_at_once: int = 52,
) -> DataverseEmulator:
    """Return an emulated organisation.

    `data` defaults to the sample organisation; `clients` maps client ids to secrets and defaults to the demo client;
    `static_tokens` maps further accepted bearer tokens to client ids. More than `most_at_once` requests at the same
    time are answered with 429, as on the real one (Dataverse contract, section 5).
    """
    tables = sample_tables() if data is None else data
    accepted = {CLIENT_ID: CLIENT_SECRET} if clients is None else clients
    provision(tables, next(iter(accepted), CLIENT_ID))
    skewed, faults = SkewedClock(clock), Faults()

    def find_secrets(client_id: str) -> Mapping[str, None] | None:
        return {accepted[client_id]: None} if client_id in accepted else None

    issuer = TokenIssuer(tenant_id=tenant_id, find_secrets=find_secrets, lifetime_s=token_lifetime_s, clock=skewed)
    api = WebApi(
        tables=tables,
        issuer=issuer,
        static_tokens=static_tokens or {},
        most_at_once=most_at_once,
        clock=skewed,
        affinity=secrets.token_hex(32),
        faults=faults,
    )
    log = RequestLog(clock=skewed)
    return DataverseEmulator(tables=tables, issuer=issuer, api=api, faults=faults, clock=skewed, log=log)


def _take_version(scope: Scope) -> Scope:
    """Take v9.0 and v9.1 for v9.2, which only adds to them."""
    path = _OLDER.sub(f"{API_ROOT}\\2", scope["path"])
    return scope if path == scope["path"] else {**scope, "path": path, "raw_path": path.encode()}


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def _answer_uncached(body: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, {"Cache-Control": "no-store"})
