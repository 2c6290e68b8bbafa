"""What a route asks of its caller, visible in its signature and in the OpenAPI document."""

from typing import Annotated, ClassVar, TypedDict, cast

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.params import Security as SecurityParameter
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.principals import Authenticator, Permission, Principal, weakest_role
from app.errors import ForbiddenError, UnauthorizedError

__all__ = [
    "AuditReaderDep",
    "AuthState",
    "DecisionReaderDep",
    "EraserDep",
    "IdentifyFirst",
    "InvalidTokenError",
    "MissingTokenError",
    "OperatorDep",
    "OwnReadinessDep",
    "Require",
    "RulesEditorDep",
    "RulesPublisherDep",
    "RulesReaderDep",
    "SettingsManagerDep",
    "SimulatorDep",
    "StatusReaderDep",
    "UserManagerDep",
    "UserReaderDep",
    "requires",
]

_PRINCIPAL = "smartrouting.principal"
"""The key under which a request's scope holds who sent it; the lifespan state may be one for all requests."""


class AuthState(TypedDict):
    """What this module reads from the lifespan state."""

    authenticator: Authenticator


class MissingTokenError(UnauthorizedError):
    """The request brought no bearer token."""

    code = "missing-token"


class InvalidTokenError(UnauthorizedError):
    """The bearer token is unknown, or no longer valid."""

    code = "invalid-token"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer realm="smartrouting", error="invalid_token"'}


class Require(SecurityBase):
    """Lets a request through when its bearer token belongs to a principal with one permission (RFC 6750)."""

    def __init__(self, permission: Permission) -> None:
        self._permission = permission
        self.scheme_name = "AdministratorToken"
        self.model = BearerModel(
            description=(
                "For everything under `/admin`: a key from `SMARTROUTING_ADMIN__API_KEYS` (the demo prints one), a key "
                "made at `/admin/keys`, or an access token of the OpenID Connect issuer."
            )
        )

    async def __call__(self, request: Request) -> Principal:
        """Return the principal; raises MissingTokenError, InvalidTokenError (401) or ForbiddenError (403)."""
        principal = await _identify(request)
        if not principal.may(self._permission):
            raise ForbiddenError(f"This needs the role {weakest_role(self._permission)}; yours is {principal.role}.")
        return principal


def requires(permission: Permission) -> SecurityParameter:
    """Declare what a route needs: `EditorDep = Annotated[Principal, requires(Permission.EDIT_RULES)]`.

    The OpenAPI document names the weakest role that suffices (OpenAPI 3.1, Security Requirement Object).
    """
    required: SecurityParameter = Security(Require(permission), scopes=[weakest_role(permission).value])
    return required


AuditReaderDep = Annotated[Principal, requires(Permission.READ_AUDIT)]
DecisionReaderDep = Annotated[Principal, requires(Permission.READ_DECISIONS)]
EraserDep = Annotated[Principal, requires(Permission.ERASE_NUMBERS)]
OperatorDep = Annotated[Principal, requires(Permission.OPERATE)]
OwnReadinessDep = Annotated[Principal, requires(Permission.READ_OWN_READINESS)]
RulesEditorDep = Annotated[Principal, requires(Permission.EDIT_RULES)]
RulesPublisherDep = Annotated[Principal, requires(Permission.PUBLISH_RULES)]
RulesReaderDep = Annotated[Principal, requires(Permission.READ_RULES)]
SettingsManagerDep = Annotated[Principal, requires(Permission.MANAGE_SETTINGS)]
SimulatorDep = Annotated[Principal, requires(Permission.SIMULATE)]
StatusReaderDep = Annotated[Principal, requires(Permission.READ_STATUS)]
UserManagerDep = Annotated[Principal, requires(Permission.MANAGE_USERS)]
UserReaderDep = Annotated[Principal, requires(Permission.READ_USERS)]


class IdentifyFirst:
    """Pure ASGI middleware: below a path, no body is read for a sender who is not known.

    The framework reads a whole body and parses it before it asks a route what it requires.
    """

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        """Wrap `app`; the path `prefix` and all below it need a valid token."""
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; reading its body raises MissingTokenError and InvalidTokenError."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return

        async def receive_from_known() -> Message:
            await _identify(Request(scope))
            return await receive()

        await self._app(scope, receive_from_known, send)


async def _identify(request: Request) -> Principal:
    """Return whose token it is, judging it once for each request."""
    known: Principal | None = request.scope.get(_PRINCIPAL)
    if known is not None:
        return known
    state = cast(AuthState, request.scope["state"])
    principal = await state["authenticator"].authenticate(_read_token(request))
    if principal is None:
        raise InvalidTokenError("The token is not one this service knows, or it is no longer valid.")
    request.scope[_PRINCIPAL] = principal
    return principal


def _read_token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.casefold() != "bearer" or not token.strip():
        raise MissingTokenError("Send Authorization: Bearer with an API key or an access token.")
    return token.strip()
