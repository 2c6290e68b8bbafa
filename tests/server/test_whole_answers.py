"""Answers leave in one piece."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from typing_extensions import override
from uvicorn.server import ServerState

from app.server.whole_answers import WholeAnswerProtocol

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Wire(asyncio.Transport):
    """The other end of a connection: keeps each piece that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = asyncio.Event()

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    @override
    def is_closing(self) -> bool:
        return self.closed.is_set()

    @override
    def close(self) -> None:
        self.closed.set()

    @override
    def resume_reading(self) -> None:
        return


async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Read the body, and answer by path: a body, none, or two parts; `/broken` fails after the head."""
    await receive()
    path = scope["path"]
    length = [(b"content-length", b"2")] if path != "/parts" else []
    await send(
        {"type": "http.response.start", "status": 204 if path == "/none" else 200, "headers": length[: path != "/none"]}
    )
    if path == "/broken":
        return
    if path == "/parts":
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await send({"type": "http.response.body", "body": b"" if path == "/none" else b"ok"})


async def exchange(request: bytes) -> list[bytes]:
    """Send a request that ends the connection and return the pieces of the answer."""
    config = uvicorn.Config(answer, lifespan="off", log_config=None, date_header=False, server_header=False)
    config.load()
    protocol = WholeAnswerProtocol(config=config, server_state=ServerState(), app_state={})
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(request)
    async with asyncio.timeout(3):
        await wire.closed.wait()
    return wire.pieces


@pytest.mark.parametrize(
    ("request_line", "pieces"),
    [
        pytest.param(b"GET /", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"], id="body"),
        pytest.param(b"GET /none", [b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"], id="no body"),
        pytest.param(b"HEAD /", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"], id="head only"),
        pytest.param(
            b"GET /parts",
            [
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
                b"2\r\nok\r\n0\r\n\r\n",
            ],
            id="parts",
        ),
        pytest.param(
            b"GET /broken", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"], id="broken"
        ),
    ],
)
async def test_head_leaves_with_the_body(request_line: bytes, pieces: list[bytes]) -> None:
    """A head waits for the first part of its body, or for the end of the answer."""
    assert await exchange(request_line + b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n") == pieces


async def test_leave_to_send_the_body_is_given_at_once() -> None:
    """An interim answer is not held back, since the body only comes after it."""
    head = b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"

    pieces = await exchange(head + b"ok")

    assert pieces == [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
    ]
