"""The one place where foreign errors and answers become DataverseError."""

import re
from collections.abc import Mapping
from typing import Final

import aiohttp
import httpx
import orjson

from app.connection_failures import explain_no_connection
from app.dataverse.errors import (
    AccessDeniedError,
    BadQueryError,
    DataverseError,
    Facts,
    PreconditionError,
    RecordConflictError,
    RecordNotFoundError,
    ServerFailedError,
    ThrottledError,
    TimedOutError,
    TokenRejectedError,
    UnreachableError,
    UnreadableAnswerError,
    UnsendableError,
)
from app.retry_after import read_retry_after

__all__ = ["FOREIGN", "QUERY_THROTTLING", "excerpt", "read_failure", "translate"]

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOT_A_MEMBER: Final = "0x80072560"
_SERVICE_PROTECTION: Final = frozenset({"0x80072321", "0x80072322", "0x80072326"})
"""Too many requests of one user, whatever they ask (Dataverse contract, section 5)."""
QUERY_THROTTLING: Final = frozenset(
    {"0x80048573", "0x80048574", "0x80048544", "0x80048644", "0x80048744", "0x80048745"}
)
"""A question of one kind is too expensive for now (section 4.3)."""

_NO_CONNECTION: Final = "no connection to Dataverse"
_PROXY: Final = "the proxy on the way to Dataverse refused: check the proxy settings"
_BY_ERROR: Final[tuple[tuple[type[Exception], type[DataverseError], str], ...]] = (
    (httpx.ConnectTimeout, TimedOutError, "Dataverse did not accept a connection in time"),
    (httpx.PoolTimeout, TimedOutError, "no connection to Dataverse became free in time"),
    (httpx.TimeoutException, TimedOutError, "Dataverse did not answer in time"),
    (httpx.ConnectError, UnreachableError, _NO_CONNECTION),
    (httpx.ProxyError, UnreachableError, _PROXY),
    (httpx.UnsupportedProtocol, UnsendableError, "the Dataverse URL must start with https://"),
    (httpx.LocalProtocolError, UnsendableError, "the URL or the token holds a character that cannot be sent"),
    (httpx.InvalidURL, UnsendableError, "the Dataverse URL is malformed"),
    (httpx.DecodingError, UnreadableAnswerError, "Dataverse answered in a broken encoding"),
    (httpx.TooManyRedirects, UnreadableAnswerError, "the Dataverse URL redirects in circles"),
    (httpx.TransportError, UnreachableError, "the connection to Dataverse broke"),
    (httpx.StreamError, UnreadableAnswerError, "the answer of Dataverse could not be read"),
    (httpx.HTTPError, UnreadableAnswerError, "the exchange with Dataverse failed"),
    (httpx.CookieConflict, UnreadableAnswerError, "Dataverse sent cookies that contradict each other"),
    (aiohttp.ConnectionTimeoutError, TimedOutError, "Dataverse did not accept a connection in time"),
    (aiohttp.ServerTimeoutError, TimedOutError, "Dataverse did not answer in time"),
    (aiohttp.ClientProxyConnectionError, UnreachableError, _PROXY),
    (aiohttp.ClientHttpProxyError, UnreachableError, _PROXY),
    (aiohttp.ClientConnectorError, UnreachableError, _NO_CONNECTION),
    (aiohttp.NonHttpUrlClientError, UnsendableError, "the Dataverse URL must start with https://"),
    (aiohttp.InvalidURL, UnsendableError, "the Dataverse URL is malformed"),
    (aiohttp.ClientResponseError, UnreachableError, "what answered in the place of Dataverse does not speak HTTP"),
    (aiohttp.ClientError, UnreachableError, "the connection to Dataverse broke"),
    (ValueError, UnsendableError, "the URL or the token holds a character that cannot be sent"),
    (TimeoutError, TimedOutError, "Dataverse did not answer in time"),
    (OSError, UnreachableError, "the connection to Dataverse broke"),
)
"""The first that fits counts, so the special stand before the general.

The last three are no errors of httpx or aiohttp, which let them through: a character that a head or a host cannot hold,
and TLS or the system failing in the middle of an answer.
"""
FOREIGN: Final = tuple(foreign for foreign, _, _ in _BY_ERROR)
"""What wires raise."""

_BY_STATUS: Final[Mapping[int, tuple[type[DataverseError], str]]] = {
    400: (BadQueryError, "Dataverse refused the request"),
    401: (TokenRejectedError, "Dataverse rejected the token"),
    403: (AccessDeniedError, "Dataverse denied access: give the application user a role with this privilege"),
    404: (RecordNotFoundError, "Dataverse knows no such row or table"),
    405: (BadQueryError, "Dataverse does not allow this method here"),
    408: (TimedOutError, "Dataverse gave up waiting for the request"),
    409: (RecordConflictError, "Dataverse reports a conflict"),
    412: (PreconditionError, "the row changed since it was read, or exists already"),
    413: (BadQueryError, "the request is too large for Dataverse"),
    429: (ThrottledError, "Dataverse asks to slow down"),
    501: (BadQueryError, "Dataverse does not support this operation"),
}

