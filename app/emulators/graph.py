"""An emulated Microsoft Graph: app registrations with their secrets, and the endpoint that grants tokens for them.

What the documentation leaves open is guessed: the words of errors, and that whoever may read may add and remove
secrets too, which the real one wants a permission of its own for.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import NAMESPACE_URL, uuid4, uuid5

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from app.emulators.dataverse import CLIENT_ID, CLIENT_SECRET, TENANT_ID
from app.emulators.dataverse.clock import Clock
from app.emulators.dataverse.tokens import TokenIssuer, describe_authority, describe_instance
from app.emulators.fault_control import CONTROL_ROOT, make_fault_routes
from app.emulators.faults import ErrorAnswer, FaultLayer, Faults, Traffic

__all__ = ["GraphEmulator"]

Application = dict[str, Any]
"""In Graph's own wire names."""

_CODES = {
    400: ("Request_BadRequest", "A value in the request is invalid."),
    401: ("InvalidAuthenticationToken", "Access token validation failure."),
    403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    404: ("Request_ResourceNotFound", "The resource does not exist or one of its properties is not present."),
    429: ("TooManyRequests", "Too many requests."),
}
_HINT = 3
_USUAL_LIFE = timedelta(days=730)
_ALWAYS = ("id", "appId")


class GraphEmulator:
    """The emulated tenant: serve it as any ASGI application, and hold it to look inside.

    Over HTTP, `PUT /_emulator/consent` with `{"granted": false}` takes the permission away, and `/_emulator/faults`
    shows trouble, whose `at` is `token` for the token endpoint.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        applications: Iterable[Application] | None = None,
        client_secrets: Mapping[str, str] | None = None,
        static_tokens: Iterable[str] = (),
        tenant_id: str = TENANT_ID,
    ) -> None:
        """`client_secrets` are known by `keyId`; without applications there is one, that of the emulated Dataverse.

        `static_tokens` are accepted besides those that the token endpoint grants.
        """
        given = [_make_sample(clock())] if applications is None else applications
        self.applications = {each["appId"].casefold(): each for each in given}
        self.client_secrets = dict({_SAMPLE_KEY: CLIENT_SECRET} if client_secrets is None else client_secrets)
        self.consented = True
        self.faults = Faults()
        self._clock = clock
        self._static_tokens = frozenset(static_tokens)
        self._issuer = TokenIssuer(tenant_id=tenant_id, find_secrets=self._find_secrets, lifetime_s=3599, clock=clock)
        routes = Starlette(routes=self._make_routes())
        self._app = FaultLayer(routes, faults=self.faults, describe=_describe_traffic, word_error=_word_error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI call."""
        await self._app(scope, receive, send)

    def add_secret(self, application_id: str, name: str, expires_at: datetime) -> str:
        """Add a secret to an application, as `addPassword` does, and return it."""
        return str(self._add(self.applications[application_id.casefold()], name, expires_at)["secretText"])

    def remove_secret(self, application_id: str, name: str) -> None:
        """Remove the secrets of this name."""
        application = self.applications[application_id.casefold()]
        kept = [each for each in application["passwordCredentials"] if each["displayName"] != name]
        application["passwordCredentials"] = kept

    def _make_routes(self) -> list[Route | Mount]:
        control = [*make_fault_routes(self.faults), Route("/consent", self._consent, methods=["PUT"])]
        routes: list[Route | Mount] = [Mount(CONTROL_ROOT, routes=control)]
        for place in ("/v1.0/applications(appId='{app_id}')", "/v1.0/applications/{object_id}"):
            routes += [
                Route(place, self._show),
                Route(f"{place}/addPassword", self._add_password, methods=["POST"]),
                Route(f"{place}/removePassword", self._remove_password, methods=["POST"]),
            ]
        return [
            *routes,
            Route("/common/discovery/instance", self._serve_instance),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._serve_authority),
            Route("/{tenant}/oauth2/v2.0/token", self._serve_token, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        wanted = request.query_params.get("$select")
        names = [*_ALWAYS, *found] if wanted is None else wanted.split(",")
        return JSONResponse({name: found[name] for name in names if name in found})

    async def _add_password(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        try:
            wanted = json.loads(await request.body() or b"{}").get("passwordCredential") or {}
            end = wanted.get("endDateTime")
            expires_at = self._clock() + _USUAL_LIFE if end is None else datetime.fromisoformat(end)
        except (ValueError, AttributeError):
            return _refuse(400)
        return JSONResponse(self._add(found, wanted.get("displayName"), expires_at))

    async def _remove_password(self, request: Request) -> Response:
        found = self._find(request)
        if isinstance(found, Response):
            return found
        try:
            key_id = json.loads(await request.body())["keyId"]
        except (ValueError, TypeError, KeyError):
            return _refuse(400)
        kept = [each for each in found["passwordCredentials"] if each["keyId"] != key_id]
        if len(kept) == len(found["passwordCredentials"]):
            return _refuse(400)
        found["passwordCredentials"] = kept
        return Response(status_code=204)

    def _find(self, request: Request) -> Application | Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        known = token in self._static_tokens or self._issuer.identify(token) is not None
        if scheme.casefold() != "bearer" or not known:
            return _refuse(401)
        if not self.consented:
            return _refuse(403)
        wanted = request.path_params
        for application in self.applications.values():
            if wanted.get("app_id", "").casefold() == application["appId"].casefold() or (
                wanted.get("object_id") == application["id"]
            ):
                return application
        return _refuse(404)

    def _add(self, application: Application, name: str | None, expires_at: datetime) -> dict[str, Any]:
        secret = secrets.token_urlsafe(30)
        key_id = str(uuid4())
        credential: dict[str, Any] = {
            "customKeyIdentifier": None,
            "displayName": name,
            "endDateTime": _show_time(expires_at),
            "hint": secret[:_HINT],
            "keyId": key_id,
            "secretText": None,
            "startDateTime": _show_time(self._clock()),
        }
        self.client_secrets[key_id] = secret
        application["passwordCredentials"] = [*application["passwordCredentials"], credential]
        return credential | {"secretText": secret}

    def _find_secrets(self, client_id: str) -> Mapping[str, datetime] | None:
        application = self.applications.get(client_id.casefold())
        if application is None:
            return None
        return {
            self.client_secrets[each["keyId"]]: datetime.fromisoformat(each["endDateTime"])
            for each in application["passwordCredentials"]
            if each["keyId"] in self.client_secrets
        }

    async def _consent(self, request: Request) -> Response:
        try:
            self.consented = bool(json.loads(await request.body())["granted"])
        except (ValueError, TypeError, KeyError):
            return _refuse(400)
        return Response(status_code=204)

    async def _serve_token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        status, body = self._issuer.grant(request.path_params["tenant"], form)
        return JSONResponse(body, status, {"Cache-Control": "no-store"})

    async def _serve_authority(self, request: Request) -> Response:
        return JSONResponse(describe_authority(_base(request), request.path_params["tenant"]))

    async def _serve_instance(self, request: Request) -> Response:
        return JSONResponse(describe_instance(_base(request), self._issuer.tenant_id))


_SAMPLE_KEY = str(uuid5(NAMESPACE_URL, "secret"))


def _make_sample(now: datetime) -> Application:
    """Make the app registration of the emulated Dataverse's application user, a good half year old."""
    begun = now - timedelta(days=200)
    life = {"startDateTime": _show_time(begun), "endDateTime": _show_time(begun + _USUAL_LIFE)}
    unread = {"customKeyIdentifier": None}
    return {
        "id": str(uuid5(NAMESPACE_URL, "application")),
        "appId": CLIENT_ID,
        "displayName": "Voice for Dynamics 365",
        "passwordCredentials": [
            {"displayName": "production", "hint": CLIENT_SECRET[:_HINT], "keyId": _SAMPLE_KEY, "secretText": None}
            | life
            | unread
        ],
        "keyCredentials": [
            {
                "displayName": "CN=voice",
                "keyId": str(uuid5(NAMESPACE_URL, "certificate")),
                "key": None,
                "type": "AsymmetricX509Cert",
                "usage": "Verify",
            }
            | life
            | unread
        ],
    }


def _show_time(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _refuse(status: int) -> JSONResponse:
    code, message = _CODES.get(status, ("generalException", "An unexpected error occurred."))
    error = {"code": code, "message": message, "innerError": {"request-id": str(uuid4())}}
    return JSONResponse({"error": error}, status)


def _word_error(status: int, traffic: Traffic) -> ErrorAnswer:
    if traffic.at == "token":
        description = "AADSTS90033: A transient error has occurred."
        error = {"error": "temporarily_unavailable", "error_description": description}
        return ErrorAnswer(headers={"content-type": "application/json"}, body=json.dumps(error).encode())
    answer = _refuse(status)
    return ErrorAnswer(headers=dict(answer.headers), body=bytes(answer.body))


def _describe_traffic(scope: Scope) -> Traffic | None:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if path.startswith(CONTROL_ROOT):
        return None
    return Traffic(at="api" if path.startswith("/v1.0/") else "token", table="applications", text=path)


def _base(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
