"""Asks Dataverse at the moment of the call, as much as it allows and not while it fails."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.dataverse.errors import DataverseError
from app.directory.breaker import CircuitBreaker, Permit
from app.directory.limits import DirectoryLimits
from app.directory.lookup import Answer, Outage
from app.observability.stages import Stage
from app.routing.callers import Caller, Cause, Selection

__all__ = ["LiveDirectory", "LookUp"]

log = structlog.get_logger()

LookUp = Callable[[str, Selection], Awaitable[Caller]]
"""Asks Dataverse for an E.164 number, with the columns of the selection, and judges the matches.

Raises DataverseError.
"""


class LiveDirectory:
    """Lets a bounded number of look-ups through at once, each with a bounded time, and none past an open breaker.

    The breaker is asked again the moment a look-up gets its turn, so that what was queued when Dataverse said 429
    is not sent.
    """

    def __init__(
        self,
        *,
        look_up: LookUp,
        breaker: CircuitBreaker,
        limits: DirectoryLimits,
        monotonic: Callable[[], float],
        on_look_up: Callable[[str, float], None],
    ) -> None:
        """`on_look_up` is told of each one that reached Dataverse: a caller's status, a cause or `abandoned`; seconds.

        `monotonic` must run with the clock of the event loop: `time.monotonic` does.
        """
        self._look_up = look_up
        self._breaker = breaker
        self._limits = limits
        self._monotonic = monotonic
        self._on_look_up = on_look_up
        self._turns = asyncio.Semaphore(limits.look_ups_at_once)
        self._waiting = 0

    async def ask(self, e164: str, selection: Selection) -> Answer:
        """Look the number up when its turn comes; an Outage when it does not come in time or the breaker is open."""
        if (outage := self._breaker.refusal() or await self._take_turn()) is not None:
            return outage
        try:
            permit = self._breaker.admit()
            return permit if isinstance(permit, Outage) else await self._send(permit, e164, selection)
        finally:
            self._turns.release()

    async def _take_turn(self) -> Outage | None:
        if self._turns.locked() and self._waiting >= self._limits.queue_length:
            return Outage(cause=Cause.TIMEOUT, detail="Too many look-ups wait for Dataverse already")
        self._waiting += 1
        try:
            with Stage("turn"):
                await self._wait_for_turn()
        except TimeoutError:
            detail = f"The look-up did not get its turn within {self._limits.queue_seconds:.1f} s"
            return Outage(cause=Cause.TIMEOUT, detail=detail)
        finally:
            self._waiting -= 1
        return None

    async def _wait_for_turn(self) -> None:
        """Take a turn, within the time for it; a free one needs no timer, which would cost more than the turn."""
        if self._turns.locked():
            async with asyncio.timeout(self._limits.queue_seconds):
                await self._turns.acquire()
        else:
            await self._turns.acquire()

    async def _send(self, permit: Permit, e164: str, selection: Selection) -> Answer:
        started = self._monotonic()
        try:
            async with asyncio.timeout(self._limits.look_up_seconds):
                answer = await self._ask_dataverse(e164, selection)
        except TimeoutError:
            answer = _name_timeout(self._limits.look_up_seconds)
            log.warning("directory.look_up_timed_out", seconds=self._limits.look_up_seconds)
        except BaseException:
            self._abandon(permit, self._monotonic() - started)
            raise
        permit.settle(answer)
        result = answer.cause if isinstance(answer, Outage) else answer.status
        self._on_look_up(result, self._monotonic() - started)
        return answer

    async def _ask_dataverse(self, e164: str, selection: Selection) -> Answer:
        try:
            return await self._look_up(e164, selection)
        except DataverseError as error:
            log.warning("dataverse.look_up_failed", **error.describe())
            return Outage(cause=error.cause, detail=error.detail, retry_after=error.facts.retry_after)

    def _abandon(self, permit: Permit, seconds: float) -> None:
        """A look-up given up early says nothing about Dataverse; one given up late says that it is slow."""
        if seconds >= self._limits.slow_seconds:
            permit.settle(_name_timeout(seconds))
        else:
            permit.release()
        self._on_look_up("abandoned", seconds)


def _name_timeout(seconds: float) -> Outage:
    return Outage(cause=Cause.TIMEOUT, detail=f"Dataverse timed out at {seconds:.1f} s")
