"""The one place where failures of the wire become errors of `app.enreach.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

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

__all__ = ["refuse_failure", "translate_failures"]

_Translation = tuple[tuple[type[Exception], ...], type[EnreachError], str]

# The first row that fits wins, so the narrow kinds of httpx stand before TransportError. ValueError and RecursionError
# are how JSON says that it is none.
_TRANSLATIONS: tuple[_Translation, ...] = (
    ((httpx.InvalidURL, httpx.UnsupportedProtocol), EnreachNotConfiguredError, "the configured URL is not usable"),
    ((httpx.TimeoutException, TimeoutError), EnreachTimeoutError, "no complete answer in time"),
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


@contextmanager
def translate_failures(exchange: Exchange) -> Iterator[None]:
    """Turn everything httpx and JSON may raise inside the block into an `EnreachError`, keeping the cause."""
    try:
        yield
    except _TRANSLATED as exc:
        error, reason = next((error, reason) for kinds, error, reason in _TRANSLATIONS if isinstance(exc, kinds))
        message = f"{exchange.method} {exchange.template}: {reason} ({type(exc).__name__})"
        raise error(message, exchange=exchange) from exc


def refuse_failure(response: httpx.Response, exchange: Exchange) -> Exchange:
    """Return the exchange with the answer's facts; raise for every status but 2xx (Enreach contract, section 4.1)."""
    answered = replace(
        exchange,
        status=response.status_code,
        retry_after=read_retry_after(response.headers),
    )
    if not response.is_success:
        message = f"{exchange.method} {exchange.template}: answered {response.status_code}"
        raise _choose_refusal(response)(message, exchange=answered)
    return answered


def _choose_refusal(response: httpx.Response) -> type[EnreachError]:
    if known := _REFUSALS.get(response.status_code):
        return known
    if response.is_server_error:
        return EnreachServerFailedError
    return EnreachRefusedError if response.is_client_error else EnreachUnreadableError
