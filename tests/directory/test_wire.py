"""The whole directory over the real adapter: what reaches the wire, and when."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote_plus

import httpx
import pytest

from app.directory.lookup import Source
from app.directory.store import CallerSnapshotStore
from app.routing.callers import CallerStatus, Cause
from app.store.database import open_database
from app.store.upgrade import upgrade
from tests.directory.scripted import NUMBER, count_tasks
from tests.directory.wired import ANNA_ROW, Wire, by, open_directory


async def find_anna(request: httpx.Request) -> httpx.Response:
    """Answer the contact to the contact query, when it asks for her number."""
    await asyncio.sleep(0.08)
    asked = request.url.path.endswith("/contacts") and "50" in unquote_plus(str(request.url))
    return httpx.Response(200, json={"value": [ANNA_ROW] if asked else []})


async def throttle(_request: httpx.Request) -> httpx.Response:
    """Answer 429."""
    await asyncio.sleep(0.05)
    body = {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit."}}
    return httpx.Response(429, headers={"Retry-After": "10"}, json=body)


async def test_thousand_calls_are_two_requests() -> None:
    """A thousand simultaneous calls from one number become two requests, and all know who is calling."""
    async with open_directory(wire := Wire(find_anna)) as directory:
        found = await asyncio.gather(*(directory.find(NUMBER, until=by(1.5)) for _ in range(1000)))
        assert {(result.caller.id, result.source) for result in found} == {(ANNA_ROW["contactid"], Source.LIVE)}
        assert found[0].caller.as_of == 1_700_000_000.0
        assert len(wire.arrived) == 2


async def test_no_request_inside_retry_after() -> None:
    """5,000 calls from 500 numbers in 10 s while Dataverse answers 429: not one request inside Retry-After."""
    async with open_directory(wire := Wire(throttle)) as directory:

        async def call(index: int) -> Cause | None:
            await asyncio.sleep(index / 500)
            return (await directory.find(f"+35840{index % 500:07}", until=by(1.5))).caller.cause

        assert set(await asyncio.gather(*map(call, range(5000)))) == {Cause.THROTTLED}
        throttled_at = wire.arrived[0] + 0.05
        assert [at for at in wire.arrived if throttled_at < at < throttled_at + 10] == []
        assert len(wire.arrived) <= 50


async def test_second_request_of_a_look_up_obeys_the_429_of_another() -> None:
    """A look-up whose connection broke does not repeat its requests once another look-up was throttled."""

    async def handle(request: httpx.Request) -> httpx.Response:
        if "50" not in unquote_plus(str(request.url)):
            return await throttle(request)
        await asyncio.sleep(0.2)
        raise httpx.ReadError("broken", request=request)

    async with open_directory(wire := Wire(handle)) as directory:
        slow = asyncio.create_task(directory.find(NUMBER, until=by(1.5)))
        await asyncio.sleep(0.01)
        await directory.find("+358407654321", until=by(1.5))
        assert (await slow).caller.cause is Cause.THROTTLED
        await asyncio.sleep(9)
        assert len(wire.arrived) == 4


async def test_spent_budget_is_throttled_without_a_request() -> None:
    """Beyond the budget callers are unavailable because throttled, and nothing is sent until the window slides."""
    async with open_directory(wire := Wire(find_anna), requests=10) as directory:
        found = [await directory.find(f"+3585012345{index:02}", until=by(1.5)) for index in range(8)]
        assert [result.caller.cause for result in found] == [None] * 5 + [Cause.THROTTLED] * 3
        assert len(wire.arrived) == 10
        await asyncio.sleep(301)
        assert (await directory.find("+358501234599", until=by(1.5))).source is Source.LIVE


@pytest.mark.parametrize(
    ("status", "cause"), [(401, Cause.ERROR), (403, Cause.ERROR), (429, Cause.THROTTLED), (500, Cause.ERROR)]
)
async def test_every_refusal_is_an_outage_with_its_cause(status: int, cause: Cause) -> None:
    """What Dataverse refuses leaves the caller unavailable and names the cause."""

    async def handle(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status)

    async with open_directory(Wire(handle)) as directory:
        found = (await directory.find(NUMBER, until=by(1.5))).caller
        assert (found.status, found.cause) == (CallerStatus.UNAVAILABLE, cause)
        assert str(status) in found.detail


async def test_refused_connection_is_an_outage() -> None:
    """No connection, no caller, no exception."""

    async def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with open_directory(Wire(handle)) as directory:
        assert (await directory.find(NUMBER, until=by(1.5))).caller.cause is Cause.ERROR


async def test_dripping_body_ends_at_the_deadline() -> None:
    """A body that trickles byte by byte costs the deadline, and the look-up its total time."""

    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.1)
                yield b" "

    async def handle(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Drip())

    async with open_directory(Wire(handle)) as directory:
        tasks, until = count_tasks(), by(1.2)
        found = (await directory.find(NUMBER, until=until)).caller
        assert (found.cause, found.detail) == (Cause.TIMEOUT, "Dataverse timed out at 1.2 s")
        assert asyncio.get_running_loop().time() == pytest.approx(until)
        await asyncio.sleep(3)
        assert count_tasks() == tasks


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_restart_with_dataverse_away_recognises_callers(tmp_path: Path) -> None:
    """What one process learned, the next one knows from the database though Dataverse fails."""

    async def fail(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    database = open_database(f"sqlite:///{tmp_path / 'smartrouting.db'}")
    try:
        await upgrade(database)
        store = CallerSnapshotStore(database=database)
        async with open_directory(Wire(find_anna), store=store) as directory:
            live = await directory.find(NUMBER, until=by(10))
        async with open_directory(Wire(fail), store=store) as directory:
            again = await directory.find(NUMBER, until=by(10))
            assert (again.source, again.caller) == (Source.SNAPSHOT, live.caller)
            assert again.outage is not None
            assert again.outage.cause is Cause.ERROR
            assert await directory.purge(None) == 2
            assert await store.get_many([NUMBER]) == {}
    finally:
        await database.close()
