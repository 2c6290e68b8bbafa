"""What an administrator does to one user, named by id: enable, disable, roles, address and id."""

from dataclasses import dataclass, replace

from app.dataverse.errors import DataverseError
from app.errors import InvalidInputError
from app.settings import Role
from app.users.enabling import DisableOptions, EnableOptions, Enabling
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import EnreachSilence, EnreachUsers
from app.users.matching import IdChange, IdOutcome
from app.users.pairs import ask_both
from app.users.repository import UserRepository
from app.users.role_assignment import RoleAssignments
from app.users.role_catalog import Catalogue
from app.users.steps import UserChange
from app.users.user import HeldRole, User, VoiceUser
from app.users.users import AssessedUser, Users

__all__ = ["ChangedUser", "RoleChange", "UserAdministration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedUser:
    """What was done, and how the user stands now."""

    change: UserChange
    user: AssessedUser | None
    """`None` when the user could not be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChange:
    """What a user held before and holds now."""

    user_id: str
    role: Role
    changed: bool
    before: tuple[HeldRole, ...]
    after: tuple[HeldRole, ...]
    id_update: IdChange | None = None
    """What came of the id, which Voice User brings up to date."""


class UserAdministration:
    """Reads what a change needs, makes it, and shows the result. Everything raises AppError for what fails at once."""

    def __init__(
        self,
        *,
        people: UserRepository,
        users: Users,
        enreach: EnreachUsers,
        role_assignments: RoleAssignments,
        ids: EnreachIds,
        enabling: Enabling,
    ) -> None:
        self._people = people
        self._users = users
        self._enreach = enreach
        self._grants = role_assignments
        self._ids = ids
        self._enabling = enabling

    async def enable(self, user_id: str, wish: EnableOptions, *, who: str, dry_run: bool) -> ChangedUser:
        """Enable a user step by step; what failed is in the steps."""
        (voice, catalogue), enreach = await ask_both(self._read(user_id), self._enreach.ask())
        change = await self._enabling.enable(
            voice, wish, catalogue=catalogue, enreach=enreach, who=who, dry_run=dry_run
        )
        return ChangedUser(change=change, user=await self._show_again(user_id))

    async def disable(self, user_id: str, wish: DisableOptions, *, who: str, dry_run: bool) -> ChangedUser:
        """Disable a user step by step; what failed, and what still grants Voice, is in the change."""
        voice, catalogue = await self._read(user_id)
        change = await self._enabling.disable(voice, wish, catalogue=catalogue, who=who, dry_run=dry_run)
        return ChangedUser(change=change, user=await self._show_again(user_id))

    async def assign_role(self, user_id: str, role: Role, *, who: str) -> RoleChange:
        """Assign a role of Voice directly; Voice User brings the id up to date as well, as far as Enreach answers."""
        voice, catalogue = await self._read(user_id)
        after = await self._grants.assign(voice, role, catalogue, who=who)
        id_update = await self._update_id(voice.user, who=who) if role is Role.VOICE_USER else None
        return replace(_compare(role, voice, after), id_update=id_update)

    async def remove_role(self, user_id: str, role: Role, *, who: str) -> RoleChange:
        """Take a role of Voice away, as far as it is held directly."""
        voice, catalogue = await self._read(user_id)
        after = await self._grants.remove(voice, role, catalogue, who=who)
        return _compare(role, voice, after)

    async def set_email(self, user_id: str, email: str | None, *, who: str) -> IdChange:
        """Set the address in Enreach, which brings the id up to date (administrator guide, "Enable & Disable Users").

        Raises EnreachError after the address is set when Enreach does not answer.
        """
        user = await self._people.read_one(user_id)
        if user.is_application:
            raise InvalidInputError("an application has no Enreach user")
        changed = await self._ids.set_email(user, email, who=who)
        return await self._ids.update_one(changed, await self._enreach.list_all(), overwrite=False, who=who)

    async def set_id(self, user_id: str, enreach_id: str | None, *, who: str) -> AssessedUser:
        """Set the id by hand, or clear it."""
        await self._ids.set_id(user_id, enreach_id, who=who)
        return await self._users.show(user_id)

    async def _update_id(self, user: User, *, who: str) -> IdChange:
        enreach = await self._enreach.ask()
        if isinstance(enreach, EnreachSilence):
            return IdChange(user=user, outcome=IdOutcome.FAILED, reason=enreach.reason)
        return await self._ids.update_one(user, enreach, overwrite=False, who=who)

    async def _read(self, user_id: str) -> tuple[VoiceUser, Catalogue]:
        user, catalogue = await ask_both(self._people.read_one(user_id), self._users.read_catalogue())
        return await self._users.describe(user, catalogue), catalogue

    async def _show_again(self, user_id: str) -> AssessedUser | None:
        """Show the user after a change; that this fails must not hide what the change was."""
        try:
            return await self._users.show(user_id)
        except DataverseError:
            return None


def _compare(role: Role, before: VoiceUser, after: VoiceUser) -> RoleChange:
    return RoleChange(
        user_id=before.user.id, role=role, changed=after is not before, before=before.roles, after=after.roles
    )
