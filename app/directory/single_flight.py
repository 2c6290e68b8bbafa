"""Work that many callers share: one task per key, which outlives the callers that wait for it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from app.observability.stages import Stages

__all__ = ["Flight", "SingleFlight"]

T = TypeVar("T")


class Flight(Generic[T]):
    """One task and the number of those who wait for it."""

    __slots__ = ("_task", "stages", "waiting")

    def __init__(self, task: asyncio.Task[T], stages: Stages) -> None:
        self._task = task
        self.stages = stages
        """How its time is spent."""
        self.waiting = 0

    async def wait(self, until: float) -> T | None:
        """Return the result; `None` when it is not there at `until` (loop time) or the work was given up.

        Cancelling the wait leaves the work alone. The work must not return `None` for a result.
        """
        if not self._task.done():
            await asyncio.wait({self._task}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        return self._task.result() if self._task.done() and not self._task.cancelled() else None

    @property
    def done(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self._task.done()

    def is_run_by(self, task: asyncio.Task[Any] | None) -> bool:
        """Tell whether this task does the work."""
        return self._task is task

    def cancel(self) -> None:
        """Give the work up."""
        self._task.cancel()


class SingleFlight(Generic[T]):
    """Runs at most one task per key, so that a thousand calls from one number become one look-up.

    When the last one who waits is gone the work goes on in the background, as far as there is room; beyond that it
    is cancelled. The work itself must be bounded in time and must not raise.
    """

    def __init__(self, *, most_in_background: int, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds, for the stages of the work."""
        self._most_in_background = most_in_background
        self._monotonic = monotonic
        self._single_flight: dict[str, Flight[T]] = {}
        self._tasks: set[asyncio.Task[T]] = set()
        self._background: set[Flight[T]] = set()
        self._closed = False

    def get(self, key: str) -> Flight[T] | None:
        """Return the work under way for the key, if any."""
        return self._single_flight.get(key)

    def launch(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> Flight[T] | None:
        """Return the work under way for the key, or start it in the background; `None` when there is no room."""
        if (flight := self._single_flight.get(key)) is not None:
            return flight
        if self._closed or len(self._background) >= self._most_in_background:
            return None
        flight = self._start(key, work)
        self._background.add(flight)
        return flight

    @contextmanager
    def board(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> Iterator[Flight[T] | None]:
        """Share the work of the key, started when it is not under way; `None` after `aclose`."""
        flight = self._single_flight.get(key) or (None if self._closed else self._start(key, work))
        if flight is None:
            yield None
            return
        flight.waiting += 1
        self._background.discard(flight)
        try:
            yield flight
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.done:
                self._let_go(key, flight)

    def forget(self, key: str | None) -> None:
        """Let whoever comes next start anew, for one key or all; those who wait still get their result."""
        if key is None:
            self._single_flight.clear()
        else:
            self._single_flight.pop(key, None)

    def is_current(self, key: str) -> bool:
        """Tell whether the running task is still the one that counts for the key."""
        flight = self._single_flight.get(key)
        return flight is not None and flight.is_run_by(asyncio.current_task())

    async def aclose(self) -> None:
        """Cancel everything and wait until it is gone."""
        self._closed = True
        self._single_flight.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> Flight[T]:
        stages = Stages(self._monotonic)
        task = asyncio.create_task(work(), name="directory.flight", context=stages.make_context())
        flight = Flight(task, stages)
        self._single_flight[key] = flight
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._land(key, flight, task))
        return flight

    def _land(self, key: str, flight: Flight[T], task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        self._background.discard(flight)
        if self._single_flight.get(key) is flight:
            del self._single_flight[key]

    def _let_go(self, key: str, flight: Flight[T]) -> None:
        if len(self._background) < self._most_in_background:
            self._background.add(flight)
            return
        if self._single_flight.get(key) is flight:
            del self._single_flight[key]
        flight.cancel()
