"""Enables and disables a user, as the administrator guide's chapter of that name says."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.dataverse.errors import DataverseError
from app.errors import ConflictError, NotFoundError
from app.settings import Framework, Role, Settings
from app.single_flight import gather_or_cancel
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import EnreachIndex, EnreachSilence, EnreachUsers, IdOutcome
from app.users.repository import UserRepository
from app.users.role_assignment import RoleAssignments, check_active, check_managed, check_role
from app.users.role_catalog import RoleCatalog
from app.users.user import HeldRole, Step, StepState, Team, User, UserChange, VoiceUser, summarize, take_step
from app.users.users import AssessedUser, Users

__all__ = ["ChangeContext", "ChangedUser", "DisableOptions", "EnableOptions", "Enabling", "PhoneClient"]


class PhoneClient(StrEnum):
    """Which integration framework the user's app has."""

    CIF1 = "cif1"
    """Classic model-driven apps."""
    CIF2 = "cif2"
    """Multisession apps, with agent experience profiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableOptions:
    """How to enable a user."""

    team_id: str | None = None
    """Add them to this team that carries Voice User; `None` assigns the role directly."""
    enreach_email: str | None = None
    """Their address in Enreach, where it differs; `None` leaves what is there."""
    overwrite: bool = False
    """Whether another Enreach id than the matching one may be replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableOptions:
    """How to disable a user."""

    client: PhoneClient | None = None
    """`None` is that of the framework in the settings."""
    leave_teams: bool = False
    """Whether to remove them from the teams that carry Voice, as far as Dynamics decides who is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeContext:
    """What is the same for all users that are changed in one go."""

    catalog: RoleCatalog
    who: str
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedUser:
    """What was done, and how the user stands now."""

    change: UserChange
    user: AssessedUser | None
    """`None` when the user could not be read again."""


class Enabling:
    """Takes the steps of the guide in order; every step that was taken before is skipped over."""

    def __init__(
        self,
        *,
        repository: UserRepository,
        users: Users,
        enreach: EnreachUsers,
        role_assignments: RoleAssignments,
        ids: EnreachIds,
        read_settings: Callable[[], Settings],
    ) -> None:
        """`read_settings` returns the settings that hold now."""
        self._repository = repository
        self._users = users
        self._enreach = enreach
        self._role_assignments = role_assignments
        self._ids = ids
        self._read_settings = read_settings

    async def enable_one(self, user_id: str, options: EnableOptions, *, who: str, dry_run: bool) -> ChangedUser:
        """Read a user, enable them and show the result; raises AppError for what cannot be read before."""
        (voice, catalog), enreach = await gather_or_cancel(
            self._repository.read_voice_user(user_id), self._enreach.ask()
        )
        context = ChangeContext(catalog=catalog, who=who, dry_run=dry_run)
        return await self._show(await self.enable(voice, options, enreach=enreach, context=context))

    async def disable_one(self, user_id: str, options: DisableOptions, *, who: str, dry_run: bool) -> ChangedUser:
        """Read a user, disable them and show the result; raises AppError for what cannot be read before."""
        voice, catalog = await self._repository.read_voice_user(user_id)
        context = ChangeContext(catalog=catalog, who=who, dry_run=dry_run)
        return await self._show(await self.disable(voice, options, context=context))

    async def enable(
        self,
        voice: VoiceUser,
        options: EnableOptions,
        *,
        enreach: EnreachIndex | EnreachSilence,
        context: ChangeContext,
    ) -> UserChange:
        """Set the address, give the role, update the id, for CIF2 join the profile.

        Returns what came of each, never raising for one of them.
        """
        run = self._begin(voice, context)
        if options.enreach_email is not None:
            await run.take("enreach_email", run.set_email(options.enreach_email))
        if options.team_id is None:
            await run.take("role", run.assign_role())
        else:
            await run.take("team", run.join_team(options.team_id))
        uses_profiles = self._find_client() is PhoneClient.CIF2
        if any(step.state is StepState.FAILED for step in run.steps):
            for name in ("enreach_id", *(["profile"] if uses_profiles else [])):
                run.steps.append(Step(name=name, state=StepState.SKIPPED, reason="a step before it failed"))
            return summarize(voice.user.id, run.steps)
        await run.take("enreach_id", run.update_id(enreach, overwrite=options.overwrite))
        if uses_profiles:
            await run.take("profile", run.join_profile())
        return summarize(voice.user.id, run.steps)

    async def disable(self, voice: VoiceUser, options: DisableOptions, *, context: ChangeContext) -> UserChange:
        """Take the role and the id, for CIF2 the profiles too, and tell what still gives Voice.

        Every step is tried, whatever became of the one before; none raises.
        """
        run = self._begin(voice, context)
        await run.take("role", run.remove_role())
        if options.leave_teams:
            await run.take("team", run.leave_teams())
        await run.take("enreach_id", run.clear_id())
        if (options.client or self._find_client()) is PhoneClient.CIF2:
            await run.take("profile", run.leave_profiles())
        remaining = _foresee(voice, options) if context.dry_run else run.voice.list_carriers()
        return summarize(voice.user.id, run.steps, still_granted_by=remaining)

    def _find_client(self) -> PhoneClient:
        return PhoneClient.CIF1 if self._read_settings().voice.framework is Framework.CIF1 else PhoneClient.CIF2

    def _begin(self, voice: VoiceUser, context: ChangeContext) -> "_Run":
        return _Run(role_assignments=self._role_assignments, ids=self._ids, voice=voice, context=context)

    async def _show(self, change: UserChange) -> ChangedUser:
        """Show the user after a change; that this fails must not hide what the change was."""
        try:
            return ChangedUser(change=change, user=await self._users.show(change.user_id))
        except DataverseError:
            return ChangedUser(change=change, user=None)


_Outcome = tuple[StepState, str]
_ALREADY: _Outcome = (StepState.ALREADY, "")
_PLANNED: _Outcome = (StepState.PLANNED, "")
_DONE: _Outcome = (StepState.DONE, "")


@dataclass(slots=True, kw_only=True)
class _Run:
    """The steps of one user; each returns its state and a reason, or raises AppError."""

    role_assignments: RoleAssignments
    ids: EnreachIds
    voice: VoiceUser
    """The user as they are after the steps so far."""
    context: ChangeContext
    steps: list[Step] = field(default_factory=list)

    async def take(self, name: str, work: Awaitable[_Outcome]) -> None:
        """Take a step, whatever comes of it."""
        self.steps.append(await take_step(name, work))

    @property
    def user(self) -> User:
        """Their row of Dynamics, and what is kept of them."""
        return self.voice.user

    async def set_email(self, email: str) -> _Outcome:
        if (self.user.record.email or "").casefold() == email.casefold():
            return _ALREADY
        if self.context.dry_run:
            return _PLANNED
        self.voice = replace(self.voice, user=await self.ids.write_email(self.user, email, who=self.context.who))
        return _DONE

    async def assign_role(self) -> _Outcome:
        check_role(self.user, Role.VOICE_USER)
        if carriers := self.voice.list_carriers():
            return StepState.ALREADY, _describe(carriers)
        if self.context.dry_run:
            return _PLANNED
        context = self.context
        await self.role_assignments.assign(self.voice, Role.VOICE_USER, context.catalog, who=context.who)
        return _DONE

    async def join_team(self, team_id: str) -> _Outcome:
        context = self.context
        team = _find_team(context.catalog, team_id)
        check_role(self.user, Role.VOICE_USER)
        through = [role for role in self.voice.list_carriers() if role.team is not None and role.team.id == team.id]
        if through:
            return StepState.ALREADY, _describe(through)
        check_managed(team)
        if context.dry_run:
            return _PLANNED
        await self.role_assignments.join_team(self.voice, team, context.catalog, who=context.who)
        return _DONE

    async def update_id(self, enreach: EnreachIndex | EnreachSilence, *, overwrite: bool) -> _Outcome:
        context = self.context
        change = await self.ids.update(
            self.user, enreach, overwrite=overwrite, who=context.who, dry_run=context.dry_run
        )
        done = StepState.PLANNED if context.dry_run else StepState.DONE
        states = {IdOutcome.MATCHED: done, IdOutcome.ALREADY_RIGHT: StepState.ALREADY}
        return states.get(change.outcome, StepState.FAILED), change.reason

    async def join_profile(self) -> _Outcome:
        """Join the one profile of the settings; where several are possible somebody has to choose."""
        context, known = self.context, self.context.catalog.profiles
        if self.voice.profiles:
            return StepState.ALREADY, ", ".join(profile.name for profile in self.voice.profiles)
        if not known or len(known) > 1:
            problem = "there are several" if known else "there is no"
            raise ConflictError(f"{problem} agent experience profiles; name one in the settings channel-provider")
        (profile,) = known.values()
        if context.dry_run:
            return StepState.PLANNED, profile.name
        self.voice = await self.role_assignments.join_profile(self.voice, profile, context.catalog, who=context.who)
        return StepState.DONE, profile.name

    async def remove_role(self) -> _Outcome:
        context = self.context
        if not self.voice.list_direct(Role.VOICE_USER):
            return _ALREADY
        check_active(self.user)
        if context.dry_run:
            return _PLANNED
        self.voice = await self.role_assignments.remove(self.voice, Role.VOICE_USER, context.catalog, who=context.who)
        return _DONE

    async def leave_teams(self) -> _Outcome:
        context = self.context
        teams = {role.team.id: role.team for role in self.voice.list_carriers() if role.team}
        ours = [team for team in teams.values() if team.is_managed_here]
        if not ours:
            return _ALREADY
        if context.dry_run:
            return _PLANNED
        for team in ours:
            self.voice = await self.role_assignments.leave_team(self.voice, team, context.catalog, who=context.who)
        return _DONE

    async def clear_id(self) -> _Outcome:
        if self.user.record.enreach_id is None:
            return _ALREADY
        if self.context.dry_run:
            return _PLANNED
        await self.ids.write_id(self.user, None, who=self.context.who)
        return _DONE

    async def leave_profiles(self) -> _Outcome:
        context = self.context
        if not self.voice.profiles:
            reason = "this organisation has no agent experience profiles" if self.voice.profiles is None else ""
            return StepState.ALREADY, reason
        names = ", ".join(profile.name for profile in self.voice.profiles)
        if context.dry_run:
            return StepState.PLANNED, names
        self.voice = await self.role_assignments.leave_profiles(self.voice, context.catalog, who=context.who)
        return StepState.DONE, names


def _find_team(catalog: RoleCatalog, team_id: str) -> Team:
    """Return a team that carries Voice User; raises NotFoundError and ConflictError."""
    team = catalog.teams.get(team_id)
    if team is None:
        raise NotFoundError("there is no such team, or it carries no role of Voice")
    if not any(catalog.names.get(role_id) == Role.VOICE_USER for role_id in team.role_ids):
        raise ConflictError(f"the team {team.name} does not carry {Role.VOICE_USER}")
    return team


def _describe(carriers: Iterable[HeldRole]) -> str:
    return "; ".join(role.describe() for role in carriers)


def _foresee(voice: VoiceUser, options: DisableOptions) -> tuple[HeldRole, ...]:
    """List what would still give Voice afterwards."""
    direct = voice.list_direct(Role.VOICE_USER)
    rest = (role for role in voice.list_carriers() if role not in direct)
    return tuple(role for role in rest if not (options.leave_teams and role.team and role.team.is_managed_here))
