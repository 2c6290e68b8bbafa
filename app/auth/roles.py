"""What each role of Voice for Dynamics 365 may do here, as one table."""

from enum import StrEnum

from app.settings import Role

__all__ = ["PERMISSIONS", "Permission", "Role", "permits", "weakest_role"]


class Permission(StrEnum):
    """One thing a principal may be allowed to do at the administrators' endpoints."""

    READ_OWN_READINESS = "read-own-readiness"
    """See whether one's own user is set up for calls."""
    READ_DECISIONS = "read-decisions"
    """See what calls were answered and why, with numbers masked."""
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
    OPERATE = "operate"
    """Purge the cache, run fire drills, acknowledge alerts."""
    MANAGE_USERS = "manage-users"
    MANAGE_SETTINGS = "manage-settings"
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
"""Administrator guide, "Required User Roles & Privileges". A program is nobody's own user, so it has no readiness."""


def permits(role: Role, permission: Permission) -> bool:
    """Tell whether the role includes the permission."""
    return permission in PERMISSIONS[role]


def weakest_role(permission: Permission) -> Role:
    """Name the role with the fewest permissions that includes this one: what to ask an administrator for."""
    return min((role for role in PERMISSIONS if permits(role, permission)), key=lambda role: len(PERMISSIONS[role]))
