"""What the routes of calls share."""

from typing import Annotated

from fastapi import Depends, Query, Request

from app.auth.access import DecisionReaderDep
from app.auth.principals import Permission, Principal, Role
from app.calls.components import CallComponents, CallsState
from app.errors import ForbiddenError
from app.web.state import read_state

__all__ = ["CallsDep", "RevealDep"]


def _read_components(request: Request) -> CallComponents:
    return read_state(request.scope, CallsState)["calls"]


CallsDep = Annotated[CallComponents, Depends(_read_components)]


def _require_reveal(
    reader: DecisionReaderDep,
    *,
    reveal: Annotated[bool, Query(description="Show the full number and the name; leaves an audit record.")] = False,
) -> Principal | None:
    """Return who may see the full number, `None` when nobody asked for it; raises ForbiddenError."""
    if reveal and not reader.may(Permission.REVEAL_NUMBERS):
        raise ForbiddenError(f"Revealing numbers needs the role {Role.VOICE_ADMIN_USER}; yours is {reader.role}.")
    return reader if reveal else None


RevealDep = Annotated[Principal | None, Depends(_require_reveal)]
