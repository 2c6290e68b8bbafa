"""Asks Dataverse at the moment of the call, as much as it allows and not while it fails."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass

import structlog

from app.dataverse.errors import DataverseError
from app.directory.breaker import CircuitBreaker
from app.directory.limits import DirectoryLimits
from app.directory.lookup import Answer, AwaitedUntil, Outage
from app.observability.stages import Stage
from app.routing.callers import Caller, Cause, Selection
from app.single_flight import cancel_all

__all__ = ["LiveDirectory", "LookUp"]

log = structlog.get_logger()

LookUp = Callable[[Sequence[str], Selection], Awaitable[Mapping[str, Caller]]]
"""Asks Dataverse for E.164 numbers, with the columns of the selection, and judges the matches of each.

Raises DataverseError.
"""
_Answers = Mapping[str, Answer]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A number that waits for its turn."""

    e164: str
    selection: Selection
    awaited_until: AwaitedUntil
    context: Context
    """The context variables of whoever asks, where the stages of the look-up are noted."""
    turn: "asyncio.Future[asyncio.Task[_Answers]]"
    """The look-up that answers it."""


class LiveDirectory:
    """Lets a bounded number of look-ups through at once, each with a bounded time, and none past an open breaker.

    Numbers that have to wait share the next look-up, so that a crowd of strangers is few questions; first those whose
    calls have the least time left, and last those nobody waits for any more. The breaker is asked again the moment a
    look-up gets its turn, so that what was queued when Dataverse said 429 is not sent.
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
        """`on_look_up` is told of each number that Dataverse was asked for: a caller's status or a cause; seconds.

        `monotonic` must run with the clock of the event loop: `time.monotonic` does.
        """
        self._look_up = look_up
        self._breaker = breaker
        self._limits = limits
        self._monotonic = monotonic
        self._on_look_up = on_look_up
        self._waiting: list[_Waiting] = []
        self._running: set[asyncio.Task[_Answers]] = set()

    async def ask(self, e164: str, selection: Selection, *, awaited_until: AwaitedUntil) -> Answer:
        """Look the number up when its turn comes; an Outage when it does not come in time or the breaker is open."""
        if (refusal := self._breaker.refusal()) is not None:
            return refusal
        if len(self._waiting) >= self._limits.queue_length and self._all_turns_taken():
            return Outage(cause=Cause.TIMEOUT, detail="Too many look-ups wait for Dataverse already")
        turn: asyncio.Future[asyncio.Task[_Answers]] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(e164, selection, awaited_until, copy_context(), turn)
        self._waiting.append(waiting)
        self._give_turns()
        shares = not turn.done()
        with Stage("turn"):
            if not await self._wait_for_turn(waiting):
                detail = f"The look-up did not get its turn within {self._limits.queue_seconds:.1f} s"
                return Outage(cause=Cause.TIMEOUT, detail=detail)
        with Stage("dataverse") if shares else nullcontext():
            return (await asyncio.shield(turn.result()))[e164]

    async def aclose(self) -> None:
        """Give up what is under way."""
        await cancel_all(self._running)

    async def _wait_for_turn(self, waiting: _Waiting) -> bool:
        """Tell whether it came in time; a free one needs no timer, which would cost more than the turn."""
        if waiting.turn.done():
            return True
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.queue_seconds):
                    await asyncio.wait({waiting.turn})
                    return True
            return False
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    def _all_turns_taken(self) -> bool:
        return len(self._running) >= self._limits.look_ups_at_once

    def _give_turns(self) -> None:
        while not self._all_turns_taken() and (group := self._pick()):
            task = asyncio.create_task(self._answer(group), name="directory.look_up", context=group[0].context)
            self._running.add(task)
            task.add_done_callback(self._end_turn)
            for waiting in group:
                waiting.turn.set_result(task)

    def _pick(self) -> list[_Waiting]:
        """Take those out of the queue that the next look-up answers."""
        now = asyncio.get_running_loop().time()
        ranked = sorted(
            (waiting for waiting in self._waiting if not waiting.turn.done()),
            key=lambda waiting: until if (until := waiting.awaited_until()) > now else math.inf,
        )
        alike = [waiting for waiting in ranked if waiting.selection == ranked[0].selection]
        group = alike[: self._limits.numbers_per_look_up]
        for waiting in group:
            self._waiting.remove(waiting)
        return group

    def _end_turn(self, task: asyncio.Task[_Answers]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone, and asyncio complains of errors nobody took
            self._give_turns()

    async def _answer(self, group: Sequence[_Waiting]) -> _Answers:
        numbers = list(dict.fromkeys(waiting.e164 for waiting in group))
        permit = self._breaker.admit()
        if isinstance(permit, Outage):
            return dict.fromkeys(numbers, permit)
        started = self._monotonic()
        try:
            answers = await self._ask_dataverse(numbers, group[0].selection)
        except BaseException:
            permit.release()
            raise
        permit.settle(answers[numbers[0]])
        seconds = self._monotonic() - started
        for answer in answers.values():
            self._on_look_up(answer.cause if isinstance(answer, Outage) else answer.status, seconds)
        return answers

    async def _ask_dataverse(self, numbers: Sequence[str], selection: Selection) -> _Answers:
        """Answer every number; a failure of Dataverse is the same Outage for all of them."""
        try:
            async with asyncio.timeout(self._limits.look_up_seconds):
                return await self._look_up(numbers, selection)
        except TimeoutError:
            seconds = self._limits.look_up_seconds
            log.warning("directory.look_up_timed_out", seconds=seconds)
            outage = Outage(cause=Cause.TIMEOUT, detail=f"Dataverse timed out at {seconds:.1f} s")
        except DataverseError as error:
            log.warning("dataverse.look_up_failed", **error.describe())
            outage = Outage(cause=error.cause, detail=error.summary, retry_after=error.facts.retry_after)
        return dict.fromkeys(numbers, outage)
