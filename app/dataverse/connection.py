"""The connection pool to one organisation."""

import ssl
from collections.abc import Callable
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from app.dataverse.client import DataverseClient, Tokens
from app.dataverse.network import Network
from app.dataverse.substitute import Substitute
from app.dataverse.wire import Wire
from app.settings import DataverseSettings, SettingsError

__all__ = ["Guard", "connect"]

Guard = Callable[[Wire], Wire]
"""Puts something between the client and the network."""


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
    `verify` brings certificates of one's own. Raises SettingsError when there is no URL, or a proxy of another kind.
    """
    if settings.url is None:
        raise SettingsError("SMARTROUTING_DATAVERSE__URL is not set")
    wire: Wire
    if transport is None:
        wire = Network(certificates=httpx.create_ssl_context(verify=verify), proxy=_find_proxy(settings.url))
    else:
        wire = Substitute(transport)
    return DataverseClient(
        wire=wire if guard is None else guard(wire),
        tokens=tokens,
        url=settings.url,
        max_connections=settings.max_connections,
    )


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
