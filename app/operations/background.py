"""Work that goes on beside the calls for the life of the process."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

__all__ = ["Background"]

log = structlog.get_logger()

_PAUSE_SECONDS = 1.0


class Background:
    """Runs each piece of work as a task, starts it again when it breaks, and cancels all of them at the end.

    Calls are answered whether or not any of this works, so a broken piece is a log line and never a stop.
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancel everything and wait until it has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begin a piece of work; it ends when it returns."""
        self._tasks.append(asyncio.create_task(_keep_running(name, work), name=name))

    def repeat(self, name: str, work: Callable[[], Awaitable[None]], *, every: float) -> None:
        """Do a short piece of work again and again, `every` so many seconds."""

        async def go_on() -> None:
            while True:
                await asyncio.sleep(every)
                await work()

        self.start(name, go_on)


async def _keep_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:  # the boundary of a task: nobody above it would hear
            log.exception("background.failed", work=name)
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return
