"""Who may use the administrators' endpoints, and what each role of Voice for Dynamics 365 may do there."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from app.errors import UnauthorizedError
from app.settings import Role

__all__ = [
    "PERMISSIONS",
    "Authenticator",
    "Identity",
    "InvalidTokenError",
    "Permission",
    "Principal",
    "PrincipalKind",
    "Role",
    "permits",
    "weakest_role",
]


class Permission(StrEnum):
    """One thing a principal may be allowed to do at the administrators' endpoints."""

    READ_OWN_READINESS = "read-own-readiness"
    """See whether one's own user is set up for calls."""
    READ_DECISIONS = "read-decisions"
    """See what calls were answered and why, with numbers redacted."""
    READ_RULES = "read-rules"
    READ_STATUS = "read-status"
    """See alerts, the state of the CRM connection and its cache."""
    SIMULATE = "simulate"
    """Ask what would be decided for a made-up call."""
    READ_USERS = "read-users"
    REVEAL_NUMBERS = "reveal-numbers"
    """See full phone numbers; every use leaves an audit record."""
    ERASE_NUMBERS = "erase-numbers"
    """Remove everything known about a number."""
    EDIT_RULES = "edit-rules"
    PUBLISH_RULES = "publish-rules"
    SET_SWITCHES = "set-switches"
    """Turn switches on and off that rules test."""
    MANAGE_TABLES = "manage-tables"
    """Put, change and delete tables that rules look up."""
    OPERATE = "operate"
    """Purge the cache, run fire drills, acknowledge alerts."""
    MANAGE_USERS = "manage-users"
    MANAGE_SETTINGS = "manage-settings"
    SHOW_WEBHOOK_KEY = "show-webhook-key"
    """See a key of the webhook in full, once, to hand it over to Enreach."""
    READ_AUDIT = "read-audit"


_OWN = frozenset({Permission.READ_OWN_READINESS})
_PROGRAM = frozenset(
    {
        Permission.READ_DECISIONS,
        Permission.READ_RULES,
        Permission.READ_STATUS,
        Permission.READ_USERS,
        Permission.SIMULATE,
    }
)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VOICE_USER: _OWN,
    Role.VOICE_API_USER: _PROGRAM,
    Role.VOICE_ADMIN_USER: frozenset(Permission),
}
"""Administrator guide, "Required User Roles & Privileges". A program is no user, so it has no readiness."""


def permits(role: Role, permission: Permission) -> bool:
    """Tell whether the role includes the permission."""
    return permission in PERMISSIONS[role]


def weakest_role(permission: Permission) -> Role:
    """Name the role with the fewest permissions that includes this one: what to ask an administrator for."""
    return min((role for role in PERMISSIONS if permits(role, permission)), key=lambda role: len(PERMISSIONS[role]))


class PrincipalKind(StrEnum):
    """How a principal proved who they are."""

    API_KEY = "api_key"
    """By a key from the settings or the store."""
    OIDC = "oidc"
    """By an access token of an OpenID Connect issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an access token says about its holder; nothing of it is shown again."""

    object_ids: tuple[str, ...] = ()
    """GUIDs that may be the object id in Entra ID."""
    logins: tuple[str, ...] = field(default=(), repr=False)
    emails: tuple[str, ...] = field(default=(), repr=False)
    """Only addresses the issuer has not marked as unverified."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or a program that proved who it is."""

    name: str
    """The label of the key or the subject of the token: what an audit record says, never a secret."""
    role: Role
    kind: PrincipalKind
    identity: Identity | None = field(default=None, compare=False)
    """What a token says about its holder, to find their user in Dynamics; `None` for keys."""

    def may(self, permission: Permission) -> bool:
        """Tell whether the principal's role includes the permission."""
        return permits(self.role, permission)


class InvalidTokenError(UnauthorizedError):
    """The bearer token is unknown, or no longer valid."""

    code = "invalid-token"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer realm="smartrouting", error="invalid_token"'}


class Authenticator(Protocol):
    """Turns a bearer token into the principal it belongs to."""

    async def authenticate(self, token: str) -> Principal | None:
        """Return whose token it is; `None` for an unknown one, so that the next authenticator may try.

        Raises InvalidTokenError for one that no other needs to be asked about.
        """
