"""Asks the Enreach API again and again whether agents take calls, beside calls (Enreach contract, section 4.2)."""

import re
from collections.abc import Callable, Collection
from typing import Final

from cachetools import TTLCache

from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError
from app.routing.agents import AgentState

__all__ = ["AgentWatch"]

_MAX_AGENTS: Final = 100
"""Read at most; those about whom nobody asked for longest go first."""
_WANTED_SECONDS: Final = 3600.0
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
"""What can be a user's id: facts may hold any text, and it becomes part of a path."""


class AgentWatch:
    """Keeps what Enreach told last of the agents that calls asked about within an hour; a call never waits."""

    def __init__(
        self,
        *,
        client: EnreachClient,
        seconds: float,
        max_age: float,
        key: str,
        unavailable: Collection[str],
        clock: Callable[[], float],
    ) -> None:
        """`seconds` is how often to ask, `max_age` (seconds) how long an answer counts; `clock` is since the epoch.

        `key` is the member of an availability that tells its kind, `unavailable` are the kinds that take no calls.
        """
        self.seconds = seconds
        self._client = client
        self._max_age = max_age
        self._key = key
        self._unavailable = frozenset(unavailable)
        self._clock = clock
        self._states: dict[str, AgentState] = {}
        self._wanted: TTLCache[str, str] = TTLCache(maxsize=_MAX_AGENTS, ttl=_WANTED_SECONDS, timer=clock)

    def find(self, agent: str) -> AgentState | None:
        """Return the state of an agent by the Enreach user id, and have it read from now on."""
        if _ID.fullmatch(agent) is None:
            return None
        name = agent.casefold()
        self._wanted[name] = agent
        return self._states.get(name)

    async def refresh(self) -> None:
        """Ask once, one agent after the other; of whom nothing is told, nothing is known.

        One that fails keeps no other, and what was told before grows old; the last EnreachError is raised after them.
        """
        wanted, failure = dict(self._wanted), None
        self._states = {name: state for name, state in self._states.items() if name in wanted}
        for name, agent in wanted.items():
            at = self._clock()
            try:
                kind = await self._client.read_availability(agent, key=self._key)
            except EnreachError as error:
                failure = error
                continue
            self._states.pop(name, None)
            if kind is not None:
                self._states[name] = AgentState(at=at, max_age=self._max_age, available=kind not in self._unavailable)
        if failure is not None:
            raise failure
