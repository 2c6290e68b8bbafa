"""Connects to the customer's Dataverse."""

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx

from app.assembly.outside import Outside
from app.dataverse.caller_look_up import CallerLookUp
from app.dataverse.client import DataverseClient
from app.dataverse.connection import connect
from app.dataverse.credentials import build_fetch
from app.dataverse.queries import plan_search
from app.dataverse.tokens import TokenSource
from app.directory.budget import RequestBudget
from app.directory.gate import RequestGate
from app.settings import Settings

__all__ = ["Organisation", "connect_organisation"]

_WINDOW_SECONDS = 300
"""The window in which Dataverse counts requests (Dataverse contract, section 5)."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """The way to the customer's Dataverse."""

    client: DataverseClient
    tokens: TokenSource
    callers: CallerLookUp


def connect_organisation(settings: Settings, outside: Outside, stack: AsyncExitStack) -> Organisation:
    """Make the client of the organisation; nothing is sent yet."""
    tokens = TokenSource(fetch=build_fetch(settings.dataverse, clock=outside.clock), clock=outside.clock)
    budget = RequestBudget(
        requests=settings.dataverse.requests_per_5_minutes, seconds=_WINDOW_SECONDS, monotonic=time.monotonic
    )

    def guard(network: httpx.AsyncBaseTransport) -> RequestGate:
        return RequestGate(transport=network, budget=budget, monotonic=time.monotonic)

    client = connect(settings.dataverse, tokens=tokens, transport=outside.dataverse, guard=guard)
    stack.push_async_callback(client.aclose)
    callers = CallerLookUp(
        client=client,
        plan=plan_search(settings.dataverse, settings.vip),
        region=settings.phone.default_region,
        patterns=settings.phone.patterns,
        clock=outside.clock,
    )
    return Organisation(client, tokens, callers)
