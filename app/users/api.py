"""`/admin/users`: who may use Voice, what is missing, and how to change it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, status
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.auth.access import UserManagerDep, UserReaderDep
from app.settings import Role
from app.users.addresses import check_address
from app.users.deps import UserIdDep, UsersDep
from app.users.enabling import DisableOptions, EnableOptions, PhoneClient
from app.users.schemas import ChangedUserBody, IdChangeBody, RoleChangeBody, UserBody, UserPage
from app.users.users import UserSearch
from app.web.problems import problems

__all__ = ["DisableBody", "EnableBody", "router"]

router = APIRouter(prefix="/admin/users", tags=["Users"])

_TROUBLE = problems(404, 409, 422, 502, 503, 504)
Address = Annotated[str, AfterValidator(check_address), Field(max_length=200, json_schema_extra={"format": "email"})]


class UserQuery(BaseModel):
    """Which users to list."""

    model_config = ConfigDict(extra="forbid")

    search: str | None = Field(default=None, min_length=1, max_length=100, description="Part of a name or address.")
    active: bool | None = Field(default=None, description="Whether the account in Dynamics is.")
    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, max_length=4000, description="`next` of the page before.")


class EnableBody(BaseModel):
    """How to enable somebody; an empty object assigns the role directly."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    team_id: UUID | None = Field(default=None, description="Add them to this team that carries Voice User instead.")
    enreach_email: Address | None = Field(default=None, description="Their address in Enreach, where it differs.")
    overwrite: bool = Field(default=False, description="Replace another Enreach id than the matching one.")

    def make_options(self) -> EnableOptions:
        """Turn the body into a wish."""
        team_id = None if self.team_id is None else str(self.team_id)
        return EnableOptions(team_id=team_id, enreach_email=self.enreach_email, overwrite=self.overwrite)


class DisableBody(BaseModel):
    """How to disable somebody."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"client": "cif2"}]})

    client: PhoneClient = Field(
        default=PhoneClient.CIF1, description="`cif2` takes them out of the agent experience profiles as well."
    )
    leave_teams: bool = Field(
        default=False, description="Take them out of teams that carry Voice; never out of groups of Entra ID."
    )

    def make_options(self) -> DisableOptions:
        """Turn the body into a wish."""
        return DisableOptions(client=self.client, leave_teams=self.leave_teams)


class EmailBody(BaseModel):
    """The address of a user in Enreach."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"enreach_email": "noora.laakso@voice.example"}]}
    )

    enreach_email: Address | None = Field(description="Null when the addresses are equal.")


