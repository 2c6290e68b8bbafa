"""Brings the Enreach user ids up to date, and notes what changed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import islice

from app.dataverse.errors import DataverseError
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.single_flight import gather_or_cancel
from app.store.audit import AuditStore
from app.users.enreach_id_records import EnreachIdRecords
from app.users.enreach_users import (
    EnreachIndex,
    EnreachSilence,
    EnreachUsers,
    IdChange,
    IdOutcome,
    plan_ids,
    refuse_taken,
)
from app.users.repository import UserRepository
from app.users.user import User

__all__ = ["EnreachIds"]

_WRITTEN_AT_ONCE = 100
OnProgress = Callable[[int], Awaitable[bool]]
"""Told how many users are done; answers whether to go on."""


class EnreachIds:
    """Sets, clears and updates ids and address overrides."""

    def __init__(
        self,
        *,
        repository: UserRepository,
        enreach: EnreachUsers,
        records: EnreachIdRecords,
        audit: AuditStore,
        clock: Callable[[], float],
    ) -> None:
        self._repository = repository
        self._enreach = enreach
        self._records = records
        self._audit = audit
        self._clock = clock

    async def plan(self, user_ids: Sequence[str] | None, *, overwrite: bool) -> list[IdChange]:
        """Compare these users with Enreach, or for `None` every user with the privileges of Voice User.

        Enreach is asked once. Raises EnreachError, DataverseError and StoreError.
        """
        index = await self._enreach.list_all()
        if user_ids is not None:
            users = await self._repository.read_some(user_ids)
            return await self._refuse_taken(plan_ids(users, index, overwrite=overwrite))
        catalog, everybody = await gather_or_cancel(self._repository.read_catalog(), self._repository.read_all())
        voices = await self._repository.describe_all(everybody, catalog)
        users = [voice.user for voice in voices if voice.list_carriers() and not voice.user.is_application]
        return refuse_taken(plan_ids(users, index, overwrite=overwrite), everybody)

    async def apply(self, changes: Sequence[IdChange], *, who: str, on_progress: OnProgress) -> list[IdChange]:
        """Write what is planned, a hundred at a time, and return what came of it.

        Stops when `on_progress` says so; what was not reached is left out. Raises StoreError.
        """
        settled = [change for change in changes if not change.is_write]
        rest = iter([change for change in changes if change.is_write])
        go_on = await on_progress(len(settled))
        while go_on and (batch := list(islice(rest, _WRITTEN_AT_ONCE))):
            settled += await self._write(batch, who)
            go_on = await on_progress(len(settled))
        return settled

    async def try_update(self, user: User, *, who: str) -> IdChange:
        """Update the id of one user; what Enreach or Dynamics refuses is an outcome. Raises StoreError."""
        return await self.update(user, await self._enreach.ask(), overwrite=False, who=who)

    async def update(
        self, user: User, enreach: EnreachIndex | EnreachSilence, *, overwrite: bool, who: str, dry_run: bool = False
    ) -> IdChange:
        """Update the id of one user from what Enreach said; what Dynamics refuses is an outcome. Raises StoreError."""
        if isinstance(enreach, EnreachSilence):
            return IdChange(user=user, outcome=IdOutcome.FAILED, reason=enreach.reason)
        planned = plan_ids([user], enreach, overwrite=overwrite)
        try:
            (change,) = await self._refuse_taken(planned)
        except DataverseError as error:
            return replace(planned[0], outcome=IdOutcome.FAILED, reason=error.detail)
        return (await self._write([change], who))[0] if change.is_write and not dry_run else change

    async def set_id(self, user_id: str, enreach_id: str | None, *, who: str) -> None:
        """Set an id by hand, or clear it; Enreach must know it.

        Raises NotFoundError when it does not, InvalidInputError for an application, and ConflictError when the id
        could not be written.
        """
        user = await self._read_human(user_id)
        if enreach_id is not None and enreach_id not in (await self._enreach.list_all()).ids:
            raise NotFoundError("Enreach knows no user with this id")
        await self.write_id(user, enreach_id, who=who)

    async def write_id(self, user: User, enreach_id: str | None, *, who: str) -> None:
        """Write one id, unless it stands there, or clear it for `None`. Raises ConflictError."""
        if (user.record.enreach_id or "").casefold() == (enreach_id or ""):
            return
        failed = await self._records.put_ids({user.id: enreach_id})
        if failed:
            raise ConflictError(f"the id could not be written: {failed[user.id]}")
        await self._audit.add(
            at=self._clock(),
            who=who,
            what="enreach_id.cleared" if enreach_id is None else "enreach_id.set",
            target=f"user/{user.id}",
            before={"enreach_id": user.record.enreach_id},
            after={"enreach_id": enreach_id},
        )

    async def set_email(self, user_id: str, email: str | None, *, who: str) -> IdChange:
        """Set the address in Enreach, which brings the id up to date (administrator guide, "Enable & Disable Users").

        Raises InvalidInputError for an application, and EnreachError after the address is set when Enreach does not
        answer.
        """
        user = await self.write_email(await self._read_human(user_id), email, who=who)
        return await self.update(user, await self._enreach.list_all(), overwrite=False, who=who)

    async def write_email(self, user: User, email: str | None, *, who: str) -> User:
        """Write the address in Enreach, or clear it, and return the user as they are then. Raises AppError."""
        if user.record.email == email:
            return user
        await self._records.put_email(user.id, email)
        await self._audit.add(
            at=self._clock(),
            who=who,
            what="enreach_email.set" if email else "enreach_email.cleared",
            target=f"user/{user.id}",
            before={"enreach_email": user.record.email},
            after={"enreach_email": email},
        )
        return replace(user, record=replace(user.record, email=email))

    async def _read_human(self, user_id: str) -> User:
        user = await self._repository.read_one(user_id)
        if user.is_application:
            raise InvalidInputError("an application has no Enreach user")
        return user

    async def _refuse_taken(self, changes: list[IdChange]) -> list[IdChange]:
        wanted = {change.enreach_id for change in changes if change.is_write and change.enreach_id}
        holders = await self._records.find_holders(wanted) if wanted else {}
        return refuse_taken(changes, await self._repository.read_some(list(holders)))

    async def _write(self, batch: Sequence[IdChange], who: str) -> list[IdChange]:
        wanted = {change.user.id: change.enreach_id for change in batch}
        try:
            failed = await self._records.put_ids(wanted)
        except DataverseError as error:
            failed = dict.fromkeys(wanted, error.detail)
        written = [change for change in batch if change.user.id not in failed]
        if written:
            await self._audit.add(
                at=self._clock(),
                who=who,
                what="enreach_ids.updated",
                target=f"user/{written[0].user.id}" if len(written) == 1 else "users",
                before={change.user.id: change.user.record.enreach_id for change in written},
                after={change.user.id: change.enreach_id for change in written},
            )
        return [
            replace(change, outcome=IdOutcome.FAILED, reason=failed[change.user.id])
            if change.user.id in failed
            else change
            for change in batch
        ]
