"""Users of Voice, as Dynamics knows them: what it says of them, their roles and Enreach id, and how a change went."""

import re
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from app.errors import AppError
from app.settings import Role

__all__ = [
    "EnreachIdRecord",
    "HeldRole",
    "Profile",
    "Step",
    "StepState",
    "Team",
    "User",
    "UserChange",
    "UserChangeState",
    "VoiceUser",
    "check_address",
    "explain",
    "summarize",
    "take_step",
]

_PART = r'[^\s@<>()\[\],;:\\"]+'
_ADDRESS = re.compile(f"{_PART}@{_PART}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnreachIdRecord:
    """What is kept of a Dynamics user to find the same user in Enreach."""

    enreach_id: str | None = None
    """Enreach User Id (administrator guide, "Enable & Disable Users")."""
    email: str | None = field(default=None, repr=False)
    """Enreach User Email: set where it is not the address in Dynamics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One row of `systemusers` (Dataverse contract, section 7.1)."""

    id: str
    name: str = field(default="", repr=False)
    email: str | None = field(default=None, repr=False)
    login: str | None = field(default=None, repr=False)
    """`domainname`, the user principal name."""
    mobile: str | None = field(default=None, repr=False)
    """As it stands in Dynamics, whatever that is."""
    active: bool = True
    is_application: bool = False
    unit_id: str | None = None
    """The business unit, which decides which copy of a role fits."""
    record: EnreachIdRecord = EnreachIdRecord()


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team that carries roles of interest."""

    id: str
    name: str
    kind: int | None
    """`teamtype`: 0 owner, 1 access, 2 Entra security group, 3 Office group."""
    role_ids: frozenset[str] = frozenset()

    @property
    def is_managed_here(self) -> bool:
        """Whether members are added in Dynamics, and not by a group of Entra ID."""
        return self.kind in {0, 1, None}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRole:
    """A role that a user has."""

    name: str
    role_id: str
    team: Team | None = None
    """The team that brings it; `None` when it is held directly."""

    def describe(self) -> str:
        """Say where it comes from: `Voice User through the team Agents`."""
        return f"{self.name} through the team {self.team.name}" if self.team else f"{self.name}, held directly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An agent experience profile (Dataverse contract, section 7.4)."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceUser:
    """A user with their roles and profiles."""

    user: User
    roles: tuple[HeldRole, ...] = ()
    """Direct ones and those of teams; only roles of Voice and their equivalents."""
    profiles: tuple[Profile, ...] | None = None
    """`None` when the organisation has no agent experience profiles at all."""

    def list_carriers(self) -> tuple[HeldRole, ...]:
        """List everything that gives the privileges of Voice User: the role itself and its equivalents."""
        others = {Role.VOICE_ADMIN_USER, Role.VOICE_API_USER}
        return tuple(role for role in self.roles if role.name not in others)

    def list_direct(self, role: Role) -> tuple[HeldRole, ...]:
        """List the direct assignments of a role of Voice; more than one only where business units changed."""
        return tuple(held for held in self.roles if held.name == role and held.team is None)

    def is_member(self, team: Team) -> bool:
        """Tell whether a team brings any of the roles."""
        return any(role.team is not None and role.team.id == team.id for role in self.roles)


def check_address(text: str) -> str:
    """Return an e-mail address as it is; raises ValueError for what no mail system would take."""
    if not _ADDRESS.fullmatch(text) or not text.isprintable():
        raise ValueError("an e-mail address has two parts around one @, without blanks, control characters or brackets")
    return text


class StepState(StrEnum):
    """How one step ended."""

    DONE = "done"
    """Changed, and read back."""
    ALREADY = "already"
    """It was so before; nothing was sent."""
    PLANNED = "planned"
    """Would be changed; a dry run changes nothing."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because an earlier step failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step."""

    name: str
    """`enreach_email`, `role`, `team`, `enreach_id` or `profile`."""
    state: StepState
    reason: str = ""


class UserChangeState(StrEnum):
    """How all steps together ended."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """It was all so before."""
    PLANNED = "planned"
    INCOMPLETE = "incomplete"
    """Something failed, or something else still grants what was to be taken away. Repeat it once that is mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChange:
    """The outcome for one user."""

    user_id: str
    state: UserChangeState
    steps: tuple[Step, ...]
    still_granted_by: tuple[HeldRole, ...] = ()
    """After disabling: what still lets them use Voice."""


async def take_step(name: str, work: Awaitable[tuple[StepState, str]]) -> Step:
    """Return what came of the work, its state and a reason; an AppError is a step that failed."""
    try:
        state, reason = await work
    except AppError as error:
        state, reason = StepState.FAILED, explain(error)
    return Step(name=name, state=state, reason=reason)


def summarize(user_id: str, steps: Iterable[Step], *, still_granted_by: tuple[HeldRole, ...] = ()) -> UserChange:
    """Tell from the steps how all of them together ended."""
    taken = tuple(steps)
    states = {step.state for step in taken}
    if still_granted_by or states & {StepState.FAILED, StepState.SKIPPED}:
        state = UserChangeState.INCOMPLETE
    elif StepState.PLANNED in states:
        state = UserChangeState.PLANNED
    else:
        state = UserChangeState.CHANGED if StepState.DONE in states else UserChangeState.UNCHANGED
    return UserChange(user_id=user_id, state=state, steps=taken, still_granted_by=still_granted_by)


def explain(error: AppError) -> str:
    """Say why a step failed, as a problem would."""
    return f"{error.title}: {error.detail}"
