"""Enables and disables a user, as the administrator guide's chapter of that name says."""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import AppError, ConflictError, NotFoundError
from app.settings import Role
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import EnreachIndex, EnreachSilence
from app.users.matching import IdOutcome, plan_ids
from app.users.role_assignment import RoleAssignments, check_active, check_managed, check_role
from app.users.role_catalog import Catalogue
from app.users.steps import Step, StepState, UserChange, explain, summarize
from app.users.user import HeldRole, Team, User, VoiceUser

__all__ = ["DisableOptions", "EnableOptions", "Enabling", "PhoneClient"]


class PhoneClient(StrEnum):
    """Which integration framework the person's app uses."""

    CIF1 = "cif1"
    """Classic model-driven apps."""
    CIF2 = "cif2"
    """Multisession apps, with agent experience profiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableOptions:
    """How somebody is to be enabled."""

    team_id: str | None = None
    """Put them into this team that carries Voice User; `None` assigns the role directly."""
    enreach_email: str | None = None
    """Their address in Enreach, where it differs; `None` leaves what is there."""
    overwrite: bool = False
    """Whether another Enreach id than the matching one may be replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableOptions:
    """How somebody is to be disabled."""

    client: PhoneClient = PhoneClient.CIF1
    leave_teams: bool = False
    """Whether to take them out of the teams that carry Voice, as far as Dynamics decides who is in."""


