"""Whatever breaks at whatever place, running again ends as if nothing had happened."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.support.enterprise_calls import Clock, Systems, World, make_call, open_world
from tests.support.service import wait_for

_PLACES = range(1, 7)
"""Requests of one run: calls, users, numbers, activities, and the two steps of writing."""
_STRANGER = "+358409998877"
_NETWORK = ("429", "503", "lost", "hang")


class Breaker(httpx.AsyncBaseTransport):
    """Breaks the request of one place, counted over both systems, before or after it was carried out."""

    def __init__(self) -> None:
        self.ways: list[httpx.AsyncBaseTransport] = []
        self.reached = asyncio.Event()
        self._left = 0
        self._kind = ""

    def through(self, network: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """Put it on the way to a system."""
        return _Way(self, network)

    def arm(self, kind: str, place: int) -> None:
        """Break the request of this place from now on."""
        self._kind, self._left, self.reached = kind, place, asyncio.Event()

    def disarm(self) -> None:
        """Let everything through."""
        self._left = 0

    async def carry(self, network: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
        """Carry out a request, or break it."""
        self._left -= 1
        if self._left != 0:
            return await network.handle_async_request(request)
        self.reached.set()
        if self._kind in {"429", "503"}:
            return httpx.Response(int(self._kind), headers={"Retry-After": "0"}, request=request)
        if self._kind == "killed before":
            await asyncio.Event().wait()
        response = await network.handle_async_request(request)
        await response.aread()
        if self._kind == "killed after":
            await asyncio.Event().wait()
        raise httpx.ReadTimeout("no answer") if self._kind == "hang" else httpx.ReadError("the answer is lost")


class _Way(httpx.AsyncBaseTransport):
    def __init__(self, breaker: Breaker, network: httpx.AsyncBaseTransport) -> None:
        self._breaker = breaker
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Have the breaker decide."""
        return await self._breaker.carry(self._network, request)


def happen(systems: Systems, name: str) -> None:
    """Have six calls happen, one for each thing that may become of a call."""
    systems.clock.turn(minutes=20)
    systems.call(f"{name}-in")
    systems.call(f"{name}-out", Direction=1, ANum="+358501230001", BNum="+358401112233")
    systems.call(f"{name}-stranger", ANum=_STRANGER)
    systems.call(f"{name}-short", Duration=1)
    systems.call(f"{name}-private", EmulatedPrivacy="Private")
    twice = make_call(systems.clock, UserName="mikko.korhonen@contoso.example")
    systems.enreach.tables["calls"] += [
        {"CallId": f"{name}-twice", **twice, "_modified": f"{systems.clock.now:%Y-%m-%dT%H:%M:%S}"} for _ in range(2)
    ]


async def check(world: World, name: str, *, written: int) -> None:
    """See that every call became what it must, once."""
    outcomes = {call: text.split("/")[0] for call, text in (await world.list_outcomes()).items() if name in call}
    assert outcomes == {
        f"{name}-in": "synced",
        f"{name}-out": "synced",
        f"{name}-stranger": "pending",
        f"{name}-short": "skipped",
        f"{name}-twice": "synced",
    }
    activities = world.systems.list_activities()
    assert (len(activities), {row["statecode"] for row in activities}) == (written, {1})


@pytest.mark.parametrize("kind", _NETWORK)
async def test_trouble_at_any_place_changes_nothing(tmp_path: Path, kind: str) -> None:
    """A request that is refused, or whose answer is lost, is made up for by the next run."""
    systems, breaker = Systems.make(Clock()), Breaker()
    async with open_world(tmp_path, systems, sync={"call_duration_limit_s": 5}, through=breaker.through) as world:
        for place in _PLACES:
            happen(systems, f"p{place}")
            breaker.arm(kind, place)
            await world.run()
            breaker.disarm()
            await run_until_done(world)
            await check(world, f"p{place}", written=3 * place)


@pytest.mark.parametrize("kind", ["killed before", "killed after"])
async def test_kill_at_any_place_changes_nothing(tmp_path: Path, kind: str) -> None:
    """A process that dies while it waits for an answer leaves nothing that the next one does not bring to its end."""
    systems = Systems.make(Clock())
    for place in _PLACES:
        breaker = Breaker()
        async with open_world(tmp_path, systems, sync={"call_duration_limit_s": 5}, through=breaker.through) as world:
            happen(systems, f"k{place}")
            breaker.arm(kind, place)
            await world.post("/run", {})

            async def see(world: World = world, breaker: Breaker = breaker) -> bool | None:
                runs = (await world.service.ask("/admin/jobs", kind="enterprise-calls")).json()
                return True if breaker.reached.is_set() or runs[0]["state"] != "running" else None

            await wait_for(see)
        async with open_world(tmp_path, systems, sync={"call_duration_limit_s": 5}) as world:
            await run_until_done(world)
            await check(world, f"k{place}", written=3 * place)


async def run_until_done(world: World) -> None:
    """Run again until a run succeeds: a pause that Dataverse asked for may last."""

    async def run() -> bool | None:
        return True if (await world.run())["state"] == "done" else None

    await wait_for(run)
