"""Finds the Enreach user of a Dynamics user by address, and refuses to guess.

The Enreach API cannot search: each question is one list of all its users.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError, EnreachNotConfiguredError, EnreachTimeoutError
from app.enreach.records import EnreachUser
from app.users.user import User

__all__ = ["EnreachIndex", "EnreachSilence", "EnreachUsers", "IdChange", "IdOutcome", "plan_ids", "refuse_taken"]

_TIMEOUT_SECONDS = 10.0
"""A list of users is shown without Enreach rather than late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnreachIndex:
    """All users of Enreach at one moment."""

    ids: frozenset[str]
    """In lower case, as all ids here."""
    by_address: Mapping[str, tuple[str, ...]]
    """Address in lower case -> ids; more than one when Enreach has it twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnreachSilence:
    """Enreach was not asked, or did not answer."""

    error: EnreachError

    @property
    def reason(self) -> str:
        """Say why, in one sentence without anything personal."""
        return f"{self.error.title}: {self.error.detail}"


class EnreachUsers:
    """Lists the users of Enreach, or says why it cannot."""

    def __init__(self, *, client: EnreachClient | None) -> None:
        """Without a client Enreach is not configured."""
        self._client = client

    async def ask(self) -> EnreachIndex | EnreachSilence:
        """Return all users, or why not; never raises for what Enreach does, and does not wait long for it."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await self.list_all()
        except EnreachError as error:
            return EnreachSilence(error=error)
        except TimeoutError:
            return EnreachSilence(error=EnreachTimeoutError("GET /users: no complete answer in time"))

    async def list_all(self) -> EnreachIndex:
        """Return all users; raises EnreachError."""
        if self._client is None:
            raise EnreachNotConfiguredError(
                "set SMARTROUTING_ENREACH__URL, SMARTROUTING_ENREACH__USER and SMARTROUTING_ENREACH__SECRET"
            )
        return _index(await self._client.list_users())


def _index(users: Iterable[EnreachUser]) -> EnreachIndex:
    by_address: dict[str, tuple[str, ...]] = {}
    ids = set()
    for user in users:
        user_id = user.id.casefold()
        ids.add(user_id)
        if user.email:
            address = user.email.strip().casefold()
            by_address[address] = (*by_address.get(address, ()), user_id)
    return EnreachIndex(ids=frozenset(ids), by_address=by_address)


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


def plan_ids(users: Iterable[User], index: EnreachIndex, *, overwrite: bool) -> list[IdChange]:
    """Plan the id of each user: by the address in Dynamics, then by the override, without regard to case.

    Source: administrator guide, "Enable & Disable Users". Two users never get the same id.
    """
    changes = [_plan(user, index, overwrite=overwrite) for user in users]
    wanted = Counter(
        change.enreach_id for change in changes if change.enreach_id and change.outcome is not IdOutcome.SKIPPED
    )
    return [_refuse_sharing(change) if wanted[change.enreach_id or ""] > 1 else change for change in changes]


def refuse_taken(changes: Sequence[IdChange], others: Iterable[User]) -> list[IdChange]:
    """Refuse the ids that active users among `others` have and keep: an id belongs to one user."""
    moving = {change.user.id for change in changes if change.is_write}
    taken = {(user.record.enreach_id or "").casefold() for user in others if user.active and user.id not in moving}
    reason = "another Dynamics user has this Enreach id; correct the addresses, or take the id away there"
    return [
        replace(change, outcome=IdOutcome.AMBIGUOUS, reason=reason)
        if change.is_write and change.enreach_id in taken
        else change
        for change in changes
    ]


def _plan(user: User, index: EnreachIndex, *, overwrite: bool) -> IdChange:
    if user.is_application or not user.active:
        reason = "an application has no Enreach user" if user.is_application else "disabled in Dynamics"
        return IdChange(user=user, outcome=IdOutcome.SKIPPED, reason=reason)
    found = _find(user, index)
    if found.outcome is not IdOutcome.MATCHED:
        return found
    present = user.record.enreach_id
    if present and present.casefold() == found.enreach_id:
        return replace(found, outcome=IdOutcome.ALREADY_RIGHT)
    if present and not overwrite:
        reason = "another id stands there; ask to overwrite it if this one is right"
        return replace(found, outcome=IdOutcome.CONFLICT, reason=reason)
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


def _refuse_sharing(change: IdChange) -> IdChange:
    if change.outcome is IdOutcome.ALREADY_RIGHT:
        return change
    reason = "this Enreach user fits another Dynamics user as well"
    return replace(change, outcome=IdOutcome.AMBIGUOUS, reason=reason)
