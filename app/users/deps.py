"""What the routes of users share."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request

from app.auth.access import OwnReadinessDep
from app.auth.principals import Identity
from app.errors import NotFoundError
from app.users.components import UserComponents, UsersState
from app.web.state import read_state

__all__ = ["OwnIdentityDep", "UserIdDep", "UsersDep"]


def _read_components(request: Request) -> UserComponents:
    return read_state(request.scope, UsersState)["users"]


UsersDep = Annotated[UserComponents, Depends(_read_components)]


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
