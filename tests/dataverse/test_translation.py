"""Foreign errors and answers become errors of ours, with facts and without anything personal."""

import inspect
import ssl
from collections.abc import Iterator

import aiohttp
import httpx
import pytest

from app.dataverse import errors
from app.dataverse.errors import DataverseError, Facts
from app.dataverse.translation import excerpt, read_failure
from app.routing.callers import Cause
from tests.dataverse.wire import Wire


def list_foreign() -> Iterator[type[Exception]]:
    """Every exception httpx exports."""
    for _, value in inspect.getmembers(httpx, inspect.isclass):
        if issubclass(value, Exception):
            yield value


def build(foreign: type[Exception]) -> Exception:
    request = httpx.Request("GET", "https://contoso.crm4.dynamics.com")
    if foreign is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("x", request=request, response=httpx.Response(500, request=request))
    parameters = list(inspect.signature(foreign).parameters.values())
    return foreign(*["x" for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD])


async def ask_in_vain(error: Exception) -> None:
    """Ask an organisation on the way to which this error happens."""

    def fail_always(_: httpx.Request) -> httpx.Response:
        raise error

    async with Wire(fail_always).open() as client:
        await client.ping()


@pytest.mark.parametrize("foreign", list(list_foreign()))
async def test_every_error_of_httpx_is_translated(foreign: type[Exception]) -> None:
    """No exception of httpx leaves the adapter, and each stays attached as the reason."""
    original = build(foreign)

    with pytest.raises(DataverseError) as caught:
        await ask_in_vain(original)

    assert caught.value.__cause__ is original
    assert type(caught.value) is not DataverseError
    expected = Cause.TIMEOUT if issubclass(foreign, httpx.TimeoutException) else Cause.ERROR
    assert caught.value.cause is expected


NEVER_OF_A_REQUEST = {
    *("BadContentDispositionHeader", "BadContentDispositionParam", "EofStream"),
    *("WSMessageTypeError", "WebSocketError"),
}
"""Of multipart bodies and web sockets, which nobody reads here, and of the inside of streams."""
SPECIAL: dict[type[Exception], type[DataverseError]] = {
    aiohttp.ConnectionTimeoutError: errors.TimedOutError,
    aiohttp.ServerTimeoutError: errors.TimedOutError,
    aiohttp.SocketTimeoutError: errors.TimedOutError,
    aiohttp.InvalidURL: errors.UnsendableError,
    aiohttp.InvalidUrlClientError: errors.UnsendableError,
    aiohttp.InvalidUrlRedirectClientError: errors.UnsendableError,
    aiohttp.NonHttpUrlClientError: errors.UnsendableError,
    aiohttp.NonHttpUrlRedirectClientError: errors.UnsendableError,
}


def list_foreign_of_aiohttp() -> Iterator[type[Exception]]:
    """Every exception aiohttp exports that a request could end with."""
    for name in aiohttp.__all__:
        value = getattr(aiohttp, name)
        if inspect.isclass(value) and issubclass(value, Exception) and name not in NEVER_OF_A_REQUEST:
            yield value


@pytest.mark.parametrize("foreign", list(list_foreign_of_aiohttp()))
async def test_every_error_of_aiohttp_is_translated(foreign: type[Exception]) -> None:
    """No exception of aiohttp leaves the adapter; what is no time-out and no mistyped URL is a lost connection."""
    original = foreign.__new__(foreign)

    with pytest.raises(DataverseError) as caught:
        await ask_in_vain(original)

    assert caught.value.__cause__ is original
    assert type(caught.value) is SPECIAL.get(foreign, errors.UnreachableError)


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        (ssl.SSLError("record layer failure"), errors.UnreachableError),
        (ConnectionResetError(), errors.UnreachableError),
        (TimeoutError("ETIMEDOUT"), errors.TimedOutError),
        (UnicodeEncodeError("ascii", "ö", 0, 1, "x"), errors.UnsendableError),
    ],
    ids=repr,
)
async def test_what_httpx_lets_through_is_translated(foreign: Exception, expected: type[DataverseError]) -> None:
    """Errors of TLS, sockets and header encoding become errors of the tree too."""
    with pytest.raises(expected) as caught:
        await ask_in_vain(foreign)

    assert caught.value.__cause__ is foreign


def test_the_tree_is_drawn_completely() -> None:
    """Every class of the tree stands in the picture, has a code and a title of its own, and is exported."""
    tree = DataverseError.__subclasses__()

    others = {"BudgetSpentError", "DataverseError", "Facts", "NO_FACTS"}
    assert {kind.__name__ for kind in tree} | others == set(errors.__all__)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in tree)
    assert len({kind.code for kind in tree}) == len(tree)
    assert all("title" in vars(kind) for kind in tree)


NO_WORDS = b'{"error": {"code": "", "message": ""}}'


