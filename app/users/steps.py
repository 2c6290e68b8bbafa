"""What happened, step by step, when a user was enabled or disabled."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.errors import AppError
from app.users.user import HeldRole

__all__ = ["Step", "StepState", "UserChange", "UserChangeState", "explain", "summarize", "take_step"]


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
