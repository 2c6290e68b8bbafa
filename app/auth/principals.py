"""Who is using the administrators' endpoints."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from app.auth.roles import Permission, Role, permits

__all__ = ["Authenticator", "Identity", "Principal", "PrincipalKind"]


class PrincipalKind(StrEnum):
    """How a principal proved who they are."""

    API_KEY = "api_key"
    """By a key from the settings or the store."""
    OIDC = "oidc"
    """By an access token of an OpenID Connect issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an access token says about the person who brought it; nothing of it is shown again."""

    object_ids: tuple[str, ...] = ()
    """GUIDs that may be the object id in Entra ID."""
    logins: tuple[str, ...] = field(default=(), repr=False)
    emails: tuple[str, ...] = field(default=(), repr=False)
    """Only addresses the issuer has not marked as unverified."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody, or some program, we know."""

    name: str
    """The label of the key or the subject of the token: what an audit record says, never a secret."""
    role: Role
    kind: PrincipalKind
    identity: Identity | None = field(default=None, compare=False)
    """What a token says about the person, to find their user in Dynamics; `None` for keys, which are nobody's."""

    def may(self, permission: Permission) -> bool:
        """Tell whether the principal's role includes the permission."""
        return permits(self.role, permission)


class Authenticator(Protocol):
    """Turns a bearer token into the principal it belongs to."""

    async def authenticate(self, token: str) -> Principal | None:
        """Return whose token it is; `None` when it is nobody's, so that the next authenticator may try."""
