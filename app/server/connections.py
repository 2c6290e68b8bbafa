"""uvicorn's HTTP protocol with limits on slow clients, and with answers for clients that offer another protocol.

uvicorn itself limits only the pause between two requests of one connection: a client that never completes a request, or
never reads its answer, would be kept for ever. It also loses the body of a request that offers another protocol, such
as `Upgrade: h2c`, which Java's HTTP client sends by itself: it takes what follows the head for that other protocol. A
server may ignore the offer (RFC 9110, section 7.8), so such a request is read once more, without it.
"""

import asyncio

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.calls.webhook import RECEIVED

__all__ = ["BoundedHttpProtocol"]

_RECEIVE_SECONDS = 10.0
"""For one whole request, from the connection or the first byte on; calls have their own, shorter deadline."""
_SEND_SECONDS = 20.0
"""For a client that does not read to begin again."""
_LEAVE_SECONDS = 0.5
"""For a request that is on its way, or waits to be read, when the service stops."""
_MAX_HEAD_BYTES = 65_536
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHttpProtocol(HttpToolsProtocol):
    """Ends connections that are too slow, and heads that are too large; a request that comes at once arms no timer."""

    receive_seconds = _RECEIVE_SECONDS
    send_seconds = _SEND_SECONDS
    leave_seconds = _LEAVE_SECONDS

    _leaving = False
    _receiving: asyncio.TimerHandle | None = None
    _sending: asyncio.TimerHandle | None = None
    _in_request = False
    _in_head = False
    _has_offer = False
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
        self._rest_keep_alive()
        self._saw_body = False
        received = len(data)
        try:
            while data:
                data = self._parse(data)
        except HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if not self._in_request:
            self._rest_receiving()
            return
        if self._receiving is None:
            self._receiving = self.loop.call_later(self.receive_seconds, self._stop_receiving)
        if not self._saw_body:
            self._count_head(received)

    @override
    def on_message_begin(self) -> None:
        self._in_request = self._in_head = True
        self._has_offer = False
        self._head_bytes = 0
        super().on_message_begin()
        self.scope[RECEIVED] = self.loop.time()  # type: ignore[typeddict-unknown-key] # beside those of ASGI

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a chunked body must not pass for the head, where a proxy says who is asking.
        if self._in_head:
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._has_offer = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._has_offer:
            return
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
        if not self._has_offer:
            self._in_request = False
            super().on_message_complete()

    @override
    def shutdown(self) -> None:
        """Answer what is under way or about to arrive, and say with it that the connection ends."""
        if self._leaving or self._is_answering():
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

    def _parse(self, data: bytes) -> bytes:
        """Parse, and return what is to be parsed next: a request with an offer again, without it."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            if self._has_offer:
                head = self._write_head()
                self.parser = HttpRequestParser(self)
                # As uvicorn has it: a request may follow one that asks to close.
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                return head + data[offer.args[0] :]
        return b""

    def _write_head(self) -> bytes:
        """Write the head that was just read as it came, but for the offer."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (self.parser.get_method(), self.url, version, b"".join(lines))

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES:
            self._end(_TOO_LARGE)

    def _stop_receiving(self) -> None:
        self._receiving = None
        self._end(_TOO_SLOW)

    def _end(self, answer: bytes) -> None:
        """Say why when nothing else is being said on this connection, and close it."""
        if self._is_answering():
            self.transport.abort()
            return
        self._rest_keep_alive()
        self.transport.write(answer)
        self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr] # None at first

    def _rest_keep_alive(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _rest_receiving(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _rest_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
