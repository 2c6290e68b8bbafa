"""What passes between the client of Dataverse and whatever carries it."""

from collections.abc import Mapping
from typing import Protocol

import msgspec
from typing_extensions import override

__all__ = ["Request", "Response", "Wire"]


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
