"""Sends one request to the Enreach API and brings back the JSON of the answer, or an `EnreachError`."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import stamina

from app.enreach.errors import EnreachError, Exchange
from app.enreach.translation import refuse_failure, translate_failures

__all__ = ["STANDARD_LIMITS", "Answer", "Limits", "Request", "send_once", "send_repeatedly"]

# Enreach contract, section 4.1: its own clients send all three.
_HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "X-Json-Serializer": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often one answer is tried for."""

    request_seconds: float = 20.0
    """For one request, from the first byte sent to the last byte read."""
    attempts: int = 3
    """Requests in all, the first one included."""
    total_seconds: float = 45.0
    """No further attempt is begun after this."""
    longest_wait_seconds: float = 10.0
    """A longer `Retry-After` is not waited for: the error is raised and carries it."""


STANDARD_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, complete but for its sending."""

    method: str
    url: str = field(repr=False)
    template: str
    """The path with placeholders; the only form of it that messages and logs may show."""
    params: Mapping[str, str] | None = field(default=None, repr=False)
    body: Mapping[str, str] | None = field(default=None, repr=False)
    auth: httpx.BasicAuth | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The JSON of a 2xx answer, and the facts of the exchange for whoever finds it unreadable."""

    payload: object
    exchange: Exchange


async def send_once(http: httpx.AsyncClient, request: Request, limits: Limits) -> Answer:
    """Send the request exactly once; raises `EnreachError`."""
    exchange = Exchange(method=request.method, template=request.template)
    with translate_failures(exchange):
        async with asyncio.timeout(limits.request_seconds):
            response = await http.request(
                request.method,
                request.url,
                params=request.params,
                json=request.body,
                headers=_HEADERS,
                auth=request.auth,
                follow_redirects=False,
            )
    answered = refuse_failure(response, exchange)
    with translate_failures(answered):
        return Answer(payload=response.json(), exchange=answered)


async def send_repeatedly(http: httpx.AsyncClient, request: Request, limits: Limits) -> Answer:
    """Send an idempotent request, again after transient failures; raises the last `EnreachError`.

    A `Retry-After` is obeyed up to `limits.longest_wait_seconds`; without one the pauses grow from 0.5 to 5 seconds.
    """

    def choose_pause(error: Exception) -> float | bool:
        if not isinstance(error, EnreachError) or not error.transient:
            return False
        wait = error.retry_after
        return True if wait is None else wait <= limits.longest_wait_seconds and max(wait, 0.1)

    attempts = stamina.retry_context(
        on=choose_pause, attempts=limits.attempts, timeout=limits.total_seconds, wait_initial=0.5
    )
    async for attempt in attempts:
        with attempt:
            return await send_once(http, request, limits)
    raise AssertionError("stamina either returns an attempt's result or raises its error")  # pragma: no cover
