"""Keeps the calls that wait for Dataverse so few that every one of them is answered in time."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["LoadShedding", "SheddingLimits"]

_TICK_SECONDS = 0.1
_BUSY_SECONDS = 0.05
"""A shorter delay of a tick is the clock's own grain."""
_TURN_SECONDS = 0.01
"""What is received so soon after a tick was there before it."""
_FADING = 0.8
"""What is left of a delay of the event loop after one tick without a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheddingLimits:
    """How much time is kept back from the look-ups, so that answers leave before the deadline. All in seconds."""

    deadline: float
    """Total time for one answer (0.05 to 4.9)."""
    base: float = 0.05
    """For rules, record and sending of a call that is alone; at most a fifth of the deadline."""
    per_waiting_call: float = 0.0015
    """For each call that waits already: when Dataverse hangs they all wake up together (0.0001 to 0.01)."""
    max_share: float = 0.6
    """Share of the deadline kept back beyond which a call is shed (0.2 to 0.9)."""


class LoadShedding:
    """Gives each call a little less time the more calls wait already, and none when it could not be kept.

    A crowd costs some calls their look-up and none its answer.
    """

    def __init__(self, *, limits: SheddingLimits, on_shed: Callable[[], None]) -> None:
        """`on_shed` is told of every call that is shed."""
        self._limits = limits
        self._per_waiting_call = limits.per_waiting_call
        self.set_deadline(limits.deadline)
        self._on_shed = on_shed
        self._waiting = 0
        self._lag = 0.0
        self._due = self._ticked = 0.0
        self._next_tick: asyncio.TimerHandle | None = None

    def set_deadline(self, seconds: float) -> None:
        """Set the total time for one answer of the calls that begin from now on."""
        self._base = min(self._limits.base, seconds / 5)
        self._max = seconds * self._limits.max_share

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

    @contextmanager
    def admit(self, until: float, *, joins: bool) -> Iterator[float | None]:
        """Count a call as waiting; tells when its look-up must end for an answer by `until`, `None` when it is shed.

        A call that `joins` a look-up under way asks nothing of Dataverse, and is never shed.
        """
        reserve = self.reserve
        if reserve > self._max:
            if not joins:
                self._on_shed()
                yield None
                return
            reserve = self._max
        self._waiting += 1
        try:
            yield until - reserve
        finally:
            self._waiting -= 1

    async def watch_lag(self) -> None:
        """Measure, for ever, how late the event loop comes to what is due."""
        # Plain callbacks come before the tasks of requests that were received in the same turn, and one is always due.
        self._expect_tick(asyncio.get_running_loop())
        try:
            await asyncio.Event().wait()
        finally:
            if self._next_tick is not None:
                self._next_tick.cancel()

    def _expect_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._next_tick = loop.call_later(_TICK_SECONDS, self._tick, loop, loop.time() + _TICK_SECONDS)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._due, self._ticked = due, loop.time()
        self._lag = max(self._ticked - due, self._lag * _FADING)
        self._expect_tick(loop)

    def find_arrival(self, received: float) -> float:
        """Tell since when a request may have waited that was received at a moment (seconds of the event loop's clock).

        While the event loop is busy with something else, requests wait where nothing tells since when: from the moment
        the loop was due to look, at the earliest.
        """
        busy = self._ticked - self._due > _BUSY_SECONDS
        return self._due if busy and self._due <= received <= self._ticked + _TURN_SECONDS else received
