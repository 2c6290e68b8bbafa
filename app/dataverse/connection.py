"""Connections to one organisation: aiohttp, kept to what a question to Dataverse needs.

A look-up sends two requests while somebody listens to silence. aiohttp carries a request for a fifth of the processor
time that httpx takes, and its pool does not slow down with its size (decision record 0010).
"""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterable, Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http_exceptions import ContentEncodingError
from aiohttp.tracing import Trace
from typing_extensions import override
from yarl import URL

from app.dataverse.client import DataverseClient, RequestBudget, Tokens
from app.dataverse.errors import UnreadableAnswerError
from app.dataverse.translation import FOREIGN
from app.dataverse.wire import Request, Response, Wire
from app.settings import DataverseSettings, SettingsError

__all__ = ["Network", "Substitute", "connect"]

_WINDOW_SECONDS: Final = 300
"""The window in which Dataverse counts requests (Dataverse contract, section 5)."""
_CONNECT_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 30.0
"""Generous, because whoever waits brings a deadline."""
_BODY_SECONDS: Final = 120.0
"""For work without a deadline: aiohttp waits for ever once the framing of a body is broken."""
_KEEP_IDLE: Final = 55.0
"""Seconds an idle connection is kept, so that calls a minute apart need no new handshake."""
_MAX_HEADER: Final = 64 * 1024
_OURS: Final = frozenset({"Accept-Encoding", "User-Agent", "Accept"})
"""Headers that aiohttp would add; what is to be sent, the request says."""
_LARGEST_ANSWER: Final = 5 * 1024 * 1024
_FIRST_FAILURE: Final = 400
_FAILURE_SECONDS: Final = 0.5
"""For what a failure says; it comes with its status."""
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+/[!-~]*")
"""A URL that needs no mending: printable ASCII without blanks."""


def connect(
    settings: DataverseSettings,
    *,
    tokens: Tokens,
    transport: httpx.AsyncBaseTransport | None = None,
    verify: ssl.SSLContext | bool = True,
    monotonic: Callable[[], float] = time.monotonic,
) -> DataverseClient:
    """Make a client for the organisation of these settings; close it with `aclose`.

    `transport` replaces the network, e.g. by an embedded organisation; `verify` brings certificates of one's own.
    Raises SettingsError when there is no URL, or a proxy of another kind.
    """
    if settings.url is None:
        raise SettingsError("SMARTROUTING_DATAVERSE__URL is not set")
    wire: Wire
    if transport is None:
        wire = Network(certificates=httpx.create_ssl_context(verify=verify), proxy=_find_proxy(settings.url))
    else:
        wire = Substitute(transport)
    return DataverseClient(
        wire=wire,
        tokens=tokens,
        url=settings.url,
        max_connections=settings.max_connections,
        budget=RequestBudget(requests=settings.requests_per_5_minutes, seconds=_WINDOW_SECONDS, monotonic=monotonic),
    )


class Network:
    """Sends requests over connections that are kept and shared; how many at once, whoever uses it limits.

    A connection carries another request only after a whole answer. Nothing is sent a second time, no cookie is kept,
    no redirect followed, and errors are those of aiohttp.
    """

    def __init__(self, *, certificates: ssl.SSLContext, proxy: str | None, body_seconds: float = _BODY_SECONDS) -> None:
        """Nothing is opened before the first request, which must be made in the event loop of all others.

        A body that is not whole after `body_seconds` is given up.
        """
        self._certificates = certificates
        self._body_seconds = body_seconds
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Exchange one request; raises UnreadableAnswerError for an encoding that is broken or was not asked for."""
        try:
            return await self._exchange(request)
        except aiohttp.ClientError as error:
            if _comes_from_encoding(error):
                raise UnreadableAnswerError("Dataverse answered in a broken encoding") from error
            raise

    async def aclose(self) -> None:
        """Close every connection; whoever waits gets an error."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _exchange(self, request: Request) -> Response:
        answer = await self._open_session().request(
            request.method,
            _read_url(request.url),
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            proxy=self._proxy,
        )
        try:
            return Response(answer.status, answer.headers, await self._read(answer))
        finally:
            answer.close()

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        parts = answer.content.iter_any()
        if answer.content.is_eof():  # all of it came with the head, as nearly always: no clock is needed
            return await _read_body(answer.status, parts)
        async with asyncio.timeout(self._body_seconds):
            return await _read_body(answer.status, parts)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(limit=0, ssl=self._certificates, keepalive_timeout=_KEEP_IDLE),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS),
                skip_auto_headers=_OURS,
                max_field_size=_MAX_HEADER,
            )
            # It would send a request again when a kept connection breaks, past the budget that obeys Retry-After.
            self._session._retry_connection = False  # noqa: SLF001 - there is no other way
        return self._session


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
            body = await _read_body(response.status_code, response.aiter_bytes())
            return Response(response.status_code, response.headers, body)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


class _Connector(aiohttp.TCPConnector):
    """Drops a kept connection on which something came that nobody asked for: it would pass for the next answer."""

    @override
    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                break
            connection.close()
        return connection


async def _read_body(status: int, parts: AsyncIterable[bytes]) -> bytes:
    """Put a body together; that of a failure only when it comes soon and whole, for its status must not be lost.

    Raises UnreadableAnswerError when the body of a success becomes larger than 5 MB, and what `parts` raises.
    """
    if status < _FIRST_FAILURE:
        return await _read_all(parts)
    with suppress(*FOREIGN, UnreadableAnswerError):
        async with asyncio.timeout(_FAILURE_SECONDS):
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


def _comes_from_encoding(error: BaseException | None) -> bool:
    return error is not None and (isinstance(error, ContentEncodingError) or _comes_from_encoding(error.__cause__))


def _read_url(url: str) -> URL:
    """Take a URL as it is, byte for byte; one that cannot be sent so is mended as browsers do."""
    return URL(url if _PLAIN.fullmatch(url) else str(httpx.URL(url)), encoded=True)


def _find_proxy(url: str) -> str | None:
    """Read which proxy the environment names for this URL, as `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` do.

    Raises SettingsError for SOCKS, to which aiohttp would speak HTTP, and for one that is no URL.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not proxy.lower().startswith(("http://", "https://")):
        raise SettingsError("the proxy that the environment names for Dataverse must be http:// or https://, not SOCKS")
    if not _has_host(proxy):
        raise SettingsError("the proxy that the environment names for Dataverse is not a URL")
    return proxy


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
