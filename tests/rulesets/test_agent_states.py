"""Rules that look at whether an agent takes calls."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from app.emulators.enreach import create_enreach_emulator
from app.routing.agents import AgentState, tell_agent
from app.routing.callers import Cause
from app.routing.facts import Unknown
from tests.routing.examples import NOW, leaf
from tests.support.rulesets import Administrator, make_rule
from tests.support.service import Service, open_service, wait_for

FREE, BUSY = "c2b7d0d4-6a43-5b0e-9e0b-3f6f5a1d7713", "ede0fcf1-cfba-5412-92b2-69faa94eb832"
AVAILABLE, DO_NOT_DISTURB = 1, 3
WANTED = "call.parameters.DYN_PAR_Agent"
RULES = {
    "destinations": {
        "vip": {"kind": "queue", "id": "vip", "webhook": False},
        "anna": {"kind": "user", "id": FREE},
        "ben": {"kind": "user", "id": BUSY},
    },
    "rotas": {"duty": {"members": ["anna", "ben"], "start": "2026-01-05T08:00", "period": "week", "time_zone": "UTC"}},
    "rules": [
        {
            "id": "agent",
            "when": leaf(f"agent.available.{WANTED}", "is", True),
            "then": {"redirect_to_agent": WANTED, "on_fail": "vip"},
        },
        make_rule("overflow", leaf(WANTED, "exists"), redirect="vip"),
        {
            "id": "duty",
            "when": leaf("agent.available.rota.duty", "is", True),
            "then": {"redirect_to_agent": "rota.duty"},
        },
    ],
}


def open_world(folder: Path, **settings: Any) -> Any:
    """Open a service whose Enreach API is emulated."""
    enreach = create_enreach_emulator(clock=lambda: datetime.now(UTC))
    user, secret = enreach.credential
    for row in enreach.tables["users"]:
        row["_availability"] = {FREE: AVAILABLE, BUSY: DO_NOT_DISTURB}.get(row["Id"])
    dataverse = create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID})
    world = Upstreams(dataverse=httpx.ASGITransport(dataverse), enreach=httpx.ASGITransport(enreach))
    api = {"url": "http://127.0.0.1:1", "user": user, "secret": secret, **settings}
    return open_service(folder, rules=RULES, upstreams=world, enreach=api)


async def simulate(service: Service, agent: str | None, fact: str = WANTED) -> dict[str, Any]:
    """Simulate a call whose queue names an agent."""
    extra = {} if agent is None else {"DYN_PAR_Agent": agent}
    told: dict[str, Any] = (await service.simulate(call={"anum": None, "extradata": extra})).json()
    return {"known": told["facts"][f"agent.available.{fact}"], "rule": told["decision"].get("rule")}


async def test_an_agent_who_takes_calls_gets_the_call_and_else_it_overflows(tmp_path: Path) -> None:
    """The first call asks; from then on it is known, recorded with the call, and a replay agrees."""
    async with open_world(tmp_path, agent_poll_seconds=5) as opened:
        service: Service = opened
        first = await service.call(None, extradata={"DYN_PAR_Agent": FREE})

        async def know(agent: str, *, free: bool) -> dict[str, Any] | None:
            told = await simulate(service, agent)
            return told if told["known"] is free else None

        free, busy = await wait_for(lambda: know(FREE, free=True)), await wait_for(lambda: know(BUSY, free=False))
        called = await service.call(None, extradata={"DYN_PAR_Agent": FREE})
        explained = await service.explain_last(calls=2)
        replayed = await Administrator(service).replay("current")

    assert (first.json(), free["rule"], busy["rule"]) == ({"InitialTarget": "vip"}, "agent", "overflow")
    assert called.json() == {"InitialTarget": FREE, "FailTarget": "vip"}
    assert explained["facts"][f"agent.available.{WANTED}"] is True
    assert (explained["trace_agrees"], replayed["result"]["changed"]) == (True, 0)


async def test_whoever_is_on_call_is_asked_about_like_an_agent(tmp_path: Path) -> None:
    """A rota tells a name, and Enreach is asked about the member's user id."""
    async with open_world(tmp_path, agent_poll_seconds=5) as opened:
        service: Service = opened

        async def know() -> dict[str, Any] | None:
            told = await simulate(service, None, "rota.duty")
            return None if isinstance(told["known"], dict) else told

        told = await wait_for(know)
        on_call = (await service.simulate(call={"anum": None})).json()["facts"]["rota.duty"]

    assert told == {"known": on_call == "anna", "rule": "duty" if on_call == "anna" else None}


async def test_availability_is_unknown_where_nobody_reads_it(tmp_path: Path) -> None:
    """Without the setting nothing is asked of Enreach; without an agent there is nothing to know."""
    async with open_world(tmp_path) as opened:
        service: Service = opened
        told = [await simulate(service, agent) for agent in (FREE, "../me", None)]

    assert [each["known"] if each["known"] is None else each["known"]["unknown"] for each in told] == [
        "not_configured",
        "not_configured",
        None,
    ]
    assert [each["rule"] for each in told] == ["overflow", "overflow", None]


class Told:
    """Knows one agent."""

    def find(self, agent: str) -> AgentState | None:
        """Return the state of the one."""
        return AgentState(at=NOW, max_age=60.0, available=True) if agent == FREE else None


@pytest.mark.parametrize(
    ("agent", "age", "expected"),
    [(FREE, 60.0, True), (FREE, 61.0, Cause.TIMEOUT), (FREE, -61.0, Cause.TIMEOUT), (BUSY, 0.0, Cause.NOT_FETCHED)],
)
def test_a_state_counts_until_it_is_too_old(agent: str, age: float, expected: object) -> None:
    """Its age is measured at the call, so that a replay of an old one never sees the agents of today."""
    told = tell_agent(Told(), agent, NOW + age)

    assert (told.cause if isinstance(told, Unknown) else told) is expected
