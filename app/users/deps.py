"""What the routes about people, keys and sign-in may ask for."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path

from app.auth.access import requires
from app.auth.principals import Principal
from app.auth.roles import Permission
from app.auth.stored_keys import KeyAdministration
from app.configurator.authentication_mode import AuthenticationModes
from app.errors import NotFoundError
from app.operations.jobs import JobRunner
from app.store.audit import AuditStore
from app.users.bulk import BulkUsers
from app.users.enreach_ids import EnreachIds
from app.users.user import Identity
from app.users.user_changes import UserAdministration
from app.users.users import Users
from app.web.state import take

__all__ = [
    "AuditDep",
    "AuditReaderDep",
    "AuthenticationModesDep",
    "BulkUsersDep",
    "EnreachIdsDep",
    "JobRunnerDep",
    "KeyAdministrationDep",
    "OwnIdentityDep",
    "OwnReadinessDep",
    "SettingsManagerDep",
    "UserAdministrationDep",
    "UserIdDep",
    "UserManagerDep",
    "UserReaderDep",
    "UsersDep",
]

UserReaderDep = Annotated[Principal, requires(Permission.READ_USERS)]
UserManagerDep = Annotated[Principal, requires(Permission.MANAGE_USERS)]
SettingsManagerDep = Annotated[Principal, requires(Permission.MANAGE_SETTINGS)]
AuditReaderDep = Annotated[Principal, requires(Permission.READ_AUDIT)]
OwnReadinessDep = Annotated[Principal, requires(Permission.READ_OWN_READINESS)]


def _read_user_id(
    user_id: Annotated[
        UUID,
        Path(
            description="The `systemuserid` in Dynamics.",
            openapi_examples={"demo": {"value": "50000000-0000-4000-8000-000000000013"}},
        ),
    ],
) -> str:
    return str(user_id)


def _require_identity(me: OwnReadinessDep) -> Identity:
    """Return what the access token says of the person; raises NotFoundError for a key."""
    if me.identity is None:
        raise NotFoundError("A key is nobody's user; sign in with an access token to see your own readiness.")
    return me.identity


UserIdDep = Annotated[str, Depends(_read_user_id)]
OwnIdentityDep = Annotated[Identity, Depends(_require_identity)]

UsersDep = Annotated[Users, take("users")]
UserAdministrationDep = Annotated[UserAdministration, take("user_desk")]
EnreachIdsDep = Annotated[EnreachIds, take("enreach_ids")]
BulkUsersDep = Annotated[BulkUsers, take("bulk_users")]
JobRunnerDep = Annotated[JobRunner, take("job_runner")]
KeyAdministrationDep = Annotated[KeyAdministration, take("key_desk")]
AuthenticationModesDep = Annotated[AuthenticationModes, take("authentication_modes")]
AuditDep = Annotated[AuditStore, take("audit")]
