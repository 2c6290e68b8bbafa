"""Work whose size a client of the administrators' endpoints chooses: done beside calls, never in front of them."""

import asyncio
import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

from app.errors import TooManyRequestsError

__all__ = ["HeavyWork"]

P = ParamSpec("P")
T = TypeVar("T")

_MAX_RUNNING = 3
"""Requests in progress of all roles; each may hold a ruleset of the largest size, read and compiled (some 60 MB)."""
_MAX_RUNNING_OF_ROLE = 2
_MAX_WAITING_OF_ROLE = 16
_WAIT_SECONDS = 20.0
_COLLECTOR = (3_000, 4, 1_000_000)
"""How often the collector of reference cycles looks at objects, young, older and all.

Looking at all of them while large rulesets are in memory stops every thread for hundreds of milliseconds; looking at
the young ones takes two.
"""


@dataclass(slots=True)
class _Share:
    running: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MAX_RUNNING_OF_ROLE))
    waiting: int = 0


class HeavyWork:
    """Lets few requests work at once and makes a few more wait; computes for one at a time, in a thread."""

    def __init__(self) -> None:
        self._shares: defaultdict[str, _Share] = defaultdict(_Share)
        self._running = asyncio.Semaphore(_MAX_RUNNING)
        self._thread = CapacityLimiter(1)
        self._held = 0
        self._usual_collector = gc.get_threshold()

    @asynccontextmanager
    async def admit(self, role: str) -> AsyncIterator[None]:
        """Wait until it is the turn of a request of this role.

        Raises TooManyRequestsError when too many of the role wait already, or it has waited for 20 seconds.
        """
        share = self._shares[role]
        if share.waiting >= _MAX_WAITING_OF_ROLE:
            raise TooManyRequestsError("too many such requests are waiting already; try again in a moment")
        async with AsyncExitStack() as stack:
            share.waiting += 1
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await stack.enter_async_context(share.running)
                    await stack.enter_async_context(self._running)
            except TimeoutError:
                raise TooManyRequestsError("the requests before this one take long; try again in a moment") from None
            finally:
                share.waiting -= 1
            with self.hold():
                yield

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute something in a thread, after everything that asked before."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._thread)

    async def run_for_calls(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute in a thread what calls need, such as the live ruleset: at once, whatever else waits."""
        with self.hold():
            return await anyio.to_thread.run_sync(partial(function, *args, **kwargs))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the collector from looking at all objects while large ones are in memory."""
        if not self._held:
            self._usual_collector = gc.get_threshold()
            gc.set_threshold(*_COLLECTOR)
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                gc.set_threshold(*self._usual_collector)