class Enabling:
    """Takes the steps of the guide in order; every step that was taken before is skipped over."""

    def __init__(self, *, role_assignments: RoleAssignments, ids: EnreachIds) -> None:
        self._grants = role_assignments
        self._ids = ids

    async def enable(
        self,
        voice: VoiceUser,
        wish: EnableOptions,
        *,
        catalogue: Catalogue,
        enreach: EnreachIndex | EnreachSilence,
        who: str,
        dry_run: bool = False,
    ) -> UserChange:
        """Set the address, give the role, update the id; returns what came of each, never raising for one of them."""
        user = voice.user
        steps: list[Step] = []
        if wish.enreach_email is not None:
            step, user = await self._set_email(user, wish.enreach_email, who=who, dry_run=dry_run)
            steps.append(step)
        steps.append(await self._assign(voice, wish, catalogue, who=who, dry_run=dry_run))
        if any(step.state is StepState.FAILED for step in steps):
            steps.append(Step(name="enreach_id", state=StepState.SKIPPED, reason="a step before it failed"))
        else:
            steps.append(await self._update_id(user, enreach, overwrite=wish.overwrite, who=who, dry_run=dry_run))
        return summarize(user.id, steps)

    async def disable(
        self, voice: VoiceUser, wish: DisableOptions, *, catalogue: Catalogue, who: str, dry_run: bool = False
    ) -> UserChange:
        """Take the role and the id, for CIF2 the profiles too, and tell what still grants Voice.

        Every step is tried, whatever became of the one before; none raises.
        """
        now = voice
        steps: list[Step] = []
        step, now = await self._take_role(now, catalogue, who=who, dry_run=dry_run)
        steps.append(step)
        if wish.leave_teams:
            step, now = await self._take_teams(now, catalogue, who=who, dry_run=dry_run)
            steps.append(step)
        steps.append(await self._clear_id(voice.user, who=who, dry_run=dry_run))
        if wish.client is PhoneClient.CIF2:
            steps.append(await self._take_profiles(now, catalogue, who=who, dry_run=dry_run))
        remaining = _foresee(now, wish) if dry_run else now.list_carriers()
        return summarize(voice.user.id, steps, still_granted_by=remaining)

    async def _set_email(self, user: User, email: str, *, who: str, dry_run: bool) -> tuple[Step, User]:
        if (user.record.email or "").casefold() == email.casefold():
            return Step(name="enreach_email", state=StepState.ALREADY), user
        if dry_run:
            return Step(name="enreach_email", state=StepState.PLANNED), user
        try:
            changed = await self._ids.set_email(user, email, who=who)
        except AppError as error:
            return Step(name="enreach_email", state=StepState.FAILED, reason=explain(error)), user
        return Step(name="enreach_email", state=StepState.DONE), changed

    async def _assign(
        self, voice: VoiceUser, wish: EnableOptions, catalogue: Catalogue, *, who: str, dry_run: bool
    ) -> Step:
        name = "role" if wish.team_id is None else "team"
        try:
            team = None if wish.team_id is None else _find_team(catalogue, wish.team_id)
            check_role(voice.user, Role.VOICE_USER)
            if held := _find_present(voice, team):
                return Step(name=name, state=StepState.ALREADY, reason=held)
            if team is not None:
                check_managed(team)
            if dry_run:
                return Step(name=name, state=StepState.PLANNED)
            if team is None:
                await self._grants.assign(voice, Role.VOICE_USER, catalogue, who=who)
            else:
                await self._grants.join_team(voice, team, catalogue, who=who)
        except AppError as error:
            return Step(name=name, state=StepState.FAILED, reason=explain(error))
        return Step(name=name, state=StepState.DONE)

    async def _update_id(
        self, user: User, enreach: EnreachIndex | EnreachSilence, *, overwrite: bool, who: str, dry_run: bool
    ) -> Step:
        name = "enreach_id"
        if isinstance(enreach, EnreachSilence):
            return Step(name=name, state=StepState.FAILED, reason=enreach.reason)
        try:
            if dry_run:
                (change,) = plan_ids([user], enreach, overwrite=overwrite)
            else:
                change = await self._ids.update_one(user, enreach, overwrite=overwrite, who=who)
        except AppError as error:
            return Step(name=name, state=StepState.FAILED, reason=explain(error))
        done = StepState.PLANNED if dry_run else StepState.DONE
        states = {IdOutcome.MATCHED: done, IdOutcome.ALREADY_RIGHT: StepState.ALREADY}
        return Step(name=name, state=states.get(change.outcome, StepState.FAILED), reason=change.reason)

    async def _take_role(
        self, voice: VoiceUser, catalogue: Catalogue, *, who: str, dry_run: bool
    ) -> tuple[Step, VoiceUser]:
        if not voice.holds_directly(Role.VOICE_USER):
            return Step(name="role", state=StepState.ALREADY), voice
        try:
            check_active(voice.user)
            if dry_run:
                return Step(name="role", state=StepState.PLANNED), voice
            after = await self._grants.remove(voice, Role.VOICE_USER, catalogue, who=who)
        except AppError as error:
            return Step(name="role", state=StepState.FAILED, reason=explain(error)), voice
        return Step(name="role", state=StepState.DONE), after

    async def _take_teams(
        self, voice: VoiceUser, catalogue: Catalogue, *, who: str, dry_run: bool
    ) -> tuple[Step, VoiceUser]:
        teams = {role.team.id: role.team for role in voice.list_carriers() if role.team and role.team.is_managed_here}
        if not teams:
            return Step(name="team", state=StepState.ALREADY), voice
        if dry_run:
            return Step(name="team", state=StepState.PLANNED), voice
        try:
            for team in teams.values():
                voice = await self._grants.leave_team(voice, team, catalogue, who=who)
        except AppError as error:
            return Step(name="team", state=StepState.FAILED, reason=explain(error)), voice
        return Step(name="team", state=StepState.DONE), voice

    async def _clear_id(self, user: User, *, who: str, dry_run: bool) -> Step:
        if user.record.enreach_id is None:
            return Step(name="enreach_id", state=StepState.ALREADY)
        if dry_run:
            return Step(name="enreach_id", state=StepState.PLANNED)
        try:
            await self._ids.clear_or_set(user, None, who=who)
        except AppError as error:
            return Step(name="enreach_id", state=StepState.FAILED, reason=explain(error))
        return Step(name="enreach_id", state=StepState.DONE)

    async def _take_profiles(self, voice: VoiceUser, catalogue: Catalogue, *, who: str, dry_run: bool) -> Step:
        if not voice.profiles:
            reason = "this organisation has no agent experience profiles" if voice.profiles is None else ""
            return Step(name="profile", state=StepState.ALREADY, reason=reason)
        names = ", ".join(profile.name for profile in voice.profiles)
        if dry_run:
            return Step(name="profile", state=StepState.PLANNED, reason=names)
        try:
            await self._grants.leave_profiles(voice, catalogue, who=who)
        except AppError as error:
            return Step(name="profile", state=StepState.FAILED, reason=explain(error))
        return Step(name="profile", state=StepState.DONE, reason=names)


def _find_team(catalogue: Catalogue, team_id: str) -> Team:
    """Return a team that carries Voice User; raises NotFoundError and ConflictError."""
    team = catalogue.teams.get(team_id)
    if team is None:
        raise NotFoundError("there is no such team, or it carries no role of Voice")
    if not any(catalogue.names.get(role_id) == Role.VOICE_USER for role_id in team.role_ids):
        raise ConflictError(f"the team {team.name} does not carry {Role.VOICE_USER}")
    return team


def _find_present(voice: VoiceUser, team: Team | None) -> str:
    """Say what grants Voice already, in the wished way."""
    carriers = voice.list_carriers()
    if team is not None:
        carriers = tuple(role for role in carriers if role.team is not None and role.team.id == team.id)
    return "; ".join(role.describe() for role in carriers)


def _foresee(voice: VoiceUser, wish: DisableOptions) -> tuple[HeldRole, ...]:
    """List what would still grant Voice afterwards."""
    direct = voice.holds_directly(Role.VOICE_USER)
    rest = (role for role in voice.list_carriers() if role not in direct)
    return tuple(role for role in rest if not (wish.leave_teams and role.team and role.team.is_managed_here))
