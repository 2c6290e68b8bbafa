"""Rules that look at how busy queues are."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from app.emulators.enreach import create_enreach_emulator
from app.routing.callers import Cause
from app.routing.facts import Unknown
from app.routing.queue_states import QUEUE_MEMBERS, QueueState, tell_queue
from tests.routing.examples import NOW, leaf
from tests.support.rulesets import Administrator, make_rule
from tests.support.service import Service, open_service, wait_for

VIP, SUPPORT = "1a89fc22-517a-e611-80c9-00505689257e", "54f8a7b3-1fa7-5e9d-869b-26492ba577dd"
RULES = {
    "destinations": {
        "vip": {"kind": "queue", "id": VIP.upper(), "webhook": False},
        "support": {"kind": "queue", "id": SUPPORT, "webhook": False},
        "out": {"kind": "number", "id": "+358401234567"},
    },
    "rules": [
        make_rule("busy", leaf("queue.support.free_agents", "gte", 1), redirect="support"),
        make_rule("free", leaf("queue.vip.free_agents", "gte", 1), redirect="vip", on_fail="out"),
        make_rule("unread", leaf("queue.vip.free_agents", "is_unknown"), redirect="out"),
    ],
}
STATE = QueueState(at=NOW, max_age=60.0, open=True, length=2, longest_wait=48, free_agents=1)


def open_world(folder: Path, **settings: Any) -> Any:
    """Open a service whose Enreach API is emulated."""
    enreach = create_enreach_emulator(clock=lambda: datetime.now(UTC))
    user, secret = enreach.credential
    dataverse = create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID})
    world = Upstreams(dataverse=httpx.ASGITransport(dataverse), enreach=httpx.ASGITransport(enreach))
    api = {"url": "http://127.0.0.1:1", "user": user, "secret": secret, **settings}
    return open_service(folder, rules=RULES, upstreams=world, enreach=api)


async def test_a_call_goes_where_somebody_is_free(tmp_path: Path) -> None:
    """The queue without a free agent is passed over; what the call saw is recorded, and a replay agrees."""
    async with open_world(tmp_path, queue_poll_seconds=300) as opened:
        service: Service = opened

        async def answer() -> dict[str, Any] | None:
            simulated: dict[str, Any] = (await service.simulate(call={"anum": None})).json()
            return simulated if simulated["facts"]["queue.vip.free_agents"] == 2 else None

        simulated = await wait_for(answer)
        called = await service.call(None)
        explained = await service.explain_last()
        replayed = await Administrator(service).replay("current")

        assert simulated["decision"]["rule"] == "free"
        assert called.json() == {"InitialTarget": VIP.upper(), "FailTarget": "+358401234567"}
        seen = {name: value for name, value in explained["facts"].items() if name.startswith("queue.")}
        assert seen == {"queue.support.free_agents": 0, "queue.vip.free_agents": 2}
        assert (explained["trace_agrees"], replayed["result"]["changed"]) == (True, 0)


async def test_states_are_unknown_where_nobody_reads_them(tmp_path: Path) -> None:
    """Without the setting nothing is asked of Enreach, and a rule can say what happens then."""
    async with open_world(tmp_path) as opened:
        service: Service = opened

        await service.call(None)
        explained = await service.explain_last()

        assert (explained["rule"], explained["facts"]["queue.vip.free_agents"]["unknown"]) == (
            "unread",
            "not_configured",
        )


@pytest.mark.parametrize(
    ("member", "expected"),
    [("open", True), ("length", 2), ("longest_wait", 48), ("free_agents", 1), ("age_seconds", 5)],
)
def test_a_state_tells_its_members(member: str, expected: object) -> None:
    """Five seconds later everything still counts."""
    assert tell_queue(STATE, member, NOW + 5) == expected


@given(age=st.floats(-10_000, 10_000), member=st.sampled_from([*QUEUE_MEMBERS]))
def test_a_state_is_unknown_exactly_when_it_is_too_old(age: float, member: str) -> None:
    """Its age is measured at the call, so that a replay of an old one never sees the queue of today."""
    told = tell_queue(STATE, member, NOW + age)

    old = abs(NOW + age - NOW) > STATE.max_age
    assert isinstance(told, Unknown) is old
    assert not old or (isinstance(told, Unknown) and told.cause is Cause.TIMEOUT)
