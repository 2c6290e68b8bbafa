"""Crowds against the whole service over real connections; `python -m bench stampede` measures larger ones."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.emulators.faults import Fault, FaultKind
from app.main import create_app
from app.settings import Settings
from bench.callers import Answer, Caller
from bench.crm import Crm
from bench.world import KEY, Server, open_world, serve_app

DEADLINE_MS = 2500


def make_settings(folder: Path, crm: str, **dataverse: Any) -> Settings:
    """Make the settings of a service on a stand-in for Dataverse."""
    return Settings(
        webhook={"api_keys": {"bench": KEY}, "deadline_ms": DEADLINE_MS},
        dataverse={"url": crm, "auth": "token", "token": "fake-token", **dataverse},
        store={"url": f"sqlite:///{folder}/service.db", "journal": folder / "journal"},
    )


@pytest.fixture
def crm() -> Crm:
    """A CRM that takes 100 ms."""
    return Crm(delay=0.1)


@pytest.fixture
def service(tmp_path: Path, crm: Crm) -> Iterator[tuple[str, Server]]:
    """The service on that CRM."""
    with (
        serve_app(crm, lifespan="off") as (crm_url, _),
        serve_app(create_app(make_settings(tmp_path, crm_url)), lifespan="on") as running,
    ):
        yield running


async def call_together(url: str, numbers: list[str]) -> list[Answer]:
    """Open all connections, then call at the same moment."""
    callers = [await Caller(url).__aenter__() for _ in numbers]
    answers = await asyncio.gather(*map(Caller.call, callers, numbers))
    for caller in callers:
        await caller.__aexit__(None, None, None)
    return list(answers)


def count_tasks(server: Server) -> int:
    """Count the tasks of the service's loop that are not done."""
    assert server.loop is not None
    return len(asyncio.all_tasks(server.loop))


async def settle(server: Server, tasks: int) -> None:
    """Wait until no more tasks than before are left."""
    async with asyncio.timeout(60):
        while count_tasks(server) > tasks or server.server_state.connections:  # noqa: ASYNC110 - has no event
            await asyncio.sleep(0.05)


async def test_many_calls_from_one_number_are_two_requests(service: tuple[str, Server], crm: Crm) -> None:
    """Hundreds of simultaneous calls from one number are one look-up, and all are answered alike."""
    await call_together(service[0], ["+358507654321"])
    answers = await call_together(service[0], ["+358501234567"] * 300)
    assert {answer.status for answer in answers} == {204}
    assert len(crm.arrived) == 4


async def test_nothing_is_asked_inside_retry_after(service: tuple[str, Server], crm: Crm) -> None:
    """While a Retry-After runs no request leaves, whoever calls."""
    crm.retry_after = 30
    await call_together(service[0], [f"+35840{index:07}" for index in range(30)])
    asked = len(crm.arrived)
    answers = await call_together(service[0], [f"+35840{index:07}" for index in range(200)])
    assert {answer.status for answer in answers} == {204}
    assert len(crm.arrived) == asked


async def test_storm_of_rejections_is_one_renewal(tmp_path: Path) -> None:
    """However many calls have their token rejected at the same moment, one new one is asked for; all are answered."""
    with open_world() as world, world.run_service(tmp_path, {}) as url:
        await call_together(url, ["+358507654321"])
        world.emulator.log.clear()
        world.emulator.faults.add(Fault(kind=FaultKind.STATUS, status=401))
        answers = await call_together(url, [f"+35840{index:07}" for index in range(60)])
        asked = [request.path for request in world.emulator.log.requests]
    assert {answer.status for answer in answers} == {204}
    assert len([path for path in asked if path.endswith("/oauth2/v2.0/token")]) == 1
    assert len(asked) > 20


async def test_hung_crm_costs_no_answer_and_leaves_nothing_behind(service: tuple[str, Server], crm: Crm) -> None:
    """Calls that met a hung CRM are answered, and neither tasks nor connections of theirs remain."""
    url, server = service
    await call_together(url, ["+358501234567"])
    await settle(server, 1000)
    before = count_tasks(server)
    crm.hangs = True
    answers = await call_together(url, [f"+35840{index:07}" for index in range(200)])
    crm.hangs = False
    assert {answer.status for answer in answers} == {204}
    await settle(server, before)
    gc.collect()
    assert (await call_together(url, ["+358501234567"]))[0].status == 204
