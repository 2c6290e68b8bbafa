"""The connection pool to one organisation."""

import ssl
import time
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from app.dataverse.client import DataverseClient, Tokens
from app.dataverse.lanes import Lanes
from app.settings import DataverseSettings, SettingsError

__all__ = ["Guard", "connect"]

Guard = Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]
"""Puts something between the client and the network."""

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds; generous, because whoever waits brings a deadline."""
_KEEP_IDLE: Final = 55.0
"""Seconds an idle connection is kept, so that calls a minute apart need no new handshake."""


def connect(
    settings: DataverseSettings,
    *,
    tokens: Tokens,
    guard: Guard | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    verify: ssl.SSLContext | bool = True,
) -> DataverseClient:
    """Open a client for the organisation of these settings; close it with `aclose`.

    Every request passes the `guard`, if any. `transport` replaces the network, e.g. by an embedded organisation;
    `verify` brings certificates of one's own. Raises SettingsError when there is no URL.
    """
    if settings.url is None:
        raise SettingsError("SMARTROUTING_DATAVERSE__URL is not set")
    proxy = _find_proxy(settings.url)
    network = transport or _open_network(proxy, verify=verify)
    http = httpx.AsyncClient(
        timeout=_TIMEOUT, cookies=_refuse_cookies(), transport=network if guard is None else guard(network)
    )
    return DataverseClient(
        http=http,
        tokens=tokens,
        url=settings.url,
        max_connections=settings.max_connections,
        # Towards a proxy the extension would replace the name of the host that the proxy is to connect to.
        raw_targets=transport is None and proxy is None,
    )


def _open_network(proxy: str | None, *, verify: ssl.SSLContext | bool) -> Lanes:
    # Given a transport, the client of httpx leaves limits, certificates and proxies to it.
    certificates = httpx.create_ssl_context(verify=verify)
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEEP_IDLE)

    def make_lane() -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=certificates, limits=limits, proxy=proxy)

    return Lanes(make=make_lane, keep_seconds=_KEEP_IDLE, monotonic=time.monotonic)


def _find_proxy(url: str) -> str | None:
    """Read which proxy the environment names for this URL, as `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` do."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _refuse_cookies() -> CookieJar:
    """Build a jar that stays empty.

    The affinity cookie would pin every request to one web server, and limits count per server (Dataverse contract,
    section 4.1).
    """
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
