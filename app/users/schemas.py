"""How users, their checklists, and changes to them look in JSON."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AliasPath, BaseModel, ConfigDict, Field, model_validator

from app.auth.principals import Permission, PrincipalKind
from app.observability.redaction import redact_number
from app.settings import Role
from app.users.bulk import MAX_ROWS, BulkOutcome
from app.users.enabling import ChangedUser, DisableOptions, EnableOptions, PhoneClient
from app.users.enreach_users import IdOutcome
from app.users.readiness import ItemGroup, ItemState
from app.users.user import HeldRole, StepState, UserChangeState, check_address
from app.users.users import AssessedUser

__all__ = [
    "BulkDisableBody",
    "BulkEnableBody",
    "BulkRowBody",
    "ChangedUserBody",
    "ConfirmationBody",
    "DisableBody",
    "EmailBody",
    "EnableBody",
    "IdBody",
    "IdChangeBody",
    "IdUpdateBody",
    "MeBody",
    "OwnReadinessBody",
    "RoleChangeBody",
    "UserBody",
    "UserPage",
    "UserQuery",
]

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
        """Turn the body into options."""
        team_id = None if self.team_id is None else str(self.team_id)
        return EnableOptions(team_id=team_id, enreach_email=self.enreach_email, overwrite=self.overwrite)


class DisableBody(BaseModel):
    """How to disable somebody."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"client": "cif2"}]})

    client: PhoneClient | None = Field(
        default=None,
        description="`cif2` takes them out of the agent experience profiles as well; null is the framework of the "
        "settings `channel-provider`.",
    )
    leave_teams: bool = Field(
        default=False, description="Take them out of teams that carry Voice; never out of groups of Entra ID."
    )

    def make_options(self) -> DisableOptions:
        """Turn the body into options."""
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

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"confirmed": True}]})

    confirmed: bool = True
    note: str = Field(default="", max_length=500, description="Shown with the item of the checklist, also to the user.")


class IdUpdateBody(BaseModel):
    """Whose ids to update."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    users: list[UUID] | None = Field(
        default=None, max_length=MAX_ROWS, description="Null for everybody with the privileges of Voice User."
    )
    overwrite: bool = Field(default=False, description="Replace ids that differ from the matching one.")
    dry_run: bool = Field(default=False, description="Change nothing, tell what would be.")


class BulkEnableRow(EnableBody):
    """One user to enable."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user": "noora.laakso@contoso.example"}]})

    user: str = Field(min_length=1, max_length=200, description="Id, login or e-mail address.")


class BulkDisableRow(DisableBody):
    """One user to disable."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": "noora.laakso@contoso.example", "client": "cif2"}]}
    )

    user: str = Field(min_length=1, max_length=200, description="Id, login or e-mail address.")


class BulkEnableBody(BaseModel):
    """Whom to enable."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"users": [{"user": "noora.laakso@contoso.example"}], "dry_run": True}]},
    )

    users: list[BulkEnableRow] = Field(min_length=1, max_length=MAX_ROWS)
    dry_run: bool = False


class BulkDisableBody(BaseModel):
    """Whom to disable."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"users": [{"user": "noora.laakso@contoso.example", "client": "cif2"}], "dry_run": True}]
        },
    )

    users: list[BulkDisableRow] = Field(min_length=1, max_length=MAX_ROWS)
    dry_run: bool = False


class _Shown(BaseModel):
    """What is shown of something that has attributes of the same names."""

    model_config = ConfigDict(from_attributes=True)


class RoleBody(_Shown):
    """A role somebody holds."""

    name: str = Field(examples=[Role.VOICE_USER.value])
    team: str | None = Field(description="The team that brings it; null when it is held directly.")
    team_id: str | None
    team_managed_in_entra: bool = Field(description="Whether a group in Entra ID decides who is in that team.")

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, role: HeldRole) -> dict[str, object]:
        team = role.team
        return {
            "name": role.name,
            "team": team.name if team else None,
            "team_id": team.id if team else None,
            "team_managed_in_entra": team is not None and not team.is_managed_here,
        }


class ProfileBody(_Shown):
    """An agent experience profile."""

    id: str
    name: str


class ItemBody(_Shown):
    """One line of the administrator guide's checklist."""

    id: str = Field(examples=["voice_user_role"])
    title: str
    group: ItemGroup
    state: ItemState
    reason: str
    what_to_do: str
    chapter: str = Field(description="The chapter of the administrator guide that asks for it.")


