"""What passes between the client of Dataverse and whatever carries it."""

import asyncio
from collections.abc import AsyncIterable, Mapping
from contextlib import suppress
from typing import Final, Protocol

import httpx
import msgspec
from typing_extensions import override

from app.dataverse.errors import UnreadableAnswerError
from app.dataverse.translation import FOREIGN

__all__ = ["Request", "Response", "Substitute", "Wire", "read_body"]

_LARGEST_ANSWER: Final = 5 * 1024 * 1024
_FIRST_FAILURE: Final = 400
_TIMEOUT: Final = 0.5
"""Seconds for what a failure says; it comes with its status."""


class Request(msgspec.Struct, frozen=True):
    """One HTTP request."""

    method: str
    url: str
    """Absolute; it goes out as it is written where it is printable ASCII."""
    headers: Mapping[str, str]
    """All of them but `Host` and `Content-Length`."""
    body: bytes | None = None

    @override
    def __repr__(self) -> str:
        """Keep number and token out of whatever prints it."""
        return f"Request({self.method})"


class Response(msgspec.Struct, frozen=True):
    """One HTTP answer, read to its end and unpacked."""

    status: int
    headers: Mapping[str, str]
    """Names are asked for in lower case."""
    body: bytes = b""

    @override
    def __repr__(self) -> str:
        """Keep names and numbers out of whatever prints it."""
        return f"Response({self.status})"


class Wire(Protocol):
    """Carries requests to the organisation: the network, or what stands in for it."""

    async def send(self, request: Request) -> Response:
        """Exchange one request; cancelling it leaves nothing behind that a later one could stumble over.

        Raises errors of its own kind, which `translation` knows, or DataverseError.
        """

    async def aclose(self) -> None:
        """Close every connection."""


class Substitute:
    """Stands in for the network: an organisation in this process, or any other transport of httpx."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        """Exchange one request."""
        response = await self._transport.handle_async_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.body)
        )
        try:
            body = await read_body(response.status_code, response.aiter_bytes())
            return Response(response.status_code, response.headers, body)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


async def read_body(status: int, parts: AsyncIterable[bytes]) -> bytes:
    """Put a body together; that of a failure only when it comes soon and whole, for its status must not be lost.

    Raises UnreadableAnswerError when the body of a success becomes larger than 5 MB, and what `parts` raises.
    """
    if status < _FIRST_FAILURE:
        return await _read_all(parts)
    with suppress(*FOREIGN, UnreadableAnswerError):
        async with asyncio.timeout(_TIMEOUT):
            return await _read_all(parts)
    return b""


async def _read_all(parts: AsyncIterable[bytes]) -> bytes:
    read, size = [], 0
    async for part in parts:
        read.append(part)
        size += len(part)
        if size > _LARGEST_ANSWER:
            raise UnreadableAnswerError("the answer of Dataverse is larger than 5 MB")
    return b"".join(read)
