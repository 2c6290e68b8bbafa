"""Access tokens: fetched one at a time, renewed in the background before they expire."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from app.dataverse.errors import DataverseError
from app.single_flight import SingleFlight

__all__ = ["Clock", "Fetch", "Token", "TokenSource"]

Clock = Callable[[], float]
"""Seconds since the epoch."""

_KEY: Final = "access"
"""All share one fetch."""
_SKEW: Final = 10.0
"""Seconds before its expiry from which a token is no longer sent."""
_EARLY: Final = 600.0
"""Seconds before its expiry at which a token is renewed; half its lifetime when that is shorter."""
_SHORTEST_PAUSE: Final = 1.0
_MAX_PAUSE: Final = 60.0
_RENEWALS_APART: Final = 30.0
"""Seconds between renewals of rejected tokens: when a new one is rejected too, more of them will not help."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its life."""

    value: str = field(repr=False)
    fetched_at: float
    expires_at: float

    @property
    def due_at(self) -> float:
        """When to fetch the next one."""
        life = self.expires_at - self.fetched_at
        return self.expires_at - min(_EARLY, life / 2)


Fetch = Callable[[], Token]
"""Obtains a new token; it may block, and raises DataverseError."""


class TokenSource:
    """Keeps one valid token for everybody.

    The first call after an expiry must not pay for Entra ID, and a burst of calls must not become a burst there; a
    failed fetch is remembered for a moment, longer each time, so that a dead endpoint is not asked by every call.
    """

    def __init__(
        self, *, fetch: Fetch, clock: Clock, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sleep = sleep
        self._token: Token | None = None
        self._fetches: SingleFlight[Token] = SingleFlight()
        self._failure: DataverseError | None = None
        self._failures = 0
        self._quiet_until = 0.0
        self._renewed_at = float("-inf")

    async def get(self) -> str:
        """Return a token that is valid now; raises DataverseError when there is none."""
        token = self._token
        if token is not None and self._clock() < token.expires_at - _SKEW:
            return token.value
        return (await self._join_fetch()).value

    async def renew(self, rejected: str) -> str:
        """Return a token to try after Dataverse rejected this one, or the same when renewing did not help just now.

        Raises DataverseError when none can be had.
        """
        if self._fetches.get(_KEY) is None:
            if self._token is not None and self._token.value != rejected:
                return self._token.value
            if self._clock() - self._renewed_at < _RENEWALS_APART:
                return rejected
            self._renewed_at = self._clock()
            log.info("dataverse.token_rejected")
        return (await self._join_fetch()).value

    async def keep_fresh(self) -> None:
        """Renew the token before it expires, for ever; a failure is logged and tried again later."""
        while True:
            if self._clock() >= self._due_at():
                await self._refresh()
            await self._sleep(min(max(self._due_at() - self._clock(), _SHORTEST_PAUSE), _MAX_PAUSE))

    async def _refresh(self) -> None:
        try:
            await self._join_fetch()
        except DataverseError as error:
            log.warning("dataverse.token_refresh_failed", failures=self._failures, **error.describe())

    def _due_at(self) -> float:
        return max(self._token.due_at if self._token else 0.0, self._quiet_until)

    async def _join_fetch(self) -> Token:
        """Wait for the fetch under way, or start one unless one failed just now."""
        if self._failure is not None and self._fetches.get(_KEY) is None and self._clock() < self._quiet_until:
            raise type(self._failure)(self._failure.summary, facts=self._failure.facts) from self._failure
        return await self._fetches.run(_KEY, self._fetch_one)

    async def _fetch_one(self) -> Token:
        try:
            token = await asyncio.to_thread(self._fetch)
        except DataverseError as error:
            self._failures += 1
            pause = min(2.0 ** (self._failures - 1), _MAX_PAUSE)
            self._failure, self._quiet_until = error, self._clock() + max(pause, error.facts.retry_after or 0.0)
            raise
        self._token, self._failure, self._failures, self._quiet_until = token, None, 0, 0.0
        return token
