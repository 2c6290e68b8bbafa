"""What lies outside this process, and the connections to it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx

from app.dataverse.client import DataverseClient
from app.dataverse.connection import connect
from app.dataverse.credentials import build_fetch
from app.dataverse.errors import DataverseError
from app.dataverse.tokens import TokenSource
from app.enreach.client import EnreachClient
from app.graph import GraphClient, GraphError
from app.settings import EnreachSettings, Settings

__all__ = ["Organisation", "Upstreams", "connect_enreach", "connect_graph", "connect_organisation", "open_http"]

_CONNECTIONS = 4
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_ADMINISTRATORS_SHARE = 0.8
"""Of the request budget; the rest only calls may touch."""
_MIRROR_SHARE = 0.7
"""Less than administrators have, so that a first load keeps none of them waiting."""
_SEARCH_SHARE = 0.5
"""Of the request budget, for searches of callers whom no notation finds."""
_JOBS_SHARE = 0.6
"""From here on jobs pause: what they are at can still be finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """The world beyond this process. Tests replace the ways to it, never the parts inside."""

    dataverse: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to Dataverse."""
    enreach: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to the Enreach API."""
    issuer: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to the OpenID Connect issuer."""
    public: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to this service's own public URL."""
    authority: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to Entra ID, where a new secret is tried."""
    graph: httpx.AsyncBaseTransport | None = None
    """Instead of the network on the way to Microsoft Graph."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """The way to the customer's Dataverse."""

    client: DataverseClient
    people: DataverseClient
    """The same connections, for administrators' work, which leaves calls their part of the request budget."""
    mirror: DataverseClient
    """The same connections, for the mirror."""
    tokens: TokenSource
    search: DataverseClient
    """The same connections, for searches, which leave calls most of the request budget."""
    background: DataverseClient
    """The same connections, for jobs and other work nobody waits for."""
    foresee_pause: Callable[[], float]
    """Tells for how many seconds a job should wait, so that calls have requests left."""


def connect_organisation(settings: Settings, upstreams: Upstreams, stack: AsyncExitStack) -> Organisation:
    """Make the client of the organisation; nothing is sent yet."""
    tokens = TokenSource(fetch=build_fetch(settings.dataverse, clock=upstreams.clock), clock=upstreams.clock)
    client = connect(settings.dataverse, tokens=tokens, transport=upstreams.dataverse)
    stack.push_async_callback(client.aclose)
    background = client.leave_rest(_JOBS_SHARE)
    return Organisation(
        client=client,
        people=client.leave_rest(_ADMINISTRATORS_SHARE),
        mirror=client.leave_rest(_MIRROR_SHARE),
        tokens=tokens,
        search=client.leave_rest(_SEARCH_SHARE),
        background=background,
        foresee_pause=background.foresee_pause,
    )


def connect_enreach(settings: EnreachSettings, upstreams: Upstreams, stack: AsyncExitStack) -> EnreachClient | None:
    """Make the client of the Enreach API, or `None` when the settings name no such API; nothing is sent yet.

    Raises EnreachNotConfiguredError for an unusable URL.
    """
    if settings.url is None or settings.user is None or settings.secret is None:
        return None
    http = open_http(upstreams.enreach, stack)
    return EnreachClient(http=http, base_url=settings.url, user=settings.user, secret=settings.secret)


def connect_graph(settings: Settings, upstreams: Upstreams, stack: AsyncExitStack) -> GraphClient | None:
    """Make the client of Microsoft Graph, or `None` when the settings name none; nothing is sent yet."""
    graph, url = settings.graph, settings.graph.url
    if url is None:
        return None

    async def fetch_token() -> str:
        if graph.token is not None:
            return graph.token.get_secret_value()
        fetch = build_fetch(settings.dataverse, clock=upstreams.clock, resource=url)
        try:
            return (await asyncio.to_thread(fetch)).value
        except DataverseError as error:
            raise GraphError(error.summary, "see the readiness item dataverse-token") from error

    return GraphClient(http=open_http(upstreams.graph, stack), url=url, fetch_token=fetch_token)
