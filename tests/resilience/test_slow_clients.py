"""Clients that send or read too slowly, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from app.server.connections import BoundedHttpProtocol

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Hasty(BoundedHttpProtocol):
    """Loses its patience soon."""

    receive_seconds = 0.3
    send_seconds = 0.3


async def echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Read the body, then answer so much as the path says, or the names of the headers."""
    if scope["type"] != "http":
        return
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    names = b" ".join(name for name, _ in scope["headers"])
    body = names if scope["path"] == "/names" else b"x" * int(scope["path"].strip("/") or 2)
    head = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serve(protocol: type[BoundedHttpProtocol] = Hasty) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    """Serve on a free port."""
    config = uvicorn.Config(
        echo, port=0, http=protocol, ws="none", lifespan="off", log_config=None, date_header=False, server_header=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - has no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1], server
    finally:
        server.should_exit = True
        await serving


async def exchange(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces and return all that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def wait_until_idle(server: uvicorn.Server) -> None:
    """Wait until no connection and no request is left."""
    async with asyncio.timeout(60):
        while server.server_state.connections or server.server_state.tasks:  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        pytest.param((), b"HTTP/1.1 408", id="says-nothing"),
        pytest.param((b"POST / HTTP/1.1\r\nHost: a\r\n",), b"HTTP/1.1 408", id="half-a-head"),
        pytest.param((b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",), b"", id="half-a-body"),
        pytest.param(
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHo"),
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nxxHTTP/1.1 408",
            id="second-request",
        ),
    ],
)
async def test_incomplete_request_ends_with_its_connection(pieces: tuple[bytes, ...], answer: bytes) -> None:
    """Whoever does not complete a request in time is disconnected, and told so when nothing else was being said."""
    async with serve() as (port, server):
        assert (await exchange(port, *pieces, pause=0.05)).startswith(answer)
        await wait_until_idle(server)


async def test_trickling_head_gains_no_time() -> None:
    """However long a byte now and then goes on, the connection ends."""
    async with serve() as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        ended = asyncio.create_task(reader.read())
        writer.write(b"POST / HTTP/1.1\r\n")
        async with asyncio.timeout(60):
            while not ended.done():
                writer.write(b"X: y\r\n")
                await asyncio.sleep(0.05)
        writer.close()

        assert (await ended).startswith(b"HTTP/1.1 408")
        await wait_until_idle(server)


async def test_endless_head_is_refused() -> None:
    """A head beyond 64 KiB ends at once, however fast it comes."""
    async with serve() as (port, server):
        flood = (b"GET / HTTP/1.1\r\n", *(b"X-%d: %s\r\n" % (index, b"y" * 4000) for index in range(20)))
        assert b" 200 " not in await exchange(port, *flood)
        await wait_until_idle(server)


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["one piece", "two pieces"])
async def test_what_follows_a_chunked_body_is_no_header(pause: float) -> None:
    """Nobody adds to the head, where proxies say who is asking, once the body has begun."""
    head = b"POST /names HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"2\r\nok\r\n0\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"
    async with serve() as (port, _):
        answer = await exchange(port, *((head, body) if pause else (head + body,)), pause=pause)

    assert answer.endswith(b"\r\n\r\nhost connection transfer-encoding")


@pytest.mark.parametrize("line", [b"X: %b\r\n", b"%b"], ids=["many", "one"])
async def test_endless_end_of_a_chunked_body_is_refused(line: bytes) -> None:
    """What follows the last chunk is bounded as the head is, and does not pile up."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: "
    async with serve(BoundedHttpProtocol) as (port, server):
        assert await exchange(port, head, *[line % (b"y" * 4000)] * 40) == b""
        await wait_until_idle(server)


async def test_client_that_does_not_read_is_let_go() -> None:
    """An answer nobody reads is given up, connection and request with it."""
    async with serve() as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        await writer.drain()
        await wait_until_idle(server)
        writer.close()
        del reader


async def test_patient_pauses_between_requests_stay_allowed() -> None:
    """A connection that rests after its answer is not slow."""
    async with serve() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readuntil(b"xx")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.5)
        writer.close()


async def test_many_silent_connections_do_not_hold_up_a_call() -> None:
    """Two hundred half-open connections cost nobody else an answer."""
    async with serve() as (port, server):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        await wait_until_idle(server)
        for _, writer in silent:
            writer.close()
