"""Keeps the calls that wait for Dataverse so few that every one of them is answered in time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.directory.lookup import LookupResult, Outage, Source
from app.routing.callers import Cause

__all__ = ["KnownCallers", "LoadShedding", "SheddingLimits"]

_TICK_SECONDS = 0.1
_FADING = 0.8
"""What is left of a delay of the event loop after one tick without a new one."""


class KnownCallers(Protocol):
    """The directory behind the waiting room."""

    def recall(self, e164: str) -> LookupResult | None:
        """Answer a fresh caller from memory, at once."""

    def recall_old(self, e164: str) -> LookupResult | None:
        """Answer the last known caller from memory, however old, at once."""

    async def find(self, e164: str, *, until: float) -> LookupResult:
        """Answer by `until` (loop time)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheddingLimits:
    """How much time is kept back from the look-ups, so that answers leave before the deadline. All in seconds."""

    deadline: float
    """Total time for one answer (0.05 to 4.9)."""
    base: float = 0.05
    """For rules, record and sending of a call that is alone; at most a fifth of the deadline."""
    per_waiting_call: float = 0.0015
    """For each call that waits already: when Dataverse hangs they all wake up together (0.0001 to 0.01)."""
    most_share: float = 0.6
    """Share of the deadline kept back beyond which a call is not let in (0.2 to 0.9)."""


class LoadShedding:
    """Gives each call a little less time the more calls wait already, and none when it could not be kept.

    A call that is not let in is decided at once: by the last known caller if memory has one, else with the caller
    unavailable. So a crowd costs some calls their look-up and none its answer. Calls whose caller is fresh in memory
    do not wait and are never held back.
    """

    def __init__(self, *, directory: KnownCallers, limits: SheddingLimits, on_shed: Callable[[], None]) -> None:
        """`on_shed` is told of every call that is not let in."""
        self.recall = directory.recall
        """Answer a fresh caller from memory, at once."""
        self._directory = directory
        self._base = min(limits.base, limits.deadline / 5)
        self._per_waiting_call = limits.per_waiting_call
        self._most = limits.deadline * limits.most_share
        self._on_shed = on_shed
        self._waiting = 0
        self._lag = 0.0

    @property
    def waiting(self) -> int:
        """Calls that wait for a look-up now."""
        return self._waiting

    @property
    def lag(self) -> float:
        """How late the event loop runs, in seconds: the latest worst, fading."""
        return self._lag

    @property
    def reserve(self) -> float:
        """Seconds kept back from the look-up of the next call: base, crowd, and how late the event loop runs."""
        return self._base + self._waiting * self._per_waiting_call + self._lag

    async def find(self, e164: str, *, until: float) -> LookupResult:
        """Return the caller so early that the answer can leave before `until` (loop time)."""
        reserve = self.reserve
        if reserve > self._most:
            self._on_shed()
            return self._directory.recall_old(e164) or _turn_away()
        self._waiting += 1
        try:
            return await self._directory.find(e164, until=until - reserve)
        finally:
            self._waiting -= 1

    async def watch_lag(self) -> None:
        """Measure, for ever, how late the event loop comes to what is due."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self._lag = max(loop.time() - due, self._lag * _FADING)


def _turn_away() -> LookupResult:
    outage = Outage(cause=Cause.TIMEOUT, detail="Overload: too many calls wait for Dataverse already")
    return LookupResult(outage.describe(), Source.NONE, outage)
