"""Sends one request to the Enreach API and brings back the JSON of the answer, or an `EnreachError`.

The one place where failures of the wire become errors of `app.enreach.errors`.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import httpx
import stamina

from app.connection_failures import explain_no_connection
from app.enreach.errors import (
    EnreachError,
    EnreachNotConfiguredError,
    EnreachNotFoundError,
    EnreachRateLimitedError,
    EnreachRefusedError,
    EnreachServerFailedError,
    EnreachTimeoutError,
    EnreachUnauthorizedError,
    EnreachUnreachableError,
    EnreachUnreadableError,
    Exchange,
)
from app.retry_after import read_retry_after

__all__ = ["STANDARD_LIMITS", "Answer", "Limits", "Request", "send_repeatedly", "translate_failures"]

# Enreach contract, section 4.1: its own clients send all three.
_HEADERS = {"Accept": "application/json", "Content-Type": "application/json", "X-Json-Serializer": "2"}


_NO_CONNECTION = "no connection"
_Translation = tuple[tuple[type[Exception], ...], type[EnreachError], str]

# The first row that fits wins, so the narrow kinds of httpx stand before TransportError. ValueError and RecursionError
# are how JSON says that it is none.
_TRANSLATIONS: tuple[_Translation, ...] = (
    ((httpx.InvalidURL, httpx.UnsupportedProtocol), EnreachNotConfiguredError, "the configured URL is not usable"),
    ((httpx.TimeoutException, TimeoutError), EnreachTimeoutError, "no complete answer in time"),
    ((httpx.ConnectError,), EnreachUnreachableError, _NO_CONNECTION),
    ((httpx.TransportError,), EnreachUnreachableError, "the connection failed"),
    (
        (httpx.HTTPError, httpx.StreamError, httpx.CookieConflict, ValueError, RecursionError),
        EnreachUnreadableError,
        "the answer cannot be read",
    ),
)
_TRANSLATED = tuple(kind for kinds, _, _ in _TRANSLATIONS for kind in kinds)

_REFUSALS: dict[int, type[EnreachError]] = {
    401: EnreachUnauthorizedError,
    403: EnreachUnauthorizedError,
    404: EnreachNotFoundError,
    429: EnreachRateLimitedError,
}


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
    """A GET, complete but for its sending."""

    url: str = field(repr=False)
    path: str
    """With placeholders, for messages and logs."""
    params: Mapping[str, str] | None = field(default=None, repr=False)
    auth: httpx.BasicAuth = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The JSON of a 2xx answer, and the facts of the exchange for whoever finds it unreadable."""

    payload: object
    exchange: Exchange


async def send_repeatedly(http: httpx.AsyncClient, request: Request, limits: Limits) -> Answer:
    """Send the request, again after transient failures; raises the last `EnreachError`.

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
            return await _send_once(http, request, limits)
    raise AssertionError("stamina either returns an attempt's result or raises its error")  # pragma: no cover


@contextmanager
def translate_failures(exchange: Exchange) -> Iterator[None]:
    """Turn everything httpx and JSON may raise inside the block into an `EnreachError`, keeping the cause."""
    try:
        yield
    except _TRANSLATED as exc:
        error, reason = next((error, reason) for kinds, error, reason in _TRANSLATIONS if isinstance(exc, kinds))
        why = explain_no_connection(exc) if reason is _NO_CONNECTION else type(exc).__name__
        message = f"GET {exchange.path}: {reason} ({why})"
        raise error(message, exchange=exchange) from exc


async def _send_once(http: httpx.AsyncClient, request: Request, limits: Limits) -> Answer:
    exchange = Exchange(path=request.path)
    with translate_failures(exchange):
        async with asyncio.timeout(limits.request_seconds):
            response = await http.get(
                request.url, params=request.params, headers=_HEADERS, auth=request.auth, follow_redirects=False
            )
    answered = _refuse_failure(response, exchange)
    with translate_failures(answered):
        return Answer(payload=response.json(), exchange=answered)


def _refuse_failure(response: httpx.Response, exchange: Exchange) -> Exchange:
    """Return the exchange with the answer's facts; raise for every status but 2xx (Enreach contract, section 4.1)."""
    answered = replace(
        exchange,
        status=response.status_code,
        retry_after=read_retry_after(response.headers),
    )
    if not response.is_success:
        message = f"GET {exchange.path}: answered {response.status_code}"
        raise _choose_refusal(response)(message, exchange=answered)
    return answered


def _choose_refusal(response: httpx.Response) -> type[EnreachError]:
    if known := _REFUSALS.get(response.status_code):
        return known
    if response.is_server_error:
        return EnreachServerFailedError
    return EnreachRefusedError if response.is_client_error else EnreachUnreadableError