_MAX_EXCERPT: Final = 200
_QUOTED: Final = re.compile(r"'[^']*'?|\"[^\"]*\"?|[\u2018\u201c][^\u2019\u201d]*[\u2019\u201d]?|`[^`]*`?")
_ADDRESS: Final = re.compile(r"\S*@\S+|\w+://\S+")
_CODE: Final = re.compile(r"\b0x[0-9a-fA-F]{8}\b")
_DIGITS: Final = re.compile(r"\+?[0-9a-fA-F-]*\d[\d\s().-]*\d[0-9a-fA-F-]*|\d")
_UNKNOWN_PROPERTY: Final = re.compile(
    r"property named '(?P<column>[A-Za-z_][A-Za-z0-9_]{0,99})' on type '(?:[\w.]*\.)?(?P<table>[a-z][a-z0-9_]*)'"
)
_UNKNOWN_ATTRIBUTE: Final = re.compile(
    r"'(?P<table>[a-z][a-z0-9_]*)' entity doesn't contain attribute with Name = '(?P<column>[a-z_][a-z0-9_]*)'"
)


def translate(error: Exception) -> DataverseError:
    """Return the error of ours that fits one of httpx, aiohttp or the connection under them; one of FOREIGN."""
    kind, detail = next((kind, detail) for foreign, kind, detail in _BY_ERROR if isinstance(error, foreign))
    return kind(f"{detail}: {explain_no_connection(error)}" if detail is _NO_CONNECTION else detail)


def read_failure(status: int, headers: Mapping[str, str], body: bytes) -> DataverseError:
    """Build the error that an answer which is no success stands for (Dataverse contract, section 1.7)."""
    code, message = _read_body(body)
    table, column = _find_column(message)
    facts = Facts(
        http_status=status,
        dataverse_code=code,
        request_id=_read_request_id(headers),
        retry_after=read_retry_after(headers),
        excerpt=excerpt(message),
        table=table,
        column=column,
    )
    kind, detail = _choose(status, code)
    return kind(_say(detail, facts), facts=facts)


def _choose(status: int, code: str | None) -> tuple[type[DataverseError], str]:
    if code in _SERVICE_PROTECTION | QUERY_THROTTLING:
        return _BY_STATUS[429]
    if code == _NOT_A_MEMBER:
        return AccessDeniedError, "the token is good, but its app registration is no application user here: add one"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:  # noqa: PLR2004 - RFC 9110
        return ServerFailedError, "Dataverse failed"
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110
        return UnreadableAnswerError, "the URL redirects elsewhere: it must be the organisation URL itself"
    return BadQueryError if status > 400 else UnreadableAnswerError, "Dataverse answered unexpectedly"  # noqa: PLR2004


def _say(detail: str, facts: Facts) -> str:
    column = f"; {facts.table} has no column {facts.column}" if facts.column else ""
    code = f", {facts.dataverse_code}" if facts.dataverse_code else ""
    return f"{detail}{column} (HTTP {facts.http_status}{code})"


def _read_body(body: bytes) -> tuple[str | None, object]:
    """Return code and message of an error body, as far as it has any; a gateway's HTML has none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    error = document.get("error") if isinstance(document, dict) else None
    return (_read_code(error.get("code")), error.get("message")) if isinstance(error, dict) else (None, None)


def _read_code(code: object) -> str | None:
    """Return the code in hexadecimal, however it was written; empty and zero codes say nothing."""
    text = str(code).strip() if isinstance(code, str | int) else ""
    try:
        number = int(text, 0) & 0xFFFFFFFF
    except ValueError:
        return None
    return f"0x{number:08x}" if number else None


def _read_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of the request; anything but a GUID may be personal, and logs show it as it is."""
    found = _GUID.fullmatch(headers.get("x-ms-service-request-id", ""))
    return found[0] if found else None


def excerpt(message: object) -> str:
    """Shorten a server's message to 200 characters without quoted values, runs of digits, GUIDs and addresses.

    Dataverse quotes what was sent or stored, and that may be a name or a number; column names go with it, which is
    why `_find_column` reads them first. Anything but text gives an empty excerpt.
    """
    if not isinstance(message, str):
        return ""
    plain = message[: 5 * _MAX_EXCERPT]
    for pattern in (_QUOTED, _ADDRESS, _CODE, _DIGITS):
        plain = pattern.sub("…", plain)
    plain = " ".join(plain.split())
    return plain if len(plain) <= _MAX_EXCERPT else plain[: _MAX_EXCERPT - 1] + "…"


def _find_column(message: object) -> tuple[str | None, str | None]:
    """Return table and column of "could not find a property named …", or two times `None`."""
    if not isinstance(message, str):
        return None, None
    found = _UNKNOWN_PROPERTY.search(message) or _UNKNOWN_ATTRIBUTE.search(message)
    return (found["table"], found["column"]) if found else (None, None)
