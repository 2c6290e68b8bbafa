"""uvicorn's HTTP protocol with answers in one piece: head and body leave in one system call and mostly in one packet.

uvicorn writes the head at once. ASGI asks servers to wait for the body: an application may still fail.
"""

import asyncio
from typing import Any

from typing_extensions import override
from uvicorn._types import ASGI3Application  # its public modules do not export the type
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.server.protocol_offers import StayingProtocol

__all__ = ["WholeAnswerProtocol"]

_INTERIM = b"HTTP/1.1 100 "


class WholeAnswerProtocol(StayingProtocol):
    """Holds each head back until the body begins, or ends without a byte."""

    transport: "HoldingTransport"

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.transport = HoldingTransport(transport)

    @override
    def on_response_complete(self) -> None:
        self.transport.release()
        super().on_response_complete()

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.transport.expect_head()
        super()._start_asgi_task(cycle, app)


class HoldingTransport(asyncio.Transport):
    """As much of a transport as uvicorn uses to write."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._held = b""
        self._head_is_next = False

    def expect_head(self) -> None:
        """Hold the next piece, which is the head of an answer."""
        self._head_is_next = True

    def release(self) -> None:
        """Write what is held."""
        if self._held:
            held, self._held = self._held, b""
            if not self._transport.is_closing():
                self._transport.write(held)

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head_is_next and not bytes(data).startswith(_INTERIM):
            self._head_is_next = False
            self._held = bytes(data)
            return
        held, self._held = self._held, b""
        self._transport.write(held + data if held else data)

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    @override
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    @override
    def close(self) -> None:
        self.release()
        self._transport.close()

    @override
    def abort(self) -> None:
        self._transport.abort()
