"""Faults, over real sockets where the network is part of them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn

from app.emulators.dataverse import CLIENT_ID, CLIENT_SECRET, TENANT_ID, DataverseEmulator, create_dataverse_emulator
from app.emulators.faults import ConnectionDroppedError, Fault, FaultKind, Faults, Traffic

PATH = "/api/data/v9.2/contacts?$select=fullname&$top=5"
TRAFFIC = Traffic(at="api", table="contacts", text="mobilephone eq '+358401112233'")


@pytest.fixture
def emulator() -> DataverseEmulator:
    return create_dataverse_emulator(clock=lambda: datetime(2026, 6, 1, tzinfo=UTC))


@pytest.fixture(params=["h11", "httptools"])
async def http(emulator: DataverseEmulator, request: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the emulator served on a free port."""
    config = uvicorn.Config(emulator, lifespan="off", ws="none", log_config=None, http=request.param)
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        headers = {"Authorization": f"Bearer {emulator.issue_token()}"}
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=httpx.Timeout(5, read=0.3)) as client:
            yield client
        server.should_exit = True
        await serving


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.RESET_MID_BODY])
async def test_a_dropped_connection_is_a_transport_error(
    http: httpx.AsyncClient, emulator: DataverseEmulator, kind: FaultKind
) -> None:
    """The client never gets a whole answer, and the next request works again."""
    emulator.faults.add(Fault(kind=kind, times=1))

    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await http.get(PATH)

    assert (await http.get(PATH)).status_code == 200


async def test_a_hanging_request_ends_when_the_client_gives_up(
    http: httpx.AsyncClient, emulator: DataverseEmulator
) -> None:
    """No byte comes; nothing stays behind on the server."""
    emulator.faults.add(Fault(kind=FaultKind.HANG, times=1))

    with pytest.raises(httpx.ReadTimeout):
        await http.get(PATH)
    while emulator.log.in_flight:  # noqa: ASYNC110 - the emulator only counts
        await asyncio.sleep(0)

    assert (await http.get(PATH)).status_code == 200


async def test_a_dripping_answer_arrives_whole_but_slowly(http: httpx.AsyncClient, emulator: DataverseEmulator) -> None:
    """Every piece is inside the read timeout, the whole is not held back."""
    whole = (await http.get(PATH)).json()
    emulator.faults.add(Fault(kind=FaultKind.DRIP, seconds=0.01, piece_bytes=100))

    pieces = []
    async with http.stream("GET", PATH) as response:
        pieces = [piece async for piece in response.aiter_raw()]

    assert httpx.Response(200, content=b"".join(pieces)).json() == whole
    assert len(pieces) > 1


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        (FaultKind.TRUNCATED, "application/json; odata.metadata=minimal"),
        (FaultKind.GARBAGE, "application/json"),
        (FaultKind.WRONG_TYPE, "text/html"),
    ],
)
async def test_an_answer_that_is_no_json(
    http: httpx.AsyncClient, emulator: DataverseEmulator, kind: FaultKind, content_type: str
) -> None:
    """Status 200 and a complete body that cannot be read."""
    emulator.faults.add(Fault(kind=kind))

    response = await http.get(PATH)

    assert (response.status_code, response.headers["content-type"]) == (200, content_type)
    with pytest.raises(ValueError, match=r"char|codec|control"):
        response.json()


async def test_a_delayed_answer_is_a_correct_one(http: httpx.AsyncClient, emulator: DataverseEmulator) -> None:
    """Only the time differs."""
    emulator.faults.add(Fault(kind=FaultKind.DELAY, seconds=0.01))

    assert (await http.get(PATH)).status_code == 200


@pytest.mark.parametrize(
    ("status", "code"), [(403, "0x80040220"), (429, "0x80072322"), (500, "0x80040216"), (503, "0x80044150")]
)
async def test_an_error_status_is_worded_as_dataverse_words_it(
    http: httpx.AsyncClient, emulator: DataverseEmulator, status: int, code: str
) -> None:
    """Code in the body, `Retry-After` when it was asked for."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=status, retry_after_s=7))

    response = await http.get(PATH)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.headers["Retry-After"] == "7"
    assert response.headers["x-ms-service-request-id"]


async def test_a_401_has_a_challenge_and_no_body(http: httpx.AsyncClient, emulator: DataverseEmulator) -> None:
    """As if the token had just been revoked."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=401))

    response = await http.get(PATH)

    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_the_token_endpoint_can_fail_alone(http: httpx.AsyncClient, emulator: DataverseEmulator) -> None:
    """A fault at `token` leaves the API as it is."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=503, at="token"))
    form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "client_credentials"}

    refused = await http.post(f"/{TENANT_ID}/oauth2/v2.0/token", data=form)

    assert (refused.status_code, refused.json()["error_codes"]) == (503, [90033])
    assert (await http.get(PATH)).status_code == 200


async def test_without_a_socket_a_drop_is_raised(emulator: DataverseEmulator) -> None:
    """In one process the client sees what httpx would have made of a reset."""
    emulator.faults.add(Fault(kind=FaultKind.RESET))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator), base_url="https://org.example") as client:
        with pytest.raises(ConnectionDroppedError):
            await client.get(PATH)


@pytest.mark.parametrize(
    ("fault", "hit"),
    [
        (Fault(kind=FaultKind.HANG), True),
        (Fault(kind=FaultKind.HANG, table="contacts"), True),
        (Fault(kind=FaultKind.HANG, table="accounts"), False),
        (Fault(kind=FaultKind.HANG, mentions="+358401112233"), True),
        (Fault(kind=FaultKind.HANG, mentions="+358501234567"), False),
        (Fault(kind=FaultKind.HANG, at="token"), False),
    ],
)
def test_a_fault_hits_what_it_names(fault: Fault, hit: bool) -> None:  # noqa: FBT001 - an expected value
    """By endpoint, table and number."""
    faults = Faults()
    faults.add(fault)

    assert (faults.take(TRAFFIC) is fault) is hit


def test_a_fault_is_used_up_and_the_next_one_follows() -> None:
    """First match wins, `times` counts down."""
    first, second = Fault(kind=FaultKind.HANG, times=2), Fault(kind=FaultKind.RESET)
    faults = Faults()
    faults.replace([first, second])

    taken = [faults.take(TRAFFIC) for _ in range(4)]

    assert taken == [first, first, second, second]
    assert faults.active == (second,)