class IdBody(BaseModel):
    """The id of a user in Enreach."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"enreach_user_id": "c2b7d0d4-6a43-5b0e-9e0b-3f6f5a1d7713"}]}
    )

    enreach_user_id: UUID | None = Field(description="Null clears it.")


class ConfirmationBody(BaseModel):
    """What somebody has looked up in Voice Center."""

    model_config = ConfigDict(extra="forbid")

    confirmed: bool = True
    note: str = Field(default="", max_length=500, description="Shown with the item of the checklist, also to the user.")


RoleName = Annotated[Role, Path(json_schema_extra={"default": Role.VOICE_USER.value})]
DryRun = Annotated[bool, Query(description="Change nothing, tell what would be.")]


@router.get("", summary="List users", responses=problems(422, 502, 503, 504))
async def list_users(query: Annotated[UserQuery, Query()], _reader: UserReaderDep, users: UsersDep) -> UserPage:
    """List users by name with their roles, profiles, Enreach id and checklist."""
    search = UserSearch(text=query.search, active=query.active)
    return UserPage.of(await users.users.page(search, limit=query.limit, after=query.after))


@router.get("/{user_id}", summary="Show a user", responses=_TROUBLE)
async def show_user(user_id: UserIdDep, _reader: UserReaderDep, users: UsersDep) -> UserBody:
    """Show one user as they are this moment."""
    return UserBody.of(await users.users.show(user_id))


@router.post("/{user_id}/enable", summary="Enable a user", responses=_TROUBLE)
async def enable_user(
    user_id: UserIdDep,
    body: EnableBody,
    manager: UserManagerDep,
    users: UsersDep,
    *,
    dry_run: DryRun = False,
) -> ChangedUserBody:
    """Set the address, give Voice User, update the Enreach id; repeat it until its state is `unchanged`."""
    return ChangedUserBody.show(
        await users.administration.enable(user_id, body.make_options(), who=manager.name, dry_run=dry_run)
    )


@router.post("/{user_id}/disable", summary="Disable a user", responses=_TROUBLE)
async def disable_user(
    user_id: UserIdDep,
    body: DisableBody,
    manager: UserManagerDep,
    users: UsersDep,
    *,
    dry_run: DryRun = False,
) -> ChangedUserBody:
    """Take Voice User and the Enreach id away; `still_granted_by` names what else lets the person use Voice."""
    return ChangedUserBody.show(
        await users.administration.disable(user_id, body.make_options(), who=manager.name, dry_run=dry_run)
    )


@router.put("/{user_id}/roles/{role}", summary="Assign a role of Voice", responses=_TROUBLE)
async def assign_role(user_id: UserIdDep, role: RoleName, manager: UserManagerDep, users: UsersDep) -> RoleChangeBody:
    """Assign one of the three roles of Voice directly; no other role can be assigned here."""
    return RoleChangeBody.of(await users.administration.assign_role(user_id, role, who=manager.name))


@router.delete("/{user_id}/roles/{role}", summary="Remove a role of Voice", responses=_TROUBLE)
async def remove_role(user_id: UserIdDep, role: RoleName, manager: UserManagerDep, users: UsersDep) -> RoleChangeBody:
    """Take one of the three roles of Voice away, as far as it is held directly."""
    return RoleChangeBody.of(await users.administration.remove_role(user_id, role, who=manager.name))


@router.put("/{user_id}/enreach-email", summary="Set the Enreach e-mail", responses=_TROUBLE)
async def set_enreach_email(
    user_id: UserIdDep, body: EmailBody, manager: UserManagerDep, users: UsersDep
) -> IdChangeBody:
    """Set the address in Enreach where it differs, which updates the Enreach id of this user."""
    return IdChangeBody.of(await users.administration.set_email(user_id, body.enreach_email, who=manager.name))


@router.put("/{user_id}/enreach-id", summary="Set the Enreach user id by hand", responses=_TROUBLE)
async def set_enreach_id(user_id: UserIdDep, body: IdBody, manager: UserManagerDep, users: UsersDep) -> UserBody:
    """Set the id where no address decides, or clear it; Enreach must know the id."""
    enreach_id = None if body.enreach_user_id is None else str(body.enreach_user_id)
    return UserBody.of(await users.administration.set_id(user_id, enreach_id, who=manager.name))


@router.put(
    "/{user_id}/confirmations/web-phone",
    summary="Confirm the web-phone role",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_TROUBLE,
)
async def confirm_web_phone(
    user_id: UserIdDep, body: ConfirmationBody, manager: UserManagerDep, users: UsersDep
) -> None:
    """Note that the user's role in Enreach includes the web phone, which no interface of Enreach tells."""
    await users.users.confirm_web_phone(user_id, confirmed=body.confirmed, who=manager.name, note=body.note)


@router.put(
    "/confirmations/default-assignee",
    summary="Confirm the default assignee",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(422, 503),
)
async def confirm_assignee(body: ConfirmationBody, manager: UserManagerDep, users: UsersDep) -> None:
    """Note that DefaultCrmAssignee is set in the configurator app, which no interface of it tells."""
    await users.users.confirm_assignee(confirmed=body.confirmed, who=manager.name, note=body.note)


@router.put(
    "/confirmations/web-phone",
    summary="Confirm the web-phone role for everybody",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_TROUBLE,
)
async def confirm_web_phone_for_all(body: ConfirmationBody, manager: UserManagerDep, users: UsersDep) -> None:
    """Note that every role used in Enreach includes the web phone."""
    await users.users.confirm_web_phone(None, confirmed=body.confirmed, who=manager.name, note=body.note)
