"""The way to the network: aiohttp in the place that httpx leaves for a transport.

A look-up sends two requests while somebody listens to silence. aiohttp carries a request for a fifth of the processor
time that the transport of httpx takes, and its pool does not slow down with its size (decision record 0010).
"""

import ssl
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import httpx
from typing_extensions import override
from yarl import URL

__all__ = ["Network"]

_CONNECT_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 30.0
"""Generous, because whoever waits brings a deadline."""
_KEEP_IDLE: Final = 55.0
"""Seconds an idle connection is kept, so that calls a minute apart need no new handshake."""
_PIECE_BYTES: Final = 8192
"""So much is unpacked at once: it may unfold a thousandfold before its reader can count."""
_OURS: Final = frozenset({"Accept-Encoding", "User-Agent", "Accept"})
"""Headers that aiohttp would add; what is to be sent, the request says."""


class Network(httpx.AsyncBaseTransport):
    """Sends requests over connections that are kept and shared; how many at once, whoever uses it limits.

    A connection carries another request only after a whole answer. Nothing is sent a second time, no cookie is kept,
    and errors are those of aiohttp.
    """

    def __init__(self, *, certificates: ssl.SSLContext, proxy: str | None) -> None:
        """Nothing is opened before the first request, which must be made in the event loop of all others."""
        self._certificates = certificates
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; `extensions["target"]` replaces path and query of its URL, byte for byte."""
        target: bytes | None = request.extensions.get("target")
        url = str(request.url) if target is None else str(request.url).rstrip("/") + target.decode()
        answer = await self._open_session().request(
            request.method,
            URL(url, encoded=True),
            headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
            data=request.content or None,
            allow_redirects=False,
            proxy=self._proxy,
        )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=Body(answer))

    @override
    async def aclose(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._certificates, keepalive_timeout=_KEEP_IDLE),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS),
                skip_auto_headers=_OURS,
                auto_decompress=False,
            )
            # It would send a request again when a kept connection breaks, past the gate that obeys Retry-After.
            self._session._retry_connection = False  # noqa: SLF001 - there is no other way
        return self._session


class Body(httpx.AsyncByteStream):
    """The body of an answer; closed before its end, it takes its connection with it."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.content.iter_any():
            for start in range(0, len(part), _PIECE_BYTES):
                yield part[start : start + _PIECE_BYTES]

    @override
    async def aclose(self) -> None:
        self._answer.close()
