"""uvicorn's HTTP protocol for clients that offer another one, such as `curl --http2` with `Upgrade: h2c`.

A server may ignore the offer (RFC 9110, section 7.8). uvicorn does, but takes what follows the head for the other
protocol, so that the body is lost.
"""

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["StayingProtocol"]


class StayingProtocol(HttpToolsProtocol):
    """Stays with HTTP/1.1: a request with an offer is read once more, without it."""

    @override
    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._feed(data)
        except HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    @override
    def _should_upgrade(self) -> bool:
        """Tell uvicorn, which asks about offers only, whether to leave the request to us."""
        return self.scope["method"] != "CONNECT"

    def _feed(self, data: bytes) -> bytes:
        """Parse, and return what is to be parsed next."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            if self._should_upgrade():
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
