"""The pool of connections: one for each request under way, kept and used again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
from typing_extensions import override

from app.dataverse.lanes import Lanes


class Body(httpx.AsyncByteStream):
    """Two pieces."""

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"


class Wire(httpx.AsyncBaseTransport):
    """Answers when it is told to; may fail."""

    def __init__(self, log: list[str], go: asyncio.Event) -> None:
        self._log = log
        self._go = go

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._log.append("request")
        await self._go.wait()
        if request.url.path == "/broken":
            raise httpx.ReadError("broken", request=request)
        return httpx.Response(200, stream=Body())

    @override
    async def aclose(self) -> None:
        self._log.append("closed")


class World:
    """Lanes over such wires, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = 0
        self.log: list[str] = []
        self.go = asyncio.Event()
        self.go.set()
        self.lanes = Lanes(make=self._make, keep_seconds=10, monotonic=lambda: self.now)
        self.client = httpx.AsyncClient(transport=self.lanes)

    async def wait_for_requests(self, count: int) -> None:
        """Wait until so many arrived."""
        while len(self.log) < count:  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0)

    def _make(self) -> Wire:
        self.made += 1
        return Wire(self.log, self.go)


async def test_requests_one_after_the_other_share_a_connection() -> None:
    """A connection whose answer was read carries the next request."""
    world = World()
    async with world.client as client:
        bodies = [(await client.get("http://crm/")).text for _ in range(3)]
    assert (bodies, world.made, world.log) == (["one two"] * 3, 1, ["request"] * 3 + ["closed"])


async def test_requests_at_the_same_time_have_one_each() -> None:
    """Nobody waits for somebody else's answer."""
    world = World()
    world.go.clear()
    requests = [asyncio.create_task(world.client.get("http://crm/")) for _ in range(5)]
    await world.wait_for_requests(5)
    world.go.set()
    await asyncio.gather(*requests)
    assert (world.made, world.lanes.open) == (5, 5)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_connection_ends_with_a_request_that_fails(cancelled: bool) -> None:  # noqa: FBT001 - a parameter
    """A request that broke or was given up takes its connection with it; the next one has a new one."""
    world = World()
    if cancelled:
        world.go.clear()
        request = asyncio.create_task(world.client.get("http://crm/"))
        await world.wait_for_requests(1)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        world.go.set()
    else:
        with pytest.raises(httpx.ReadError):
            await world.client.get("http://crm/broken")
    assert world.log == ["request", "closed"]
    assert (await world.client.get("http://crm/")).text == "one two"
    assert (world.made, world.lanes.open) == (2, 1)


async def test_connection_ends_with_an_answer_nobody_reads() -> None:
    """An answer that is closed before its end takes its connection with it."""
    world = World()
    async with world.client.stream("GET", "http://crm/"):
        pass
    assert (world.lanes.open, world.log) == (0, ["request", "closed"])


@pytest.mark.parametrize("warm", [False, True])
async def test_giving_up_at_any_moment_spoils_nothing(warm: bool) -> None:  # noqa: FBT001 - a parameter
    """Wherever a request is cancelled between connecting and the end of its answer, the next one is carried."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 7\r\n\r\n", b"one", b" two"):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        writer.close()

    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        for moment in range(40):
            lanes = Lanes(make=lambda: httpx.AsyncHTTPTransport(limits=limits), keep_seconds=10, monotonic=lambda: 0.0)
            async with httpx.AsyncClient(transport=lanes, timeout=5, trust_env=False) as client:
                if warm:
                    await client.get(url)
                request = asyncio.create_task(client.get(url))
                for _ in range(moment):
                    await asyncio.sleep(0)
                request.cancel()
                await asyncio.gather(request, return_exceptions=True)
                assert (await client.get(url)).text == "one two", moment


async def test_idle_connections_are_closed_in_time() -> None:
    """What nobody used for a while is closed when another request ends."""
    world = World()
    world.go.clear()
    requests = [asyncio.create_task(world.client.get("http://crm/")) for _ in range(3)]
    await world.wait_for_requests(3)
    world.go.set()
    await asyncio.gather(*requests)
    world.now = 11.0
    await world.client.get("http://crm/")
    assert (world.lanes.open, world.log.count("closed")) == (1, 2)
