"""uvicorn's HTTP protocol with an end to its patience: nobody holds a connection by sending or reading too slowly.

uvicorn itself limits only the pause between two requests of one connection; a client that never completes the first
one, or never reads its answer, would be kept for ever.
"""

import asyncio

from typing_extensions import override

from app.calls.webhook import WHOLE_BODY
from app.server.whole_answers import WholeAnswerProtocol

__all__ = ["SlowClientProtocol"]

_RECEIVE_SECONDS = 10.0
"""For one whole request, from the connection or the first byte on; calls have their own, shorter deadline."""
_SEND_SECONDS = 20.0
"""For a client that does not read to begin again."""
_LEAVE_SECONDS = 0.5
"""For a request that is on its way, or waits to be read, when the service stops."""
_MAX_HEAD_BYTES = 65_536
_WHOLE: dict[str, dict[object, object]] = {WHOLE_BODY: {}}
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class SlowClientProtocol(WholeAnswerProtocol):
    """Ends connections that are too slow, and heads that are too large; a request that comes at once arms no timer."""

    receive_seconds = _RECEIVE_SECONDS
    send_seconds = _SEND_SECONDS

    leave_seconds = _LEAVE_SECONDS

    _leaving = False
    _receiving: asyncio.TimerHandle | None = None
    _sending: asyncio.TimerHandle | None = None
    _in_request = False
    _in_head = False
    _saw_body = False
    _head_bytes = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._receiving = self.loop.call_later(self.receive_seconds, self._stop_receiving)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._rest_receiving()
        super().connection_lost(exc)
        self._rest_sending()

    @override
    def data_received(self, data: bytes) -> None:
        self._saw_body = False
        super().data_received(data)
        if self._in_request:
            if self._receiving is None:
                self._receiving = self.loop.call_later(self.receive_seconds, self._stop_receiving)
            if not self._saw_body:
                self._count_head(len(data))
        elif self._receiving is not None:
            self._rest_receiving()

    @override
    def on_message_begin(self) -> None:
        self._in_request = self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a chunked body must not pass for the head, where a proxy says who is asking.
        if self._in_head:
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self._leaving and self.cycle is not None:
            self.cycle.keep_alive = False

    @override
    def on_body(self, body: bytes) -> None:
        self._saw_body = True
        self._head_bytes = 0
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._in_request = False
        # Its task begins after all that came with the head was read.
        self.scope["extensions"] = _WHOLE
        super().on_message_complete()

    @override
    def shutdown(self) -> None:
        """Answer what is under way or about to arrive, and say with it that the connection ends."""
        if self._leaving or (self.cycle is not None and not self.cycle.response_complete):  # type: ignore[redundant-expr] # None before the first
            super().shutdown()
        else:
            self.loop.call_later(self.leave_seconds, super().shutdown)
        self._leaving = True

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        if self._sending is None:
            self._sending = self.loop.call_later(self.send_seconds, self.transport.abort)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._rest_sending()

    def _rest_receiving(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _rest_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES:
            self._end(_TOO_LARGE)

    def _stop_receiving(self) -> None:
        self._receiving = None
        self._end(_TOO_SLOW)

    def _end(self, answer: bytes) -> None:
        """Say why when nothing else is being said on this connection, and close it."""
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr] # None before the first
            self._unset_keepalive_if_required()
            self.transport.write(answer)
            self.transport.close()
        else:
            self.transport.abort()
