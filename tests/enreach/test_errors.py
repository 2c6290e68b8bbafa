"""Every way the wire can fail, and the error it becomes."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from app.emulators.enreach import EnreachEmulator
from app.emulators.faults import Fault, FaultKind
from app.enreach import errors
from app.enreach.client import EnreachClient
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
from app.enreach.transmission import Limits, translate_failures
from app.errors import AppError

REQUEST = httpx.Request("GET", "https://enreach.example/users")


def _build(kind: type[Exception]) -> Exception:
    """Build any of httpx's exceptions."""
    names = inspect.signature(kind).parameters
    values = {"message": "boom", "request": REQUEST, "response": httpx.Response(500, request=REQUEST)}
    return kind(**{name: values[name] for name in names if name in values})


HTTPX_ERRORS = [kind for kind in vars(httpx).values() if inspect.isclass(kind) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", HTTPX_ERRORS, ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_is_translated(kind: type[Exception]) -> None:
    """Nothing httpx can raise leaves the adapter as it is, and the cause is kept."""
    cause = _build(kind)
    exchange = Exchange(path="/users")

    with pytest.raises(EnreachError) as caught, translate_failures(exchange):
        raise cause

    assert caught.value.__cause__ is cause
    assert caught.value.exchange == exchange
    assert "enreach.example" not in caught.value.detail


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (httpx.InvalidURL, EnreachNotConfiguredError),
        (httpx.UnsupportedProtocol, EnreachNotConfiguredError),
        (httpx.ConnectTimeout, EnreachTimeoutError),
        (httpx.PoolTimeout, EnreachTimeoutError),
        (httpx.ConnectError, EnreachUnreachableError),
        (httpx.ReadError, EnreachUnreachableError),
        (httpx.RemoteProtocolError, EnreachUnreachableError),
        (httpx.ProxyError, EnreachUnreachableError),
        (httpx.DecodingError, EnreachUnreadableError),
        (httpx.TooManyRedirects, EnreachUnreadableError),
        (httpx.StreamClosed, EnreachUnreadableError),
    ],
)
def test_exceptions_become_the_error_that_fits(kind: type[Exception], error: type[EnreachError]) -> None:
    """Trouble with time, with the connection and with the answer are told apart."""
    with pytest.raises(EnreachError) as caught, translate_failures(Exchange(path="/users")):
        raise _build(kind)

    assert type(caught.value) is error


def test_errors_form_one_tree_drawn_in_the_docstring() -> None:
    """Every error is in the drawing, has a code of its own and comes from one root."""
    tree = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, EnreachError)]

    assert issubclass(EnreachError, AppError)
    assert [kind.__name__ for kind in tree if kind.__name__ not in (errors.__doc__ or "")] == []
    assert len({kind.code for kind in tree}) == len(tree)


Handler = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def _connect(wire: Handler | EnreachEmulator, limits: Limits | None = None) -> AsyncIterator[EnreachClient]:
    """Give a client over a wire that answers like this; one attempt, unless `limits` say otherwise."""
    emulated = isinstance(wire, EnreachEmulator)
    transport = httpx.ASGITransport(wire) if emulated else httpx.MockTransport(wire)
    async with httpx.AsyncClient(transport=transport) as http:
        yield EnreachClient(
            http=http,
            base_url="https://enreach.example",
            user="a@contoso.example",
            secret=SecretStr("fake-secret"),
            limits=limits or Limits(attempts=1),
        )


async def _list_users(wire: Handler | EnreachEmulator, limits: Limits | None = None) -> EnreachError:
    """Ask for users over a wire that answers like this, and return the error."""
    async with _connect(wire, limits) as client:
        with pytest.raises(EnreachError) as caught:
            await client.list_users()
    return caught.value


