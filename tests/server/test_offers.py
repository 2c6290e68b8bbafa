"""Clients that offer another protocol than HTTP/1.1, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from app.server.connections import BoundedHttpProtocol

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
OFFERS = {
    "curl": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n",
    "two headers": b"Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: h2c\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
}


async def tell(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer what was understood."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    names = [name.decode() for name, _ in scope["headers"]]
    told = {"path": scope["path"], "query": scope["query_string"].decode(), "names": names, "body": body.decode()}
    content = json.dumps(told).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serve on a free port."""
    options: dict[str, Any] = {"ws": "none", "lifespan": "off", "log_config": None}
    server = uvicorn.Server(uvicorn.Config(tell, port=0, http=BoundedHttpProtocol, date_header=False, **options))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - has no event
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def exchange(port: int, *pieces: bytes) -> list[tuple[bytes, dict[str, Any]]]:
    """Send pieces, and return status line and body of every answer until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    async with asyncio.timeout(60):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        while head := await reader.readline():
            size = 0
            while (line := (await reader.readline()).strip()) != b"":
                size = int(line.split(b":")[1]) if line.startswith(b"content-length") else size
            answers.append((head.strip(), json.loads(await reader.readexactly(size))))
    writer.close()
    return answers


def write(offer: bytes, body: bytes, *, more: bytes = b"") -> bytes:
    """Write a request."""
    return b"POST /a%%20b?c=d HTTP/1.1\r\nHost: x\r\n%b%bContent-Length: %d\r\n\r\n%b" % (offer, more, len(body), body)


LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("cut", [None, 20, 130, -3], ids=["whole", "in the line", "in the head", "in the body"])
async def test_request_with_an_offer_is_answered_as_any_other(port: int, offer: str, cut: int | None) -> None:
    """The body arrives, however the request is cut, the offer does not, and the connection goes on."""
    request = write(OFFERS[offer], b'{"anum": "1"}')
    pieces = [request] if cut is None else [request[:cut], request[cut:]]

    (status, told), (_, last) = await exchange(port, *pieces, LAST)

    assert status == b"HTTP/1.1 200 OK"
    assert (told["path"], told["query"], told["body"]) == ("/a b", "c=d", '{"anum": "1"}')
    assert "upgrade" not in told["names"]
    assert (last["path"], last["body"]) == ("/last", "")


async def test_many_requests_with_offers_in_one_piece_are_all_answered(port: int) -> None:
    """Requests sent ahead on one connection are each read with their own body."""
    sent = [b"%d" % number for number in range(200)]

    answers = await exchange(port, b"".join(write(OFFERS["curl"], body) for body in sent) + LAST)

    assert [told["body"] for _, told in answers] == [*(body.decode() for body in sent), ""]


async def test_chunked_body_with_an_offer_arrives(port: int) -> None:
    """A body of unknown length is read to its end."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\n" + OFFERS["curl"] + b"Transfer-Encoding: chunked\r\n\r\n"

    (_, told), _ = await exchange(port, head, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", LAST)

    assert told["body"] == "abcde"


@pytest.mark.parametrize("request_", [b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
async def test_what_is_no_request_for_us_is_refused(port: int, request_: bytes) -> None:
    """A tunnel, and a client that speaks HTTP/2 unasked, get 400 and the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_)

    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
