"""What a route asks of its caller, visible in its signature and in the OpenAPI document."""

from collections.abc import Callable
from typing import Annotated, TypedDict, cast

import structlog
from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.params import Security as SecurityParameter
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.guessing import GuessBrake
from app.auth.networks import Address, ClientAddresses
from app.auth.principals import Authenticator, InvalidTokenError, Permission, Principal, weakest_role
from app.errors import AppError, ForbiddenError, UnauthorizedError

__all__ = [
    "AdminAccess",
    "AuditReaderDep",
    "AuthState",
    "DecisionReaderDep",
    "EraserDep",
    "IdentifyFirst",
    "InvalidTokenError",
    "KeyHandoverDep",
    "MayReadStatusDep",
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
    "SwitchSetterDep",
    "TableManagerDep",
    "UserManagerDep",
    "UserReaderDep",
    "identify",
    "requires",
]

log = structlog.get_logger()

_PRINCIPAL = "smartrouting.principal"
"""The key under which a request's scope holds who sent it; the lifespan state may be one for all requests."""


class MissingTokenError(UnauthorizedError):
    """The request brought no bearer token."""

    code = "missing-token"


class AdminAccess:
    """Identifies who asks the administrators' endpoints; every refusal is counted, logged, and slower if repeated."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        clients: ClientAddresses,
        brake: GuessBrake,
        count_refusal: Callable[[str], None],
    ) -> None:
        """`count_refusal` takes the code of the problem."""
        self._authenticator = authenticator
        self._clients = clients
        self._brake = brake
        self._count_refusal = count_refusal

    async def identify(self, request: Request) -> Principal:
        """Return whose token a request brings; raises MissingTokenError, InvalidTokenError or ForbiddenError."""
        try:
            token = _read_token(request)
            principal = await self._authenticator.authenticate(token)
        except (UnauthorizedError, ForbiddenError) as error:
            self.note_refusal(request, error)
            raise
        if principal is None:
            refusal = InvalidTokenError("The token is not one this service knows, or it is no longer valid.")
            self.note_refusal(request, refusal)
            await self._brake.hold_back(self._find_address(request))
            raise refusal
        return principal

    def note_refusal(self, request: Request, error: AppError) -> None:
        """Count and log a request that was turned away, with the address it came from."""
        self._count_refusal(error.code)
        log.info("access.refused", code=error.code, peer=str(self._find_address(request)))

    def _find_address(self, request: Request) -> Address | None:
        client = request.scope.get("client")
        return self._clients.find(request.scope["headers"], client[0] if client else None)


class AuthState(TypedDict):
    """What this module reads from the lifespan state."""

    admin_access: AdminAccess


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
        principal = await identify(request)
        if not principal.may(self._permission):
            needed = weakest_role(self._permission)
            refusal = ForbiddenError(f"This needs the role {needed}; yours is {principal.role}.")
            _read_access(request).note_refusal(request, refusal)
            raise refusal
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
KeyHandoverDep = Annotated[Principal, requires(Permission.SHOW_WEBHOOK_KEY)]
SettingsManagerDep = Annotated[Principal, requires(Permission.MANAGE_SETTINGS)]
SimulatorDep = Annotated[Principal, requires(Permission.SIMULATE)]
SwitchSetterDep = Annotated[Principal, requires(Permission.SET_SWITCHES)]
StatusReaderDep = Annotated[Principal, requires(Permission.READ_STATUS)]
TableManagerDep = Annotated[Principal, requires(Permission.MANAGE_TABLES)]
UserManagerDep = Annotated[Principal, requires(Permission.MANAGE_USERS)]
UserReaderDep = Annotated[Principal, requires(Permission.READ_USERS)]


async def _may_read_status(request: Request) -> bool:
    """Tell whether a request that needs no credential brings one that may see details; a wrong one is refused."""
    return "Authorization" in request.headers and (await identify(request)).may(Permission.READ_STATUS)


MayReadStatusDep = Annotated[bool, Depends(_may_read_status)]


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
            await identify(Request(scope))
            return await receive()

        await self._app(scope, receive_from_known, send)


async def identify(request: Request) -> Principal:
    """Return whose token it is, judging it once for each request; raises MissingTokenError and InvalidTokenError."""
    known: Principal | None = request.scope.get(_PRINCIPAL)
    if known is None:
        known = request.scope[_PRINCIPAL] = await _read_access(request).identify(request)
    return known


def _read_access(request: Request) -> AdminAccess:
    return cast(AuthState, request.scope["state"])["admin_access"]


def _read_token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.casefold() != "bearer" or not token.strip():
        raise MissingTokenError("Send Authorization: Bearer with an API key or an access token.")
    return token.strip()
