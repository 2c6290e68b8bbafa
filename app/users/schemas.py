"""How users, their checklists and what was done to them look in JSON."""

from typing import Self

from pydantic import BaseModel, Field

from app.observability.redaction import redact_number
from app.settings import Role
from app.store.pages import Page
from app.users.bulk import BulkOutcome, BulkResult
from app.users.matching import IdChange, IdOutcome
from app.users.readiness import ItemGroup, ItemState, ReadinessItem
from app.users.steps import StepState, UserChange, UserChangeState
from app.users.user import HeldRole
from app.users.user_changes import ChangedUser, RoleChange
from app.users.users import AssessedUser

__all__ = [
    "BulkRowBody",
    "ChangeBody",
    "ChangedUserBody",
    "IdChangeBody",
    "ItemBody",
    "RoleBody",
    "RoleChangeBody",
    "UserBody",
    "UserPage",
]


class RoleBody(BaseModel):
    """A role somebody holds."""

    name: str = Field(examples=[Role.VOICE_USER.value])
    team: str | None = Field(description="The team that brings it; null when it is held directly.")
    team_id: str | None
    team_managed_in_entra: bool = Field(description="Whether a group in Entra ID decides who is in that team.")

    @classmethod
    def of(cls, role: HeldRole) -> Self:
        """Take a held role."""
        team = role.team
        return cls(
            name=role.name,
            team=team.name if team else None,
            team_id=team.id if team else None,
            team_managed_in_entra=team is not None and not team.is_managed_here,
        )


class ProfileBody(BaseModel):
    """An agent experience profile."""

    id: str
    name: str


class ItemBody(BaseModel):
    """One line of the administrator guide's checklist."""

    id: str = Field(examples=["voice_user_role"])
    title: str
    group: ItemGroup
    state: ItemState
    reason: str
    what_to_do: str
    chapter: str = Field(description="The chapter of the administrator guide that asks for it.")

    @classmethod
    def of(cls, item: ReadinessItem) -> Self:
        """Take an item."""
        return cls(
            id=item.id,
            title=item.title,
            group=item.group,
            state=item.state,
            reason=item.reason,
            what_to_do=item.what_to_do,
            chapter=item.chapter,
        )


class UserBody(BaseModel):
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

    @classmethod
    def of(cls, assessed: AssessedUser) -> Self:
        """Take a user with their checklist."""
        user, voice, readiness = assessed.voice.user, assessed.voice, assessed.readiness
        profiles = voice.profiles
        return cls(
            id=user.id,
            name=user.name,
            email=user.email,
            login=user.login,
            mobile=redact_number(user.mobile) or None,
            active=user.active,
            is_application=user.is_application,
            enreach_user_id=user.record.enreach_id,
            enreach_email=user.record.email,
            roles=[RoleBody.of(role) for role in voice.roles],
            profiles=None if profiles is None else [ProfileBody(id=p.id, name=p.name) for p in profiles],
            ready=readiness.is_ready(ItemGroup.VOICE),
            ready_for_enterprise_calls=readiness.is_ready(ItemGroup.ENTERPRISE_CALLS),
            missing=[item.id for item in readiness.items if item.state is ItemState.MISSING],
            readiness=[ItemBody.of(item) for item in readiness.items],
        )


class UserPage(BaseModel):
    """Some users, by name."""

    items: list[UserBody]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")

    @classmethod
    def of(cls, page: Page[AssessedUser]) -> Self:
        """Take a page."""
        return cls(items=[UserBody.of(each) for each in page.items], next=page.next)


class StepBody(BaseModel):
    """One step of a change."""

    name: str = Field(examples=["role"])
    state: StepState
    reason: str


class ChangeBody(BaseModel):
    """What became of a change to one user."""

    user_id: str
    state: UserChangeState
    steps: list[StepBody]
    still_granted_by: list[RoleBody] = Field(description="After disabling: what still lets the person use Voice.")

    @classmethod
    def of(cls, change: UserChange) -> Self:
        """Take a change."""
        return cls(
            user_id=change.user_id,
            state=change.state,
            steps=[StepBody(name=step.name, state=step.state, reason=step.reason) for step in change.steps],
            still_granted_by=[RoleBody.of(role) for role in change.still_granted_by],
        )


class ChangedUserBody(ChangeBody):
    """What became of a change, and how the user stands now."""

    user: UserBody | None = Field(description="Null when the user could not be read again.")

    @classmethod
    def show(cls, changed: ChangedUser) -> Self:
        """Take a change with the user."""
        user = None if changed.user is None else UserBody.of(changed.user)
        return cls(**ChangeBody.of(changed.change).model_dump(), user=user)


class IdChangeBody(BaseModel):
    """What the id update found out about one user."""

    user_id: str
    outcome: IdOutcome
    enreach_user_id: str | None = Field(description="The id that fits.")
    previous: str | None = Field(description="The id that stood there before.")
    matched_by: str | None = Field(description="`email` or `override`.")
    reason: str

    @classmethod
    def of(cls, change: IdChange) -> Self:
        """Take the change of an id."""
        return cls(
            user_id=change.user.id,
            outcome=change.outcome,
            enreach_user_id=change.enreach_id,
            previous=change.user.record.enreach_id,
            matched_by=change.matched_by,
            reason=change.reason,
        )


class RoleChangeBody(BaseModel):
    """What a user held before and holds now."""

    user_id: str
    role: Role
    changed: bool
    before: list[RoleBody]
    after: list[RoleBody]
    id_update: IdChangeBody | None = Field(description="What came of the Enreach id, which Voice User updates.")

    @classmethod
    def of(cls, change: RoleChange) -> Self:
        """Take a role change."""
        return cls(
            user_id=change.user_id,
            role=change.role,
            changed=change.changed,
            before=[RoleBody.of(role) for role in change.before],
            after=[RoleBody.of(role) for role in change.after],
            id_update=None if change.id_update is None else IdChangeBody.of(change.id_update),
        )


class BulkRowBody(BaseModel):
    """What became of one row of a list."""

    row: int
    user: str = Field(description="As the list names them.")
    user_id: str | None
    outcome: BulkOutcome
    change: ChangeBody | None
    reason: str

    @classmethod
    def of(cls, result: BulkResult) -> Self:
        """Take the result of a row."""
        return cls(
            row=result.row.number,
            user=result.row.user,
            user_id=result.user_id,
            outcome=result.outcome,
            change=None if result.change is None else ChangeBody.of(result.change),
            reason=result.reason,
        )
