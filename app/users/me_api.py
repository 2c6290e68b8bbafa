"""`/admin/me`: what whoever asks may do, and whether their own phone is set up."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.auth.access import OwnReadinessDep
from app.auth.principals import PERMISSIONS, Permission, PrincipalKind, Role
from app.users.deps import OwnIdentityDep, UsersDep
from app.users.readiness import ItemGroup
from app.users.schemas import ItemBody
from app.users.users import AssessedUser
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/me", tags=["Access"])


class MeBody(BaseModel):
    """Who asks."""

    name: str = Field(description="The label of the key, or the subject of the token.")
    kind: PrincipalKind
    role: Role
    permissions: list[Permission]


class OwnReadinessBody(BaseModel):
    """Whether one's own user can use Voice."""

    user_id: str
    name: str
    ready: bool
    ready_for_enterprise_calls: bool
    readiness: list[ItemBody]

    @classmethod
    def of(cls, assessed: AssessedUser) -> Self:
        """Take somebody with their checklist."""
        return cls(
            user_id=assessed.voice.user.id,
            name=assessed.voice.user.name,
            ready=assessed.readiness.is_ready(ItemGroup.VOICE),
            ready_for_enterprise_calls=assessed.readiness.is_ready(ItemGroup.ENTERPRISE_CALLS),
            readiness=[ItemBody.of(item) for item in assessed.readiness.items],
        )


@router.get("", summary="Who am I?")
async def show_me(me: OwnReadinessDep) -> MeBody:
    """Say whose credential this is, and what it may do."""
    return MeBody(name=me.name, kind=me.kind, role=me.role, permissions=sorted(PERMISSIONS[me.role]))


@router.get("/readiness", summary="Is my phone set up?", responses=problems(404, 409, 502, 503, 504))
async def show_own_readiness(me: OwnIdentityDep, users: UsersDep) -> OwnReadinessBody:
    """Show the checklist of one's own user, found by what the access token says; nobody else's."""
    return OwnReadinessBody.of(await users.users.show_own(me))
