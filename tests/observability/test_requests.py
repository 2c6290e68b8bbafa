"""What every request carries."""

import asyncio
import re
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs

from app.observability.requests import RequestContext, add_request, find_request

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Timer:
    """A clock that moves a quarter of a second each time it is read."""

    def __init__(self) -> None:
        self._now = 100.0

    def __call__(self) -> float:
        """Return the time and move on."""
        self._now += 0.25
        return self._now


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Speak to an application inside the middleware."""
    app = FastAPI()

    @app.get("/who")
    async def tell_who() -> dict[str, object]:
        await asyncio.sleep(0)
        return dict(add_request(None, "info", {}))

    @app.get("/callers/{number}")
    async def find_caller(number: str) -> PlainTextResponse:
        return PlainTextResponse(number, 404)

    @app.get("/quiet")
    async def be_quiet() -> None:
        return None

    @app.get("/broken")
    async def break_down() -> None:
        raise RuntimeError

    app.add_middleware(RequestContext, timer=Timer(), unlogged={"/quiet"})
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_sane_identifier_and_trace_are_kept_and_returned(client: httpx.AsyncClient) -> None:
    """The caller's names for the request are the ones in the log and in the answer."""
    headers = {"X-Request-ID": "gateway-0001a", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}

    answer = await client.get("/who", headers=headers)

    assert answer.json() == {"request_id": "gateway-0001a", "trace_id": TRACE}
    assert answer.headers["X-Request-ID"] == "gateway-0001a"
    assert re.fullmatch(f"00-{TRACE}-(?!b7ad6b7169203331)[0-9a-f]{{16}}-01", answer.headers["traceparent"])


@pytest.mark.parametrize(
    "sent", [None, "short", "+358501234567", "call-358501234567", "call358501234567", "a b c d e f", "x" * 65, "ä" * 9]
)
async def test_anything_else_is_replaced_by_an_identifier_of_our_own(
    client: httpx.AsyncClient, sent: str | None
) -> None:
    """An absent, odd or number-like identifier gives way to a UUIDv7, which names the trace as well."""
    headers = {} if sent is None else {"X-Request-ID": sent.encode()}

    answer = await client.get("/who", headers=headers)

    own_id = answer.headers["X-Request-ID"]
    assert UUID(own_id).version == 7
    assert answer.json() == {"request_id": own_id, "trace_id": own_id.replace("-", "")}


async def test_simultaneous_requests_keep_their_names_apart(client: httpx.AsyncClient) -> None:
    """The context of one request is not another's, and nothing is left behind."""
    names = [f"request-{letter}" for letter in "abcdefgh"]

    answers = await asyncio.gather(*(client.get("/who", headers={"X-Request-ID": name}) for name in names))

    assert [answer.json()["request_id"] for answer in answers] == names
    assert find_request() is None


async def test_the_access_line_has_the_template_and_not_the_path(client: httpx.AsyncClient) -> None:
    """A path may hold a phone number, so it is never logged."""
    with capture_logs() as lines:
        await client.get("/callers/+358501234567?name=Ann")
        await client.get("/nowhere/+358501234567")

    assert lines == [
        {
            "event": "http.request",
            "log_level": "info",
            "method": "GET",
            "route": "/callers/{number}",
            "status": 404,
            "ms": 250.0,
        },
        {
            "event": "http.request",
            "log_level": "info",
            "method": "GET",
            "route": "(no route)",
            "status": 404,
            "ms": 250.0,
        },
    ]


async def test_quiet_paths_have_no_access_line_but_a_name(client: httpx.AsyncClient) -> None:
    """The webhook and the probes are not logged here; their answers are named all the same."""
    with capture_logs() as lines:
        answer = await client.get("/quiet")

    assert lines == []
    assert UUID(answer.headers["X-Request-ID"]).version == 7


async def test_a_request_that_breaks_is_logged_as_500_and_unbound(client: httpx.AsyncClient) -> None:
    """An exception passes through, and the context ends with the request."""
    with capture_logs() as lines:
        await client.get("/broken")

    assert [(line["route"], line["status"]) for line in lines] == [("/broken", 500)]
    assert find_request() is None


async def test_other_protocols_pass_through() -> None:
    """Lifespan and WebSocket events are not requests."""
    seen = []

    async def app(scope: dict[str, object], _receive: object, _send: object) -> None:
        seen.append(scope)

    await RequestContext(app, timer=Timer(), unlogged=())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert seen == [{"type": "lifespan"}]
