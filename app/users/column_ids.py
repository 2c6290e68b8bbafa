"""Enreach ids of Dynamics users from a column of theirs, for users whom no question of a call brings along."""

from collections.abc import Callable, Mapping
from typing import Final

from app.dataverse.client import DataverseClient
from app.dataverse.queries import build_path
from app.routing.related import AgentOf

__all__ = ["ColumnIdCache"]

_KEPT_SECONDS: Final = 60.0


class ColumnIdCache:
    """A copy of the column for calls, read beside them while a published rule looks up users."""

    def __init__(self, *, client: DataverseClient, column: str, clock: Callable[[], float]) -> None:
        """`client` must leave calls their share of the requests."""
        self._client = client
        self._column = column
        self._clock = clock
        self._ids: Mapping[str, str] | None = None
        self._read_at = 0.0

    def find_agents(self) -> AgentOf | None:
        """Return what tells the Enreach id of a `systemuserid`; `None` before the column was read."""
        return None if self._ids is None else self._ids.get

    async def refresh(self) -> None:
        """Read the column again when it is older than a minute; raises DataverseError, and then keeps what it had."""
        if self._ids is not None and self._clock() - self._read_at < _KEPT_SECONDS:
            return
        options = {"$select": f"systemuserid,{self._column}", "$filter": f"{self._column} ne null"}
        rows = await self._client.get_rows(build_path("systemusers", options))
        self._ids = {row["systemuserid"].lower(): str(row[self._column]).strip() for row in rows}
        self._read_at = self._clock()
