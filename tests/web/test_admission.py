"""A crowd of other requests is never ahead of a call."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from app.web.limits import Admission
from tests.support.service import WEBHOOK_KEY, open_service


async def test_one_request_begins_in_each_turn() -> None:
    """Between two requests that came together everything else that is ready is done."""
    admission = Admission()
    order: list[str] = []

    async def ask(name: str) -> None:
        await admission.enter()
        order.append(name)

    async def call() -> None:
        order.append("call")

    crowd = [asyncio.create_task(ask(f"request {number}")) for number in range(4)]
    await asyncio.sleep(0)
    calling = asyncio.create_task(call())
    await asyncio.gather(*crowd, calling)

    assert order == ["request 0", "call", "request 1", "request 2", "request 3"]


async def test_request_that_is_given_up_does_not_hold_up_the_others() -> None:
    """Whoever leaves while waiting gives the turn to the next."""
    admission = Admission()
    crowd = [asyncio.create_task(admission.enter()) for _ in range(4)]
    await asyncio.sleep(0)
    crowd[1].cancel()

    found = await asyncio.gather(*crowd, return_exceptions=True)

    assert [type(each) for each in found] == [type(None), asyncio.CancelledError, type(None), type(None)]


async def test_calls_and_probes_are_answered_before_a_crowd(tmp_path: Path) -> None:
    """A call and a probe that come after forty other requests are answered before the last of these."""
    answered: list[str] = []

    async def note(name: str, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
        assert (await ask()).status_code in {200, 204}
        answered.append(name)

    async with open_service(tmp_path) as service:
        await service.client.get("/docs")
        crowd = [asyncio.create_task(note("crowd", lambda: service.client.get("/docs"))) for _ in range(40)]
        await asyncio.sleep(0)
        headers = {"X-Benemen-APIKey": WEBHOOK_KEY}
        others = [
            asyncio.create_task(note("call", lambda: service.post({"anum": None}, headers))),
            asyncio.create_task(note("probe", lambda: service.client.get("/health/live"))),
        ]
        await asyncio.gather(*crowd, *others)

    assert max(answered.index("call"), answered.index("probe")) < 20
