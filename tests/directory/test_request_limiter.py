"""The gate before the network, over the wire of a transport."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.dataverse.substitute import Substitute
from app.dataverse.wire import Request
from app.directory.budget import RequestBudget
from app.directory.request_limiter import RequestLimiter

ASK = Request("GET", "https://org.example.com/api/data/v9.2/contacts", {"Authorization": "Bearer fake-token"})


class Torn(httpx.AsyncByteStream):
    """A body that breaks off."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"error":'
        raise httpx.ReadError("reset")


class Drip(httpx.AsyncByteStream):
    """A body without end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.1)
            yield b" "


@pytest.mark.parametrize("stream", [Torn(), Drip()], ids=["torn", "dripping"])
async def test_429_whose_words_are_lost_is_obeyed(stream: httpx.AsyncByteStream) -> None:
    """Retry-After closes the gate although the body that came with it could not be read."""
    asked: list[str] = []

    def throttle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(429, headers={"retry-AFTER": "30"}, stream=stream)

    time = asyncio.get_running_loop().time
    budget = RequestBudget(requests=100, seconds=300, monotonic=time)
    gate = RequestLimiter(wire=Substitute(httpx.MockTransport(throttle)), budget=budget)

    answers = [await gate.send(ASK) for _ in range(3)]

    assert [(answer.status, answer.headers["retry-after"]) for answer in answers] == [(429, "30")] * 3
    assert len(asked) == 1


def test_request_shows_neither_number_nor_token() -> None:
    """Whatever prints a request or its answer prints nothing of what is in it."""
    assert repr(ASK) == "Request(GET)"
