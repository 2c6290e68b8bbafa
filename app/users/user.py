"""Users of Voice, as Dynamics knows them: what it says of them, the roles they have, and their Enreach id."""

import re
from dataclasses import dataclass, field

from app.settings import Role

__all__ = ["EnreachIdRecord", "HeldRole", "Profile", "Team", "User", "VoiceUser", "check_address"]

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