def fail(status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None) -> DataverseError:
    body = httpx.Response(status, json={"error": {"code": code, "message": message}}).content
    return read_failure(status, httpx.Headers(headers or {}), body)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "0x80060888", errors.BadQueryError),
        (401, "", errors.TokenRejectedError),
        (403, "0x80040220", errors.AccessDeniedError),
        (403, "0x80072560", errors.AccessDeniedError),
        (404, "0x80060888", errors.RecordNotFoundError),
        (405, "", errors.BadQueryError),
        (408, "", errors.TimedOutError),
        (409, "", errors.RecordConflictError),
        (412, "0x80060882", errors.PreconditionError),
        (413, "", errors.BadQueryError),
        (418, "", errors.BadQueryError),
        (429, "0x80072322", errors.ThrottledError),
        (400, "0x80048544", errors.ThrottledError),
        (500, "-2147187132", errors.ThrottledError),
        (500, "0x80040216", errors.ServerFailedError),
        (501, "", errors.BadQueryError),
        (502, "", errors.ServerFailedError),
        (503, "", errors.ServerFailedError),
        (504, "", errors.ServerFailedError),
        (302, "", errors.UnreadableAnswerError),
        (304, "", errors.UnreadableAnswerError),
    ],
)
def test_each_status_and_code_has_its_error(status: int, code: str, expected: type[DataverseError]) -> None:
    """Status and Dataverse code choose the class; throttling codes win over any status."""
    assert type(fail(status, code)) is expected


def test_a_failure_keeps_the_facts_of_the_operator() -> None:
    """Status, code, request id and the wait are kept for the log; the server's words are for the administrator only."""
    headers = {"x-ms-service-request-id": "5fe1a2b3-34cb-4d11-b596-0022481d68cd", "Retry-After": "17"}

    failure = fail(429, "0x80072322", "Number of requests exceeded the limit of 6000.", headers)

    assert failure.facts == Facts(
        http_status=429,
        dataverse_code="0x80072322",
        request_id="5fe1a2b3-34cb-4d11-b596-0022481d68cd",
        retry_after=17.0,
        excerpt="Number of requests exceeded the limit of ….",
    )
    assert (failure.cause, failure.transient, failure.status) == (Cause.THROTTLED, True, 503)
    assert failure.describe() == {
        "error": "dataverse-throttled",
        "http_status": 429,
        "dataverse_code": "0x80072322",
        "request_id": "5fe1a2b3-34cb-4d11-b596-0022481d68cd",
        "retry_after": 17.0,
    }
    assert str(failure) == failure.summary == "Dataverse asks to slow down (HTTP 429, 0x80072322)"
    assert failure.detail == f"{failure.summary}: Number of requests exceeded the limit of …."


@pytest.mark.parametrize("value", ["+358501234567", "358501234567", "Matti Example", "\udcff", "", "a" * 200])
def test_an_id_of_a_request_is_a_guid_or_nothing(value: str) -> None:
    """What a gateway writes in the place of the id is not taken over, for it may be personal."""
    assert fail(500, headers={}).facts == read_failure(500, {"x-ms-service-request-id": value}, NO_WORDS).facts


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "999999999999"}, 3600.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": f"Sun, 22 Nov {'9' * 20} 08:00:30 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:30 GMT", "Date": "Sun, 22 Nov 2026 08:00:00 GMT"}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:30 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], expected: float | None) -> None:
    """Both forms of RFC 9110 are read, within an hour; nonsense is nothing."""
    assert fail(429, headers=headers).facts.retry_after == expected


def test_an_unknown_column_is_named() -> None:
    """The message about a missing property names table and column, in the facts and in the words."""
    message = "Could not find a property named 'new_vip' on type 'Microsoft.Dynamics.CRM.contact'."

    failure = fail(400, "0x80060888", message)

    assert (failure.facts.table, failure.facts.column) == ("contact", "new_vip")
    assert "contact has no column new_vip" in failure.detail


def test_a_foreign_app_registration_is_told_what_to_do() -> None:
    """0x80072560 means that the token is good and the application user is missing."""
    assert "no application user here" in fail(403, "0x80072560", "The user is not a member.").detail


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Row 'Matti Meikäläinen' exists", "Row … exists"),
        ('Row "Matti" exists, unclosed "Liisa', "Row … exists, unclosed …"),
        ("It doesn't work for Matti", "It doesn…"),
        ("Contact 70bf4d48-34cb-ed11-b596-0022481d68cd is gone", "Contact … is gone"),
        ("Call +358 50 123 4567 now", "Call … now"),
        ("Write to matti@example.com or https://example.com/x", "Write to … or …"),
        ("x" * 300, "x" * 199 + "…"),
        (None, ""),
        (17, ""),
    ],
)
def test_an_excerpt_holds_nothing_personal(message: object, expected: str) -> None:
    """Quoted values, digits, ids and addresses are cut out of a server's message."""
    assert excerpt(message) == expected


def test_trace_text_stays_out() -> None:
    """Annotations of an error, which may hold data, never reach our error."""
    body = b'{"error":{"code":"0x0","message":"Oops","@Microsoft.PowerApps.CDS.TraceText":"Matti 0501234567"}}'

    failure = read_failure(500, httpx.Headers(), body)

    assert failure.detail == "Dataverse failed (HTTP 500): Oops"
    assert "Matti" not in repr(failure.facts)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad Gateway</html>", b"[]", b"\xff", b'{"error":"x"}', b'{"error":{"code":{}}}', b"[" * 5000],
)
def test_any_body_of_a_failure_is_survived(body: bytes) -> None:
    """A gateway's page, garbage or an empty body still gives the error of its status."""
    assert type(read_failure(502, httpx.Headers(), body)) is errors.ServerFailedError
