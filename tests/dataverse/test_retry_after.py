"""No request leaves while a Retry-After runs."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.dataverse.errors import ThrottledError
from app.dataverse.wire import Request
from tests.dataverse.wire import ORG, Wire

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
    """Retry-After is obeyed by all who ask although the body that came with it could not be read."""
    asked: list[str] = []

    def throttle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(429, headers={"retry-AFTER": "30"}, stream=stream)

    wire = Wire(throttle)
    pauses = []
    async with wire.open() as client:
        for _ in range(3):
            with pytest.raises(ThrottledError) as caught:
                await client.ping()
            pauses.append(caught.value.facts.retry_after)

    assert (pauses, len(asked)) == ([30.0] * 3, 1)


async def test_query_that_is_too_expensive_stops_no_others() -> None:
    """Throttling of one kind of question closes nothing for the others; throttling of the user does."""
    codes = iter(["0x80048644", "0x80072322"])

    def throttle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"retry-after": "30"}, json={"error": {"code": next(codes), "message": ""}})

    wire = Wire(throttle)
    async with wire.open() as client:
        for _ in range(4):
            with pytest.raises(ThrottledError):
                await client.ping()

    assert len(wire.requests) == 2


def test_request_shows_neither_number_nor_token() -> None:
    """Whatever prints a request prints nothing of what is in it."""
    request = Request("GET", f"{ORG}/api/data/v9.2/contacts", {"Authorization": "Bearer fake-token"})
    assert repr(request) == "Request(GET)"