class UserBody(_Shown):
    """A user of Dynamics, and whether they can use Voice."""

    id: str
    name: str
    email: str | None
    login: str | None = Field(description="The user principal name.")
    mobile: str | None = Field(description="Masked.", examples=["+35850*****09"])
    active: bool = Field(description="Whether the account in Dynamics is.")
    is_application: bool
    enreach_user_id: str | None
    enreach_email: str | None = Field(description="The override; null when the address in Dynamics counts.")
    roles: list[RoleBody] = Field(description="Roles of Voice and their equivalents, direct ones and those of teams.")
    profiles: list[ProfileBody] | None = Field(description="Null when the organisation has no such profiles.")
    ready: bool = Field(description="Whether every item for Voice is in order.")
    ready_for_enterprise_calls: bool
    missing: list[str] = Field(
        description="The items of the checklist that have to be done.", examples=[["voice_user_role"]]
    )
    readiness: list[ItemBody]

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, assessed: AssessedUser) -> dict[str, object]:
        user, voice, readiness = assessed.voice.user, assessed.voice, assessed.readiness
        return {
            "id": user.id,
            "name": user.name,
            "email": user.email,
            "login": user.login,
            "mobile": redact_number(user.mobile) or None,
            "active": user.active,
            "is_application": user.is_application,
            "enreach_user_id": user.record.enreach_id,
            "enreach_email": user.record.email,
            "roles": voice.roles,
            "profiles": voice.profiles,
            "ready": readiness.is_ready(ItemGroup.VOICE),
            "ready_for_enterprise_calls": readiness.is_ready(ItemGroup.ENTERPRISE_CALLS),
            "missing": [item.id for item in readiness.items if item.state is ItemState.MISSING],
            "readiness": readiness.items,
        }


class UserPage(_Shown):
    """Some users, by name."""

    items: list[UserBody]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")


class EnablingStep(_Shown):
    """One step of a change."""

    name: str = Field(examples=["role"])
    state: StepState
    reason: str


class ChangeBody(_Shown):
    """What became of a change to one user."""

    user_id: str
    state: UserChangeState
    steps: list[EnablingStep]
    still_granted_by: list[RoleBody] = Field(description="After disabling: what still lets them use Voice.")


class ChangedUserBody(ChangeBody):
    """What became of a change, and how the user stands now."""

    user: UserBody | None = Field(description="Null when the user could not be read again.")

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, changed: ChangedUser) -> dict[str, object]:
        change = changed.change
        return {
            "user_id": change.user_id,
            "state": change.state,
            "steps": change.steps,
            "still_granted_by": change.still_granted_by,
            "user": changed.user,
        }


class IdChangeBody(_Shown):
    """What the id update found out about one user."""

    user_id: str = Field(validation_alias=AliasPath("user", "id"))
    outcome: IdOutcome
    enreach_user_id: str | None = Field(validation_alias="enreach_id", description="The id that fits.")
    previous: str | None = Field(
        validation_alias=AliasPath("user", "record", "enreach_id"), description="The id that stood there before."
    )
    matched_by: str | None = Field(description="`email` or `override`.")
    reason: str


class RoleChangeBody(_Shown):
    """What a user held before and holds now."""

    user_id: str
    role: Role
    changed: bool
    before: list[RoleBody]
    after: list[RoleBody]
    id_update: IdChangeBody | None = Field(description="What came of the Enreach id, which Voice User updates.")


class BulkRowBody(_Shown):
    """What became of one row of a list."""

    row: int = Field(validation_alias=AliasPath("row", "number"))
    user: str = Field(validation_alias=AliasPath("row", "user"), description="As the list names them.")
    user_id: str | None
    outcome: BulkOutcome
    change: ChangeBody | None
    reason: str


class MeBody(BaseModel):
    """Who asks."""

    name: str = Field(description="The label of the key, or the subject of the token.")
    kind: PrincipalKind
    role: Role
    permissions: list[Permission]


class OwnReadinessBody(_Shown):
    """Whether one's own user can use Voice."""

    user_id: str
    name: str
    ready: bool
    ready_for_enterprise_calls: bool
    readiness: list[ItemBody]

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, assessed: AssessedUser) -> dict[str, object]:
        readiness = assessed.readiness
        return {
            "user_id": assessed.voice.user.id,
            "name": assessed.voice.user.name,
            "ready": readiness.is_ready(ItemGroup.VOICE),
            "ready_for_enterprise_calls": readiness.is_ready(ItemGroup.ENTERPRISE_CALLS),
            "readiness": readiness.items,
        }
