"""Work that is done once for everybody who needs it at the same time."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar, overload

__all__ = ["SharedTask", "SingleFlight", "cancel_all", "gather_or_cancel"]

T = TypeVar("T")
Second = TypeVar("Second")
Third = TypeVar("Third")
Work = Callable[["SharedTask[T]"], Coroutine[Any, Any, T]]
"""The work, which is told by its argument who waits for it."""


class SharedTask(Generic[T]):
    """One piece of work, and how many wait for it."""

    __slots__ = ("context", "interim", "task", "until", "waiting")

    def __init__(self, work: Work[T], context: Context) -> None:
        self.context = context
        """The context variables of the work."""
        self.waiting = 0
        self.interim: T | None = None
        """What the work knows so far, for those who cannot wait for its end; the work itself sets it."""
        self.until = -math.inf
        """How long somebody waits (loop time); minus infinity when nobody ever did."""
        self.task = asyncio.create_task(work(self), name="single_flight", context=context)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.task.done()

    async def wait(self, until: float) -> T | None:
        """Return the result, or what is known so far when the work did not end by `until` (loop time), or never will.

        Cancelling the wait leaves the work alone. Raises what the work raised.
        """
        if not self.task.done():
            await asyncio.wait({self.task}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        return self.task.result() if self.task.done() and not self.task.cancelled() else self.interim


class SingleFlight(Generic[T]):
    """Runs at most one task for each key, which outlives those who wait for it.

    When the last one who waits is gone the work goes on behind them, as far as there is room; beyond that it is
    cancelled. The work must be bounded in time.
    """

    def __init__(
        self, *, max_in_background: int | None = None, make_context: Callable[[], Context] = copy_context
    ) -> None:
        """`max_in_background` bounds the tasks that nobody waits for; `make_context` makes a task's variables."""
        self._max_in_background = max_in_background
        self._make_context = make_context
        self._current: dict[str, SharedTask[T]] = {}
        self._all: set[SharedTask[T]] = set()
        self._background: set[SharedTask[T]] = set()
        self._closed = False

    def get(self, key: str) -> SharedTask[T] | None:
        """Return the work under way for the key, if any."""
        return self._current.get(key)

    async def run(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the work, or wait for what is under way; raises what it raises.

        Whoever stops waiting does not stop it for the others.
        """
        return await asyncio.shield((self._current.get(key) or self._start(key, lambda _: work())).task)

    def start(self, key: str, work: Work[T]) -> SharedTask[T] | None:
        """Start the work in the background unless it is under way; `None` when there is no room, or after `aclose`."""
        if (shared := self._current.get(key)) is not None:
            return shared
        if self._closed or not self._has_room():
            return None
        shared = self._start(key, work)
        self._background.add(shared)
        return shared

    @contextmanager
    def join(self, key: str, work: Work[T], *, until: float) -> Iterator[SharedTask[T] | None]:
        """Share the work of the key until a moment (loop time), started when it is not under way.

        `None` after `aclose`.
        """
        shared = self._current.get(key) or (None if self._closed else self._start(key, work))
        if shared is None:
            yield None
            return
        shared.waiting += 1
        shared.until = max(shared.until, until)
        self._background.discard(shared)
        try:
            yield shared
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.done:
                self._leave_behind(key, shared)

    def forget(self, key: str | None) -> None:
        """Let whoever comes next start anew, for one key or all; those who wait still get their result."""
        if key is None:
            self._current.clear()
        else:
            self._current.pop(key, None)

    def is_current(self, key: str, shared: SharedTask[T]) -> bool:
        """Tell whether this is still the work that counts for the key."""
        return self._current.get(key) is shared

    async def aclose(self) -> None:
        """Cancel everything and wait until it is gone."""
        self._closed = True
        self._current.clear()
        await cancel_all(shared.task for shared in self._all)

    def _has_room(self) -> bool:
        return self._max_in_background is None or len(self._background) < self._max_in_background

    def _start(self, key: str, work: Work[T]) -> SharedTask[T]:
        shared = SharedTask(work, self._make_context())
        self._current[key] = shared
        self._all.add(shared)
        shared.task.add_done_callback(lambda task: self._finish(key, shared, task))
        return shared

    def _finish(self, key: str, shared: SharedTask[T], task: asyncio.Task[T]) -> None:
        self._all.discard(shared)
        self._background.discard(shared)
        if self._current.get(key) is shared:
            del self._current[key]
        if not task.cancelled():
            task.exception()  # everybody may have stopped waiting, and asyncio complains of errors nobody took

    def _leave_behind(self, key: str, shared: SharedTask[T]) -> None:
        if self._has_room():
            self._background.add(shared)
            return
        if self._current.get(key) is shared:
            del self._current[key]
        shared.task.cancel()


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until all are gone, however they end."""
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)


Awaited = Coroutine[Any, Any, T]


@overload
async def gather_or_cancel(first: Awaited[T], second: Awaited[Second], /) -> tuple[T, Second]: ...
@overload
async def gather_or_cancel(
    first: Awaited[T], second: Awaited[Second], third: Awaited[Third], /
) -> tuple[T, Second, Third]: ...
@overload
async def gather_or_cancel(*work: Awaited[T]) -> Sequence[T]: ...
async def gather_or_cancel(*work: Awaited[Any]) -> Sequence[Any]:
    """Do several things at once; the first failure ends the others, and is raised when they are gone.

    `asyncio.gather` leaves the others running: they would go on asking for nobody, and hold connections of a database
    that is closed meanwhile. A task group hides the failure in a group of exceptions.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return tuple(await asyncio.gather(*tasks))
    except BaseException:
        await cancel_all(tasks)
        raise
