"""A pool of connections whose cost does not grow with its size."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import httpx
from typing_extensions import override

__all__ = ["Lanes"]


@dataclass(slots=True)
class Lane:
    """A transport that carries one request at a time, over one connection that it keeps."""

    transport: httpx.AsyncBaseTransport
    idle_since: float


class Lanes(httpx.AsyncBaseTransport):
    """Gives each request under way a connection of its own, the one used last first.

    The pool of httpx looks at every pair of its connections for every request: with a hundred of them that takes
    ten times as long as the request itself. How many are under way at once is limited by whoever uses this.

    Only a connection whose answer was read to its end is used again. A transport whose request was given up at an
    unlucky moment may believe for ever that its one connection is busy.
    """

    def __init__(
        self, *, make: Callable[[], httpx.AsyncBaseTransport], keep_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        """`make` builds the transport of one connection; it is closed when nobody used it for `keep_seconds`."""
        self._make = make
        self._keep_seconds = keep_seconds
        self._monotonic = monotonic
        self._idle: deque[Lane] = deque()
        self._busy: set[int] = set()

    @property
    def open(self) -> int:
        """Connections that are kept, busy or idle."""
        return len(self._idle) + len(self._busy)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        lane = self._idle.pop() if self._idle else Lane(self._make(), 0.0)
        self._busy.add(id(lane))
        try:
            response = await lane.transport.handle_async_request(request)
        except BaseException:
            await self._drop(lane)
            raise
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = LentStream(response.stream, lambda whole: self._take_back(lane, whole=whole))
        return response

    @override
    async def aclose(self) -> None:
        while self._idle:
            await self._idle.pop().transport.aclose()

    async def _drop(self, lane: Lane) -> None:
        self._busy.discard(id(lane))
        await lane.transport.aclose()

    async def _take_back(self, lane: Lane, *, whole: bool) -> None:
        if not whole:
            await self._drop(lane)
            return
        self._busy.discard(id(lane))
        now = lane.idle_since = self._monotonic()
        self._idle.append(lane)
        while self._idle[0].idle_since < now - self._keep_seconds:
            await self._idle.popleft().transport.aclose()


class LentStream(httpx.AsyncByteStream):
    """The body of an answer; its end gives the connection back, and tells whether the body was read to the end."""

    def __init__(self, stream: httpx.AsyncByteStream, give_back: Callable[[bool], Awaitable[None]]) -> None:
        self._stream = stream
        self._give_back = give_back
        self._whole = False
        self._closed = False

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part
        self._whole = True

    @override
    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._stream.aclose()
        except BaseException:
            await self._give_back(False)
            raise
        await self._give_back(self._whole)
