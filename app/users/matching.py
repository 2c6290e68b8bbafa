"""Finds the Enreach user of a Dynamics user by address, and refuses to guess."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.users.enreach_users import EnreachIndex
from app.users.user import User

__all__ = ["IdChange", "IdOutcome", "plan_ids"]


class IdOutcome(StrEnum):
    """What an id update finds out about one user."""

    MATCHED = "matched"
    """The id was missing, or was to be overwritten, and now is the matching one."""
    ALREADY_RIGHT = "already_right"
    UNMATCHED = "unmatched"
    """Nobody in Enreach has either address; the id stays as it is."""
    AMBIGUOUS = "ambiguous"
    """Several fit; the id stays as it is."""
    CONFLICT = "conflict"
    """Another id stands there already, and nobody asked to overwrite it."""
    SKIPPED = "skipped"
    """Disabled in Dynamics, or an application."""
    FAILED = "failed"
    """The id was found and could not be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdChange:
    """What is to happen to the id of one user, or has happened."""

    user: User
    outcome: IdOutcome
    enreach_id: str | None = None
    """The id that fits."""
    matched_by: str | None = None
    """`email` or `override`."""
    reason: str = ""

    @property
    def is_write(self) -> bool:
        """Whether there is something to write."""
        return self.outcome is IdOutcome.MATCHED


def plan_ids(people: Iterable[User], index: EnreachIndex, *, overwrite: bool) -> list[IdChange]:
    """Plan the id of each person: by the address in Dynamics, then by the override, without regard to case.

    Source: administrator guide, "Enable & Disable Users". Two people never get the same id.
    """
    changes = [_plan(user, index, overwrite=overwrite) for user in people]
    wanted: dict[str, int] = {}
    for change in changes:
        if change.enreach_id and change.outcome is not IdOutcome.SKIPPED:
            wanted[change.enreach_id] = wanted.get(change.enreach_id, 0) + 1
    return [_refuse_sharing(change) if wanted.get(change.enreach_id or "", 0) > 1 else change for change in changes]


def _plan(user: User, index: EnreachIndex, *, overwrite: bool) -> IdChange:
    if user.is_application or not user.active:
        reason = "an application has no Enreach user" if user.is_application else "disabled in Dynamics"
        return IdChange(user=user, outcome=IdOutcome.SKIPPED, reason=reason)
    found = _find(user, index)
    if found.outcome is not IdOutcome.MATCHED:
        return found
    present = user.record.enreach_id
    if present and present.casefold() == found.enreach_id:
        return _settle(found, IdOutcome.ALREADY_RIGHT)
    if present and not overwrite:
        return _settle(found, IdOutcome.CONFLICT, "another id stands there; ask to overwrite it if this one is right")
    return found


def _find(user: User, index: EnreachIndex) -> IdChange:
    candidates = {
        "email": index.by_address.get((user.email or "").strip().casefold(), ()),
        "override": index.by_address.get((user.record.email or "").strip().casefold(), ()),
    }
    ids = dict.fromkeys(enreach_id for found in candidates.values() for enreach_id in found)
    if not ids:
        return IdChange(
            user=user,
            outcome=IdOutcome.UNMATCHED,
            reason="no Enreach user has this address; set the Enreach e-mail when the two addresses differ",
        )
    if len(ids) > 1:
        return IdChange(
            user=user,
            outcome=IdOutcome.AMBIGUOUS,
            reason=f"{len(ids)} Enreach users fit; correct the addresses, or set the id by hand",
        )
    matched_by = next(name for name, found in candidates.items() if found)
    return IdChange(user=user, outcome=IdOutcome.MATCHED, enreach_id=next(iter(ids)), matched_by=matched_by)


def _settle(found: IdChange, outcome: IdOutcome, reason: str = "") -> IdChange:
    return IdChange(
        user=found.user,
        outcome=outcome,
        enreach_id=found.enreach_id,
        matched_by=found.matched_by,
        reason=reason,
    )


def _refuse_sharing(change: IdChange) -> IdChange:
    if change.outcome is IdOutcome.ALREADY_RIGHT:
        return change
    return _settle(change, IdOutcome.AMBIGUOUS, "this Enreach user fits another Dynamics user as well")
