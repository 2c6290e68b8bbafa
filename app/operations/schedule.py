"""The work beside calls: loops, work every few seconds, and work at times of the day.

Seconds are counted by the monotonic clock, so that setting the machine's clock stops nothing; times of the day come
from APScheduler's cron triggers (decision record 0013).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import structlog
from apscheduler.triggers.cron import CronTrigger

from app.errors import AppError

__all__ = ["Schedule"]

log = structlog.get_logger()

_RESTART_SECONDS = 1.0
_RETRY_SECONDS = 60.0
"""How long after a failure work of a time of the day is tried again."""
_MAX_SLEEP = 60.0
"""The clock may be set while something waits for a time of the day."""

Work = Callable[[], Awaitable[object]]


class Schedule:
    """Runs each piece of work as a task and cancels all of them at the end.

    Calls are answered whether or not any of this works, so work that fails is a log line, and never a stop. Repeated
    work that goes on failing is told once, and once more when it works again.
    """

    def __init__(
        self,
        *,
        lead: Callable[[], Awaitable[bool]],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`lead` tells whether this process does the work of the leader; `clock` gives seconds since the epoch."""
        self._lead = lead
        self._clock = clock
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancel everything and wait until it has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def keep(self, name: str, loop: Work) -> None:
        """Keep a loop going: it is started again when it breaks, and ends when it returns."""

        async def go_on() -> None:
            while True:
                try:
                    await loop()
                except Exception:  # the boundary of a task: nobody above it would hear
                    log.exception("schedule.loop_broken", work=name)
                    await self._sleep(_RESTART_SECONDS)
                else:
                    return

        self._start(name, go_on())

    def every(self, seconds: float, name: str, work: Work) -> None:
        """Do short work now and then again and again, so many seconds after its last end."""

        async def go_on() -> None:
            while True:
                await self._try(name, work)
                await self._sleep(seconds)

        self._start(name, go_on())

    def daily(
        self, cron: str, name: str, work: Work, *, time_zone: str = "UTC", leader: bool = False, at_start: bool = False
    ) -> None:
        """Do work at times of the day by a crontab expression, `minute hour day month weekday` in a time zone.

        Of an hour that a clock change repeats the first one counts, and one that it leaves out is made up for after
        it. Times that passed while the work was going on or the machine slept count as one. What fails, or cannot be
        judged since the database is away, is tried again every minute until it is done. With `leader` only one of
        all processes does it.
        """
        trigger = CronTrigger.from_crontab(cron, timezone=time_zone)

        async def lead() -> object:
            return await work() if await self._lead() else None

        async def go_on() -> None:
            due = self._now()
            if at_start:
                await self._do(name, lead if leader else work)
            while True:
                due = _find_next(trigger, due, self._now())
                while (left := due.timestamp() - self._clock()) > 0:
                    await self._sleep(min(left, _MAX_SLEEP))
                await self._do(name, lead if leader else work)

        self._start(name, go_on())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _start(self, name: str, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _do(self, name: str, work: Work) -> None:
        while not await self._try(name, work):
            await self._sleep(_RETRY_SECONDS)

    async def _try(self, name: str, work: Work) -> bool:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the boundary of a task: nobody above it would hear
            self._note_failure(name, error)
            return False
        if self._failing.pop(name, None) is not None:
            log.info("schedule.works_again", work=name)
        return True

    def _note_failure(self, name: str, error: Exception) -> None:
        expected = isinstance(error, AppError)
        kind = error.code if isinstance(error, AppError) else type(error).__name__
        if self._failing.get(name) != kind:
            self._failing[name] = kind
            log.warning("schedule.failed", work=name, error=kind, exc_info=not expected)


def _find_next(trigger: CronTrigger, before: datetime, now: datetime) -> datetime:
    """Find the first time from now on that reads differently on the clock of its zone than the time before."""
    after = max(now, before)
    while True:
        # In UTC, where a second later is always later.
        after = after.astimezone(UTC) + timedelta(seconds=1)
        due: datetime = trigger.get_next_fire_time(None, after)
        if due.replace(tzinfo=None) != before.replace(tzinfo=None):
            return due
        after = due
