"""What passes between the client of Dataverse and whatever carries it."""

from collections.abc import AsyncIterable, Mapping
from typing import Final, Protocol

import msgspec

from app.dataverse.errors import UnreadableAnswerError

__all__ = ["Request", "Response", "Wire", "read_body"]

_LARGEST_ANSWER: Final = 5 * 1024 * 1024


class Request(msgspec.Struct, frozen=True):
    """One HTTP request."""

    method: str
    url: str
    """Absolute; it goes out as it is written where it is printable ASCII."""
    headers: Mapping[str, str]
    """All of them but `Host` and `Content-Length`."""
    body: bytes | None = None
    share: float = 1.0
    """How much of the request budget may be spent when this one is, above 0 to 1."""


class Response(msgspec.Struct, frozen=True):
    """One HTTP answer, read to its end and unpacked."""

    status: int
    headers: Mapping[str, str]
    """Names are asked for in lower case."""
    body: bytes = b""


class Wire(Protocol):
    """Carries requests to the organisation: the network, a gate before it, or what stands in for it."""

    async def send(self, request: Request) -> Response:
        """Exchange one request; cancelling it leaves nothing behind that a later one could stumble over.

        Raises errors of its own kind, which `translation` knows, or DataverseError.
        """

    async def aclose(self) -> None:
        """Close every connection."""


async def read_body(parts: AsyncIterable[bytes]) -> bytes:
    """Put a body together; raises UnreadableAnswerError when it becomes larger than 5 MB."""
    body = b""
    async for part in parts:
        body = body + part if body else part
        if len(body) > _LARGEST_ANSWER:
            raise UnreadableAnswerError("the answer of Dataverse is larger than 5 MB")
    return body
