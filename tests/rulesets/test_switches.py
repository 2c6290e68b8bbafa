"""Switches through the front door: one request turns something on for the next call."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsPartialDict

from app.routing.rule_data import Switch
from app.rulesets.switches.store import MAX_SWITCHES, StoredSwitch, SwitchStore
from app.store.database import open_database
from tests.support.rulesets import Administrator
from tests.support.service import PROGRAM_KEY, Service, open_service, wait_for

STRANGER = "+358401112233"
RULES = {
    "destinations": {"announcement": {"kind": "queue", "id": "queue-of-announcements"}},
    "rules": [
        {
            "id": "emergency",
            "when": {"fact": "switch.emergency", "op": "is", "value": True},
            "then": {"redirect": "announcement"},
        }
    ],
    "tests": [
        {
            "name": "in an emergency",
            "call": {"anum": STRANGER},
            "switches": {"emergency": True},
            "expect": {"rule": "emergency"},
        },
        {"name": "else", "call": {"anum": STRANGER}, "expect": {"rule": None}},
    ],
}
ON = {"on": True, "reason": "The main line is cut"}
REDIRECTED = {"InitialTarget": "queue-of-announcements"}


class Clock:
    """A moment that the test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Tell it."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test."""
    return Clock()


@pytest.fixture
async def service(tmp_path: Path, clock: Clock) -> AsyncIterator[Service]:
    """A service whose rules test a switch."""
    async with open_service(tmp_path, rules=RULES, clock=clock) as service:
        yield service


async def put(service: Service, name: str = "emergency", body: object = ON) -> dict[str, Any]:
    """Set a switch."""
    answer = await Administrator(service).send("PUT", f"/admin/switches/{name}", body)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def call(service: Service) -> dict[str, Any] | None:
    """Make a call, and return the instructions, if any."""
    answer = await service.call(STRANGER)
    return answer.json() if answer.content else None


async def test_the_next_call_is_decided_by_the_switch(service: Service) -> None:
    """An emergency is one request, and its end another; the decision tells the state it saw, and stays explained."""
    before = await call(service)
    shown = await put(service)
    during = await call(service)
    await put(service, body={"on": False})
    after = await call(service)

    assert (before, during, after) == (None, REDIRECTED, None)
    assert shown == {
        "name": "emergency",
        "on": True,
        "reason": "The main line is cut",
        "off_at": None,
        "author": "anna",
        "at": "2027-01-15T08:00:00Z",
    }
    decisions = await service.list_decisions(3)
    details = [(await service.ask(f"/admin/decisions/{each['id']}")).json() for each in reversed(decisions)]
    assert [(each["facts"]["switch.emergency"], each["trace_agrees"]) for each in details] == [
        ({"unknown": "not_configured", "detail": "no switch has this name"}, True),
        (True, True),
        (False, True),
    ]
    audit = (await service.ask("/admin/audit", target="switch/emergency")).json()["items"]
    assert [(each["who"], each["what"], each["after"]) for each in reversed(audit)] == [
        ("anna", "switch.set", {**ON, "off_at": None}),
        ("anna", "switch.set", {"on": False, "reason": "", "off_at": None}),
    ]


async def test_it_goes_off_by_itself(service: Service, clock: Clock) -> None:
    """From the given moment on calls are decided without it, and lists, metric and alert say so."""
    await put(service, body={**ON, "off_at": "2027-01-15T09:00:00Z"})
    assert await call(service) == REDIRECTED
    assert 'smartrouting_switch_on{switch="emergency"} 1.0' in await service.read_metrics()

    async def read_alert() -> str | None:
        alerts = (await service.ask("/admin/alerts", open=True)).json()["items"]
        return next((alert["detail"]["message"] for alert in alerts if alert["kind"] == "switch_on"), None)

    assert await wait_for(read_alert) == (
        'The switch "emergency" is on since 2027-01-15T08:00:00+00:00, until 2027-01-15T09:00:00+00:00; '
        "GET /admin/switches/emergency says why."
    )
    clock.now += 3600

    assert await call(service) is None
    assert (await service.ask("/admin/switches")).json() == {
        "items": [IsPartialDict(name="emergency", on=False, off_at="2027-01-15T09:00:00Z")],
        "next": None,
    }
    assert 'smartrouting_switch_on{switch="emergency"} 0.0' in await service.read_metrics()


async def test_another_process_sets_it(service: Service, tmp_path: Path) -> None:
    """A switch set elsewhere counts here a moment later."""
    database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
    switch = StoredSwitch(name="emergency", on=True, reason="fire", off_at=None, author="bo", at=0.0)
    await SwitchStore(database=database).put(switch)
    await database.close()

    async def look() -> bool | None:
        return await call(service) == REDIRECTED or None

    assert await wait_for(look)


