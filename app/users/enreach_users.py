"""The users Enreach knows, by id and by address: one list a question, since the API cannot search."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError, EnreachNotConfiguredError, EnreachTimeoutError
from app.enreach.records import EnreachUser

__all__ = ["EnreachIndex", "EnreachSilence", "EnreachUsers"]

_TIMEOUT_SECONDS = 10.0
"""A list of users is shown without Enreach rather than late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnreachIndex:
    """Everybody in Enreach at one moment."""

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
    """Lists them, or says truthfully that it cannot."""

    def __init__(self, *, client: EnreachClient | None) -> None:
        """Without a client Enreach is not configured."""
        self._client = client

    async def ask(self) -> EnreachIndex | EnreachSilence:
        """Return everybody, or why not; never raises for what Enreach does, and does not wait long for it."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await self.list_all()
        except EnreachError as error:
            return EnreachSilence(error=error)
        except TimeoutError:
            return EnreachSilence(error=EnreachTimeoutError("GET /users: no complete answer in time"))

    async def list_all(self) -> EnreachIndex:
        """Return everybody; raises EnreachError."""
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
