"""What lies outside this process, and how systems are reached that no call waits for."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx

__all__ = ["Upstreams", "open_http"]

_CONNECTIONS = 4
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """The world beyond this process. Tests replace the ways to it, never the parts inside."""

    dataverse: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to Dataverse."""
    enreach: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to the Enreach API."""
    issuer: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to the OpenID Connect issuer."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch."""


def open_http(transport: httpx.AsyncBaseTransport | None, stack: AsyncExitStack) -> httpx.AsyncClient:
    """Open a way to a system that administrators' work needs: few connections, patient; `stack` closes it.

    `transport` stands for the network where it is given.
    """
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    http = httpx.AsyncClient(timeout=_TIMEOUT, limits=limits, transport=transport)
    stack.push_async_callback(http.aclose)
    return http