async def test_last_known_states_without_the_database(service: Service, tmp_path: Path, clock: Clock) -> None:
    """While the database is away, and after a start without it, calls are decided by what was set last."""
    await put(service)
    file = tmp_path / "journal" / "live-switches.json"

    async def saved() -> bool | None:
        return file.exists() or None

    await wait_for(saved)
    with closing(sqlite3.connect(tmp_path / "smartrouting.db", isolation_level=None, timeout=60)) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        async with open_service(tmp_path, clock=clock, store={"journal": tmp_path / "journal"}) as other:
            assert await call(other) == REDIRECTED
            assert (await other.ask("/admin/switches/emergency")).json() == IsPartialDict(on=True, author="anna")
        locker.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"on": True}, ""),
        ({"on": True, "reason": " "}, ""),
        ({"on": "yes", "reason": "x"}, "/on"),
        ({"on": False, "off_at": "2027-01-15T09:00:00Z"}, ""),
        ({**ON, "off_at": "2027-01-15T09:00:00"}, "/off_at"),
        ({**ON, "until": "2027-01-15T09:00:00Z"}, "/*"),
    ],
)
async def test_what_cannot_be_meant_is_refused(service: Service, body: dict[str, Any], pointer: str) -> None:
    """A switch is turned on for a reason, and goes off at a moment with a time zone."""
    refused = await Administrator(service).send("PUT", "/admin/switches/emergency", body)

    assert (refused.status_code, [error["pointer"] for error in refused.json()["errors"]]) == (422, [pointer])
    assert (await service.ask("/admin/switches/emergency")).status_code == 404


async def test_limits(service: Service) -> None:
    """A moment that is over, a name that no rule could say, one switch too many, and one that rules test."""
    admin = Administrator(service)
    over = await admin.send("PUT", "/admin/switches/emergency", {**ON, "off_at": "2027-01-15T08:00:00Z"})
    odd = await admin.send("PUT", "/admin/switches/an.odd.name", ON)
    for number in range(MAX_SWITCHES):
        await put(service, f"s{number}", {"on": False})
    many = await admin.send("PUT", "/admin/switches/emergency", ON)
    deleted = await admin.send("DELETE", "/admin/switches/s0")
    await put(service)
    tested = await admin.send("DELETE", "/admin/switches/emergency")
    gone = await admin.send("DELETE", "/admin/switches/s0")

    answers = (over, odd, many, deleted, tested, gone)
    assert [answer.status_code for answer in answers] == [422, 422, 409, 204, 409, 404]
    assert tested.json()["detail"] == 'Revision 1 tests the switch "emergency"; publish rules without it first.'


async def test_lesser_roles_see_and_do_not_set(service: Service) -> None:
    """A program sees the states, without numbers in reasons, and sets none."""
    await put(service, body={"on": True, "reason": "call +358501234567"})
    program = Administrator(service, PROGRAM_KEY)

    refused = [await program.send(method, "/admin/switches/emergency", ON) for method in ("PUT", "DELETE")]

    assert [answer.status_code for answer in refused] == [403, 403]
    assert await program.read("/admin/switches/emergency") == IsPartialDict(on=True, reason="call [masked]")


async def test_erasure_reaches_reasons(service: Service) -> None:
    """A number in a reason is replaced."""
    await put(service, body={"on": True, "reason": "call +358501234567"})
    erased = await Administrator(service).send("POST", "/admin/erasures", {"number": "+358501234567"})

    assert erased.json()["erased"] == IsPartialDict(switches=1)
    shown = await Administrator(service).read("/admin/switches/emergency")
    assert shown["reason"].startswith("call erased-")


async def test_publishing_names_switches_that_nobody_set(service: Service) -> None:
    """A rule that tests a switch without an owner is refused, until somebody sets it."""
    admin = Administrator(service)
    await put(service, body={"on": False})
    draft = await admin.draft(source="current")
    rule = {
        "id": "typo",
        "when": {"fact": "switch.emergancy", "op": "is", "value": True},
        "then": {"no_change": True},
    }
    draft = await admin.change("POST", draft, "/rules", rule)

    refused = await admin.publish(draft, 1)
    await put(service, "emergancy", {"on": False})
    published = await admin.publish(draft, 1)

    assert (refused.status_code, published.status_code) == (422, 200)
    assert refused.json()["errors"] == [
        IsPartialDict(
            code="unknown-switch",
            pointer="/rules/1/when/fact",
            detail='No switch is called "emergancy".',
            hint='Did you mean "emergency"?',
        )
    ]


async def test_replay_and_simulation_take_switches(service: Service) -> None:
    """A recorded call is replayed with the states it saw, a made-up one with those that are given."""
    await put(service)
    await call(service)
    await put(service, body={"on": False})
    await service.list_decisions(1)
    admin = Administrator(service)

    replayed = await admin.replay("current")
    simulated = await service.simulate(call={"anum": STRANGER}, switches={"emergency": True})

    assert replayed["result"] == IsPartialDict(calls=1, changed=0)
    assert simulated.json()["answer"]["body"] == REDIRECTED
    assert (await service.simulate(call={"anum": STRANGER})).json()["answer"]["body"] is None


async def test_recorded_tests_keep_the_state(service: Service) -> None:
    """A call that became a test assumes the switch as it was."""
    await put(service)
    await call(service)
    (decision,) = await service.list_decisions(1)
    await put(service, body={"on": False})
    admin = Administrator(service)
    draft = await admin.draft(source="current")

    added = await admin.send("POST", f"/admin/decisions/{decision['id']}/test", etag=draft.etag, draft=draft.id)

    assert added.status_code == 201, added.text
    assert added.json()["document"]["tests"][-1] == IsPartialDict(
        switches={"emergency": True}, facts={}, expect=IsPartialDict(rule="emergency")
    )
    report = (await admin.send("POST", f"{draft.path}/validate")).json()
    assert report["publishable"], report


def test_states_by_time() -> None:
    """On lasts until the moment at which it goes off."""
    assert [Switch(on=True, off_at=10.0).is_on(at) for at in (9.9, 10.0)] == [True, False]
    assert [Switch(on=True).is_on(0.0), Switch(on=False).is_on(0.0)] == [True, False]
