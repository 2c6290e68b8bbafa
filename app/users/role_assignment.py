"""Gives and takes roles of Voice, team membership and agent experience profiles.

Each change looks first, changes only what differs, reads back past the server's caches, and leaves an audit record.
A refusal by Dataverse counts only when reading back shows that nothing changed: an answer may be lost on its way.
"""

from collections.abc import Awaitable, Callable

from app.dataverse.client import DataverseClient
from app.dataverse.errors import DataverseError
from app.errors import AppError, ConflictError, NotFoundError
from app.settings import Role
from app.store.audit import AuditStore
from app.users.role_catalog import Catalogue
from app.users.user import HeldRole, Profile, Team, User, VoiceUser
from app.users.users import Users

__all__ = ["NotVerifiedError", "RoleAssignments", "RoleRefusedError", "check_active", "check_managed", "check_role"]

_ROLES = "systemuserroles_association"
_TEAMS = "teammembership_association"
_PROFILES = "msdyn_appconfiguration_systemuser"


class RoleRefusedError(ConflictError):
    """The role is not for this kind of user."""

    code = "role-refused"
    title = "Role refused"


class NotVerifiedError(AppError):
    """Dataverse accepted the change, and reading back does not show it."""

    status = 502
    code = "change-not-verified"
    title = "Change not verified"


class RoleAssignments:
    """Changes what people hold. Each method returns what the person holds afterwards, and raises AppError."""

    def __init__(self, *, client: DataverseClient, users: Users, audit: AuditStore, clock: Callable[[], float]) -> None:
        self._client = client
        self._users = users
        self._audit = audit
        self._clock = clock

    async def assign(self, voice: VoiceUser, role: Role, catalogue: Catalogue, *, who: str) -> VoiceUser:
        """Assign a role of Voice directly, in the copy of the user's business unit.

        Raises RoleRefusedError, NotFoundError when the solution is not installed, DataverseError and NotVerifiedError.
        """
        check_role(voice.user, role)
        if voice.holds_directly(role):
            return voice
        role_id = catalogue.find_copy(role, voice.user.unit_id)
        if role_id is None:
            raise NotFoundError(f"there is no role {role} in the user's business unit; install the Voice solution")
        user = f"systemusers({voice.user.id})"
        after = await self._change(
            voice,
            catalogue,
            self._client.associate(user, _ROLES, f"roles({role_id})"),
            lambda now: bool(now.holds_directly(role)),
        )
        await self._note("role.assigned", who, voice, after)
        return after

    async def remove(self, voice: VoiceUser, role: Role, catalogue: Catalogue, *, who: str) -> VoiceUser:
        """Take away every direct assignment of a role of Voice. Raises like `assign`."""
        held = voice.holds_directly(role)
        if not held:
            return voice
        check_active(voice.user)
        after = voice
        for each in held:
            after = await self._change(
                after,
                catalogue,
                self._client.disassociate(f"systemusers({voice.user.id})", _ROLES, each.role_id),
                _lacks_role(each),
            )
        await self._note("role.removed", who, voice, after)
        return after

    async def join_team(self, voice: VoiceUser, team: Team, catalogue: Catalogue, *, who: str) -> VoiceUser:
        """Add a person to a team; raises ConflictError for a team whose members Entra ID decides."""
        if _is_member(voice, team):
            return voice
        check_active(voice.user)
        check_managed(team)
        user = f"systemusers({voice.user.id})"
        joining = self._client.associate(user, _TEAMS, f"teams({team.id})")
        after = await self._change(voice, catalogue, joining, lambda now: _is_member(now, team))
        await self._note("team.joined", who, voice, after)
        return after

    async def leave_team(self, voice: VoiceUser, team: Team, catalogue: Catalogue, *, who: str) -> VoiceUser:
        """Take a person out of a team; raises ConflictError for a team whose members Entra ID decides."""
        if not _is_member(voice, team):
            return voice
        check_managed(team)
        leaving = self._client.disassociate(f"systemusers({voice.user.id})", _TEAMS, team.id)
        after = await self._change(voice, catalogue, leaving, lambda now: not _is_member(now, team))
        await self._note("team.left", who, voice, after)
        return after

    async def leave_profiles(self, voice: VoiceUser, catalogue: Catalogue, *, who: str) -> VoiceUser:
        """Take a person out of the agent experience profiles (Dataverse contract, section 7.4)."""
        after = voice
        for profile in voice.profiles or ():
            after = await self._change(
                after,
                catalogue,
                self._client.disassociate(f"msdyn_appconfigurations({profile.id})", _PROFILES, voice.user.id),
                _lacks_profile(profile),
            )
        if after is not voice:
            await self._note("profile.left", who, voice, after)
        return after

    async def _change(
        self,
        voice: VoiceUser,
        catalogue: Catalogue,
        change: Awaitable[None],
        is_done: Callable[[VoiceUser], bool],
    ) -> VoiceUser:
        refusal: DataverseError | None = None
        try:
            await change
        except DataverseError as error:
            refusal = error
        try:
            after = await self._users.describe(voice.user, catalogue)
        except DataverseError as error:
            raise (refusal or error) from error
        if is_done(after):
            return after
        if refusal is not None:
            raise refusal
        raise NotVerifiedError("Dataverse accepted the change, but reading back does not show it; try again")

    async def _note(self, what: str, who: str, before: VoiceUser, after: VoiceUser) -> None:
        await self._audit.add(
            at=self._clock(),
            who=who,
            what=what,
            target=f"user/{before.user.id}",
            before=_describe(before),
            after=_describe(after),
        )


def check_role(user: User, role: Role) -> None:
    """Refuse roles that are not for this kind of user (administrator guide, "Required User Roles & Privileges")."""
    if user.is_application != (role is Role.VOICE_API_USER):
        kind = "people" if user.is_application else "application users"
        raise RoleRefusedError(f"{role} is for {kind} only")
    check_active(user)


def check_active(user: User) -> None:
    """Refuse disabled users: Dataverse lets nobody change their roles (Dataverse contract, section 7.3)."""
    if not user.active:
        raise RoleRefusedError("the account is disabled in Dynamics; enable it first, its roles cannot change before")


def check_managed(team: Team) -> None:
    """Refuse teams whose members come from a group of Entra ID."""
    if not team.is_managed_here:
        raise ConflictError(f"the members of the team {team.name} are those of a group in Entra ID; change them there")


def _is_member(voice: VoiceUser, team: Team) -> bool:
    return any(role.team is not None and role.team.id == team.id for role in voice.roles)


def _lacks_role(role: HeldRole) -> Callable[[VoiceUser], bool]:
    return lambda now: role not in now.roles


def _lacks_profile(profile: Profile) -> Callable[[VoiceUser], bool]:
    return lambda now: profile not in (now.profiles or ())


def _describe(voice: VoiceUser) -> dict[str, list[str]]:
    described = {"roles": sorted(role.describe() for role in voice.roles)}
    if voice.profiles is not None:
        described["profiles"] = sorted(profile.name for profile in voice.profiles)
    return described
