"""Requests that are no calls begin one after the other: a crowd of them is never ahead of a call."""

import asyncio
from collections import deque

__all__ = ["Admission"]


class Admission:
    """Admits one request for each turn of the event loop.

    The loop does everything that is ready before it looks at what has arrived. Forty requests that come together would
    be parsed, authorised and answered in one turn, and a call would wait for all of them; here it waits for one.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turn_is_taken = False

    async def enter(self) -> None:
        """Return when a request may begin: at once when there is no crowd."""
        loop = asyncio.get_running_loop()
        if not self._turn_is_taken:
            self._turn_is_taken = True
            loop.call_soon(self._admit_next, loop)
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _admit_next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                loop.call_soon(self._admit_next, loop)
                return
        self._turn_is_taken = False