@pytest.mark.parametrize(
    ("status", "error", "transient"),
    [
        (301, EnreachUnreadableError, False),
        (400, EnreachRefusedError, False),
        (401, EnreachUnauthorizedError, False),
        (403, EnreachUnauthorizedError, False),
        (404, EnreachNotFoundError, False),
        (429, EnreachRateLimitedError, True),
        (500, EnreachServerFailedError, True),
        (503, EnreachServerFailedError, True),
    ],
)
async def test_statuses_become_errors_with_their_facts(
    status: int, error: type[EnreachError], *, transient: bool
) -> None:
    """An operator sees request, status, the vendor's request id and how long to wait, and nothing secret."""
    headers = {"Retry-After": "3", "Location": "https://elsewhere.example/"}
    raised = await _list_users(lambda _: httpx.Response(status, headers=headers, text="fake-secret"))

    assert (type(raised), raised.transient) == (error, transient)
    assert raised.exchange == Exchange(path="/users", status=status, retry_after=3)
    assert raised.detail == f"GET /users: answered {status}"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(b"<html>", "GET /users: the answer cannot be read (JSONDecodeError)", id="HTML"),
        pytest.param(b"", "GET /users: the answer cannot be read (JSONDecodeError)", id="empty"),
        pytest.param(b'["\xff"]', "GET /users: the answer cannot be read (UnicodeDecodeError)", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "GET /users: the answer cannot be read (RecursionError)", id="too deep"),
        pytest.param(b'{"Users": []}', "GET /users: not an array", id="not an array"),
        pytest.param(b"null", "GET /users: not an array", id="null"),
    ],
)
async def test_unreadable_answers(body: bytes, detail: str) -> None:
    """A 200 with something else in it is an error of its own."""
    raised = await _list_users(lambda _: httpx.Response(200, content=body))

    assert (type(raised), raised.detail) == (EnreachUnreadableError, detail)
    assert raised.exchange == Exchange(path="/users", status=200)


async def test_odd_user_is_unreadable_without_quoting_it() -> None:
    """The error names the field and does not carry the value along."""
    async with _connect(lambda _: httpx.Response(200, json={"UserName": "aino@contoso.example"})) as client:
        with pytest.raises(EnreachUnreadableError) as caught:
            await client.fetch_own_user()

    assert caught.value.detail == "GET /users/me: Id"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        (
            {"Retry-After": "Mon, 02 Mar 2026 12:00:30 GMT", "Date": "Mon, 02 Mar 2026 12:00:00 GMT"},
            30,
        ),
        ({"Retry-After": "Mon, 02 Mar 2026 11:00:00 GMT", "Date": "Mon, 02 Mar 2026 12:00:00 GMT"}, 0),
        ({"Retry-After": "Mon, 02 Mar 2026 11:00:00 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 400}, 3600),
        ({"Retry-After": "Sun, 22 Nov 99999999999999999999 08:00:30 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_read_as_seconds(headers: dict[str, str], seconds: float | None) -> None:
    """Both forms of the header are understood, nonsense is not."""
    raised = await _list_users(lambda _: httpx.Response(429, headers=headers))

    assert raised.retry_after == seconds


async def test_transient_failures_are_tried_again(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """Two bad answers are survived by a third, good one."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=503, times=1))
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=429, retry_after_s=2, times=1))

    assert await client.list_users()
    assert len(emulator.requests) == 3


async def test_attempts_are_bounded(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """After the last attempt the last error is raised."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=503))

    with pytest.raises(EnreachServerFailedError):
        await client.list_users()

    assert len(emulator.requests) == 3


async def test_long_retry_after_is_left_to_the_caller(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """A pause longer than the limit is not waited for, and nothing is sent meanwhile."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=429, retry_after_s=600))

    with pytest.raises(EnreachRateLimitedError) as caught:
        await client.list_users()

    assert (caught.value.retry_after, len(emulator.requests)) == (600, 1)


async def test_answer_that_never_comes_is_a_timeout(emulator: EnreachEmulator) -> None:
    """The whole exchange is bounded, even where httpx's own timeouts do not see it."""
    emulator.faults.add(Fault(kind=FaultKind.HANG))

    raised = await _list_users(emulator, Limits(request_seconds=0.05, attempts=2))

    assert (type(raised), len(emulator.requests)) == (EnreachTimeoutError, 2)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RESET, EnreachUnreachableError),
        (FaultKind.RESET_MID_BODY, EnreachUnreachableError),
        (FaultKind.TRUNCATED, EnreachUnauthorizedError),
        (FaultKind.GARBAGE, EnreachUnreadableError),
        (FaultKind.WRONG_TYPE, EnreachUnreadableError),
    ],
)
async def test_spoilt_answers_become_errors(
    emulator: EnreachEmulator, kind: FaultKind, error: type[EnreachError]
) -> None:
    """However an answer is spoilt, what comes out is an error of the tree; a bad status counts without its body."""
    emulator.faults.add(Fault(kind=kind))

    assert type(await _list_users(emulator)) is error


async def test_request_carries_key_and_headers() -> None:
    """Every request has HTTP Basic and the headers the vendor's clients send."""
    seen: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404)

    await _list_users(refuse)

    assert str(seen[0].url) == "https://enreach.example/users"
    assert {name: seen[0].headers[name] for name in ("accept", "content-type", "x-json-serializer")} == {
        "accept": "application/json",
        "content-type": "application/json",
        "x-json-serializer": "2",
    }
    assert seen[0].headers["authorization"] == "Basic YUBjb250b3NvLmV4YW1wbGU6ZmFrZS1zZWNyZXQ="
