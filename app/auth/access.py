"""What a route asks of whoever calls it, visible in its signature and in the OpenAPI document."""

from typing import ClassVar

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.params import Security as SecurityParameter
from fastapi.security.base import SecurityBase

from app.auth.principals import Authenticator, Principal
from app.auth.roles import Permission, weakest_role
from app.errors import ForbiddenError, UnauthorizedError

__all__ = ["InvalidTokenError", "MissingTokenError", "Require", "requires"]

AUTHENTICATOR = "authenticator"
"""The key under which the lifespan state holds the `Authenticator`."""


class MissingTokenError(UnauthorizedError):
    """The request brought no bearer token."""

    code = "missing-token"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer realm="smartrouting"'}


class InvalidTokenError(UnauthorizedError):
    """The bearer token is nobody's, or no longer valid."""

    code = "invalid-token"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer realm="smartrouting", error="invalid_token"'}


class Require(SecurityBase):
    """Lets a request through when its bearer token belongs to a principal with one permission (RFC 6750)."""

    def __init__(self, permission: Permission) -> None:
        self._permission = permission
        self.scheme_name = "AdministratorToken"
        self.model = BearerModel(
            description="A key from `SMARTROUTING_ADMIN__API_KEYS`, or an access token of the OpenID Connect issuer."
        )

    async def __call__(self, request: Request) -> Principal:
        """Return the principal; raises MissingTokenError, InvalidTokenError (401) or ForbiddenError (403)."""
        principal = await get_authenticator(request).authenticate(_read_token(request))
        if principal is None:
            raise InvalidTokenError("The token is not one this service knows, or it is no longer valid.")
        if not principal.may(self._permission):
            raise ForbiddenError(f"This needs the role {weakest_role(self._permission)}; yours is {principal.role}.")
        return principal


def requires(permission: Permission) -> SecurityParameter:
    """Declare what a route needs: `EditorDep = Annotated[Principal, requires(Permission.EDIT_RULES)]`.

    The OpenAPI document names the weakest role that suffices (OpenAPI 3.1, Security Requirement Object).
    """
    required: SecurityParameter = Security(Require(permission), scopes=[weakest_role(permission).value])
    return required


def get_authenticator(request: Request) -> Authenticator:
    """Return the authenticator the composition root put into the lifespan state."""
    authenticator: Authenticator = getattr(request.state, AUTHENTICATOR)
    return authenticator


def _read_token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.casefold() != "bearer" or not token.strip():
        raise MissingTokenError("Send Authorization: Bearer with an API key or an access token.")
    return token.strip()
