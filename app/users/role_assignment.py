"""Assigns and removes roles of Voice, team memberships and agent experience profiles.

Each change looks first, changes only what differs, reads back past the server's caches, and leaves an audit record.
A refusal by Dataverse counts only when reading back shows that nothing changed: an answer may be lost on its way.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.dataverse.client import DataverseClient
from app.dataverse.errors import DataverseError
from app.errors import AppError, ConflictError, NotFoundError
from app.settings import Role
from app.store.audit import AuditStore
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import IdChange
from app.users.repository import UserRepository
from app.users.role_catalog import RoleCatalog
from app.users.user import HeldRole, Profile, Team, User, VoiceUser

__all__ = [
    "NotVerifiedError",
    "RoleAssignments",
    "RoleChange",
    "RoleRefusedError",
    "check_active",
    "check_managed",
    "check_role",
]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChange:
    """Which roles a user had before and has now."""

    user_id: str
    role: Role
    changed: bool
    before: tuple[HeldRole, ...]
    after: tuple[HeldRole, ...]
    id_update: IdChange | None = None
    """What came of the Enreach id, which Voice User brings up to date."""


class RoleAssignments:
    """Changes roles and memberships. Everything raises AppError; what takes a VoiceUser returns how they are then."""

    def __init__(
        self,
        *,
        client: DataverseClient,
        repository: UserRepository,
        ids: EnreachIds,
        audit: AuditStore,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._repository = repository
        self._ids = ids
        self._audit = audit
        self._clock = clock

    async def assign_to(self, user_id: str, role: Role, *, who: str) -> RoleChange:
        """Assign a role of Voice directly; Voice User brings the Enreach id up to date, as far as Enreach answers."""
        voice, catalog = await self._repository.read_voice_user(user_id)
        after = await self.assign(voice, role, catalog, who=who)
        id_update = await self._ids.try_update(voice.user, who=who) if role is Role.VOICE_USER else None
        return _compare(role, voice, after, id_update)

    async def remove_from(self, user_id: str, role: Role, *, who: str) -> RoleChange:
        """Remove a role of Voice, as far as it is held directly."""
        voice, catalog = await self._repository.read_voice_user(user_id)
        return _compare(role, voice, await self.remove(voice, role, catalog, who=who))

    async def assign(self, voice: VoiceUser, role: Role, catalog: RoleCatalog, *, who: str) -> VoiceUser:
        """Assign a role of Voice directly, in the copy of the user's business unit.

        Raises RoleRefusedError, NotFoundError when the solution is not installed, DataverseError and NotVerifiedError.
        """
        check_role(voice.user, role)
        if voice.list_direct(role):
            return voice
        role_id = catalog.find_copy(role, voice.user.unit_id)
        if role_id is None:
            raise NotFoundError(f"there is no role {role} in the user's business unit; install the Voice solution")
        assigning = self._client.associate(_locate(voice.user), _ROLES, f"roles({role_id})")
        after = await self._change(voice, catalog, assigning, lambda now: bool(now.list_direct(role)))
        await self._note("role.assigned", who, voice, after)
        return after

    async def remove(self, voice: VoiceUser, role: Role, catalog: RoleCatalog, *, who: str) -> VoiceUser:
        """Remove every direct assignment of a role of Voice. Raises like `assign`."""
        held = voice.list_direct(role)
        if not held:
            return voice
        check_active(voice.user)
        after = voice
        for each in held:
            removing = self._client.disassociate(_locate(voice.user), _ROLES, each.role_id)
            after = await self._change(after, catalog, removing, _lacks_role(each))
        await self._note("role.removed", who, voice, after)
        return after

    async def join_team(self, voice: VoiceUser, team: Team, catalog: RoleCatalog, *, who: str) -> VoiceUser:
        """Add an active user to a team whose members are managed in Dynamics."""
        if voice.is_member(team):
            return voice
        joining = self._client.associate(_locate(voice.user), _TEAMS, f"teams({team.id})")
        after = await self._change(voice, catalog, joining, lambda now: now.is_member(team))
        await self._note("team.joined", who, voice, after)
        return after

    async def leave_team(self, voice: VoiceUser, team: Team, catalog: RoleCatalog, *, who: str) -> VoiceUser:
        """Remove a user from a team whose members are managed in Dynamics."""
        if not voice.is_member(team):
            return voice
        leaving = self._client.disassociate(_locate(voice.user), _TEAMS, team.id)
        after = await self._change(voice, catalog, leaving, lambda now: not now.is_member(team))
        await self._note("team.left", who, voice, after)
        return after

    async def join_profile(self, voice: VoiceUser, profile: Profile, catalog: RoleCatalog, *, who: str) -> VoiceUser:
        """Add a user to an agent experience profile (Dataverse contract, section 7.4)."""
        joining = self._client.associate(
            f"msdyn_appconfigurations({profile.id})", _PROFILES, f"systemusers({voice.user.id})"
        )
        after = await self._change(voice, catalog, joining, lambda now: profile in (now.profiles or ()))
        await self._note("profile.joined", who, voice, after)
        return after

    async def leave_profiles(self, voice: VoiceUser, catalog: RoleCatalog, *, who: str) -> VoiceUser:
        """Remove a user from the agent experience profiles (Dataverse contract, section 7.4)."""
        after = voice
        for each in voice.profiles or ():
            leaving = self._client.disassociate(f"msdyn_appconfigurations({each.id})", _PROFILES, voice.user.id)
            after = await self._change(after, catalog, leaving, _lacks_profile(each))
        if after is not voice:
            await self._note("profile.left", who, voice, after)
        return after

    async def _change(
        self, voice: VoiceUser, catalog: RoleCatalog, change: Awaitable[None], is_done: Callable[[VoiceUser], bool]
    ) -> VoiceUser:
        refusal: DataverseError | None = None
        try:
            await change
        except DataverseError as error:
            refusal = error
        try:
            after = await self._repository.describe(voice.user, catalog)
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


def _locate(user: User) -> str:
    return f"systemusers({user.id})"


def _lacks_role(role: HeldRole) -> Callable[[VoiceUser], bool]:
    return lambda now: role not in now.roles


def _lacks_profile(profile: Profile) -> Callable[[VoiceUser], bool]:
    return lambda now: profile not in (now.profiles or ())


def _compare(role: Role, before: VoiceUser, after: VoiceUser, id_update: IdChange | None = None) -> RoleChange:
    return RoleChange(
        user_id=before.user.id,
        role=role,
        changed=after is not before,
        before=before.roles,
        after=after.roles,
        id_update=id_update,
    )


def _describe(voice: VoiceUser) -> dict[str, list[str]]:
    described = {"roles": sorted(role.describe() for role in voice.roles)}
    if voice.profiles is not None:
        described["profiles"] = sorted(profile.name for profile in voice.profiles)
    return described
