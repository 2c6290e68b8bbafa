"""Where Enreach ids and addresses are kept: in columns of the Dynamics user, or in our own store.

Both places do the same for whoever uses them; one setting chooses.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Protocol

import stamina

from app.dataverse.client import DataverseClient, Row, read_id, read_text
from app.dataverse.errors import DataverseError
from app.dataverse.queries import build_id_filters, build_path, quote_text
from app.errors import ConflictError
from app.users.store import EnreachIdStore
from app.users.user import EnreachIdRecord

__all__ = ["ColumnIdRecords", "EnreachIdRecords", "StoreIdRecords"]

_WRITES_AT_ONCE = 6
"""Well below the connections of the client, which calls need too."""
_ATTEMPTS = 4
_MAX_WAIT = 30.0
_TOTAL_SECONDS = 90.0


class EnreachIdRecords(Protocol):
    """Keeps what Enreach calls the users of Dynamics."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of systemuser that `read` wants to find in the rows."""

    async def read(self, rows: Iterable[Row]) -> dict[str, EnreachIdRecord]:
        """Return the records of these rows of systemuser by id; users without one are left out."""

    async def find_holders(self, ids: Collection[str]) -> dict[str, str]:
        """Return which users have one of these ids: Dynamics user -> id in lower case."""

    async def put_ids(self, ids: Mapping[str, str | None]) -> dict[str, str]:
        """Set ids, or clear them with `None`; returns the reason for every user whose id could not be written."""

    async def put_email(self, user_id: str, email: str | None) -> None:
        """Set the address in Enreach, or clear it with `None`; raises AppError."""


class ColumnIdRecords:
    """Keeps them on the Dynamics user, in the customer's own columns."""

    def __init__(self, *, client: DataverseClient, id_column: str, email_column: str | None) -> None:
        self._client = client
        self._id_column = id_column
        self._email_column = email_column

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the settings."""
        return (self._id_column,) if self._email_column is None else (self._id_column, self._email_column)

    async def read(self, rows: Iterable[Row]) -> dict[str, EnreachIdRecord]:
        """Take the records out of the rows; nothing is asked."""
        found = {}
        for row in rows:
            email = read_text(row, self._email_column) if self._email_column else None
            found[read_id(row, "systemuserid")] = EnreachIdRecord(
                enreach_id=read_text(row, self._id_column), email=email
            )
        return found

    async def find_holders(self, ids: Collection[str]) -> dict[str, str]:
        """Ask for the rows with these ids, fifty ids a question."""
        found = {}
        for condition in build_id_filters(self._id_column, map(quote_text, ids)):
            options = {"$select": f"systemuserid,{self._id_column}", "$filter": condition}
            for row in await self._client.get_rows(build_path("systemusers", options)):
                found[read_id(row, "systemuserid")] = str(row.get(self._id_column)).casefold()
        return found

    async def put_ids(self, ids: Mapping[str, str | None]) -> dict[str, str]:
        """Change one row a user, a few at a time, waiting when Dataverse asks to slow down."""
        slots = asyncio.Semaphore(_WRITES_AT_ONCE)
        failed: dict[str, str] = {}

        async def write(user_id: str, enreach_id: str | None) -> None:
            async with slots:
                try:
                    await self._update(user_id, self._id_column, enreach_id)
                except DataverseError as error:
                    failed[user_id] = f"{error.title}: {error.detail}"

        async with asyncio.TaskGroup() as group:
            for user_id, enreach_id in ids.items():
                group.create_task(write(user_id, enreach_id))
        return failed

    async def put_email(self, user_id: str, email: str | None) -> None:
        """Change the row; raises ConflictError when no column is set for addresses, and DataverseError."""
        if self._email_column is None:
            raise ConflictError(
                "no column holds addresses in Enreach: set SMARTROUTING_DATAVERSE__AGENT_EMAIL_COLUMN, or make the "
                "two addresses equal"
            )
        await self._update(user_id, self._email_column, email)

    async def _update(self, user_id: str, column: str, value: str | None) -> None:
        async for attempt in stamina.retry_context(on=_choose_pause, attempts=_ATTEMPTS, timeout=_TOTAL_SECONDS):
            with attempt:
                await self._client.update(f"systemusers({user_id})", {column: value})


class StoreIdRecords:
    """Keeps them here, for customers without such columns."""

    def __init__(
        self, *, store: EnreachIdStore, clock: Callable[[], float], on_change: Callable[[], Awaitable[None]]
    ) -> None:
        """`on_change` is awaited after every change, so that calls see it at once."""
        self._store = store
        self._clock = clock
        self._on_change = on_change

    @property
    def columns(self) -> tuple[str, ...]:
        """None: Dynamics knows nothing of this."""
        return ()

    async def read(self, rows: Iterable[Row]) -> dict[str, EnreachIdRecord]:
        """Look the users up in the store, all at once."""
        known = await self._store.load()
        wanted = (known.get(read_id(row, "systemuserid")) for row in rows)
        return {kept.user_id: EnreachIdRecord(enreach_id=kept.enreach_id, email=kept.email) for kept in wanted if kept}

    async def find_holders(self, ids: Collection[str]) -> dict[str, str]:
        """Look through all that are kept."""
        known = ((user_id, (kept.enreach_id or "").casefold()) for user_id, kept in (await self._store.load()).items())
        return {user_id: enreach_id for user_id, enreach_id in known if enreach_id in ids}

    async def put_ids(self, ids: Mapping[str, str | None]) -> dict[str, str]:
        """Change all of them in one go, or none; raises StoreError."""
        await self._store.put_enreach_ids(ids, now=self._clock())
        await self._on_change()
        return {}

    async def put_email(self, user_id: str, email: str | None) -> None:
        """Change one; raises StoreError."""
        await self._store.put_email(user_id, email, now=self._clock())
        await self._on_change()


def _choose_pause(error: Exception) -> float | bool:
    """Tell whether to try again, and after how many seconds when Dataverse said."""
    if not isinstance(error, DataverseError) or not error.transient:
        return False
    wait = error.facts.retry_after
    return True if wait is None else wait if wait <= _MAX_WAIT else False
