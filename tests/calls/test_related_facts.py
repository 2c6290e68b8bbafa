"""Facts about what belongs to a caller, as the queue gets them, and what each costs Dataverse."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.database import open_database
from app.users.store import EnreachIdStore
from tests.support.service import UNHURRIED, Service, open_service, wait_for

NUMBER = "+358501234567"
ANNA, CONTOSO, GROUP = (f"00000000-0000-4000-8000-0000000000{place}" for place in ("c1", "a1", "a2"))
OWNER, PREFERRED, CLERK, TALKER = (f"50000000-0000-4000-8000-00000000000{n}" for n in range(1, 5))
AGENTS = {OWNER: "agent-owner", PREFERRED: "agent-preferred", CLERK: "agent-clerk", TALKER: "agent-talker"}
NOON = "2026-11-27T12:00:00Z"
TABLES: dict[str, Any] = {
    "systemusers": [{"systemuserid": user, "fullname": agent, "employeeid": agent} for user, agent in AGENTS.items()],
    "accounts": [
        {"accountid": GROUP, "name": "Group", "accountcategorycode": 1, "address1_city": "Espoo"},
        {
            "accountid": CONTOSO,
            "name": "Contoso",
            "_parentaccountid_value": GROUP,
            "_ownerid_value": OWNER,
            "_preferredsystemuserid_value": PREFERRED,
        },
    ],
    "contacts": [
        {"contactid": ANNA, "fullname": "Anna", "mobilephone": NUMBER, "_parentcustomerid_value": CONTOSO},
    ],
    "incidents": [
        {
            "incidentid": "10000000-0000-4000-8000-000000000001",
            "title": "old",
            "_customerid_value": ANNA,
            "prioritycode": 3,
            "createdon": "2026-11-20T12:00:00Z",
        },
        {
            "incidentid": "10000000-0000-4000-8000-000000000002",
            "title": "new",
            "_customerid_value": CONTOSO,
            "prioritycode": 1,
            "isescalated": True,
            "createdon": "2026-11-27T06:00:00Z",
            "_ownerid_value": CLERK,
        },
        {
            "incidentid": "10000000-0000-4000-8000-000000000003",
            "title": "resolved",
            "_customerid_value": ANNA,
            "statecode": 1,
            "createdon": "2026-11-27T09:00:00Z",
        },
    ],
    "phonecalls": [
        {
            "activityid": "20000000-0000-4000-8000-000000000001",
            "_regardingobjectid_value": ANNA,
            "statecode": 1,
            "actualend": "2026-11-26T12:00:00Z",
            "_ownerid_value": TALKER,
        },
        {
            "activityid": "20000000-0000-4000-8000-000000000002",
            "_regardingobjectid_value": ANNA,
            "statecode": 1,
            "actualend": "2026-11-25T12:00:00Z",
            "_ownerid_value": OWNER,
        },
        {
            "activityid": "20000000-0000-4000-8000-000000000003",
            "_regardingobjectid_value": ANNA,
            "statecode": 0,
            "directioncode": True,
            "_ownerid_value": OWNER,
        },
    ],
}
FACTS: dict[str, tuple[object, int]] = {
    "account.owner_agent": ("agent-owner", 0),
    "caller.preferred_agent": ("agent-preferred", 0),
    "account.columns._preferredsystemuserid_value": ("agent-preferred", 0),
    "account.parent.vip": (True, 0),
    "account.parent.columns.address1_city": ("Espoo", 0),
    "caller.open_cases": (2, 1),
    "caller.case.owner_agent": ("agent-clerk", 1),
    "caller.case.priority": (1, 1),
    "caller.case.escalated": (True, 1),
    "caller.case.age_hours": (6.0, 1),
    "caller.case.columns.title": ("new", 1),
    "caller.last_agent": ("agent-talker", 1),
    "caller.callback_pending": (True, 1),
}
"""What each fact is here, and how many requests a look-up makes for it."""


def make_rules(*facts: str) -> dict[str, Any]:
    """Make rules that read these facts and decide nothing."""
    return {
        "rules": [{"id": fact, "when": {"fact": fact, "op": "exists"}, "then": {"no_change": True}} for fact in facts]
    }


@asynccontextmanager
async def open_world(
    folder: Path, rules: dict[str, Any], *, column: bool, mirror: bool = False
) -> AsyncIterator[Service]:
    """Open a service whose Enreach ids are in a column of Dynamics users, or in its own store."""
    dataverse = {"agent_id_column": "employeeid"} if column else {}
    dataverse |= {"directory": "mirror", "mirror_poll_seconds": 1} if mirror else {}
    groups = {"dataverse": dataverse, "webhook": UNHURRIED, "cache": {"fresh_seconds": 0}}
    async with open_service(folder, rules=rules, tables=TABLES, **groups) as service:
        if not column:
            database = open_database(service.settings.store.url)
            await EnreachIdStore(database=database).put_enreach_ids(AGENTS, now=1.0)
            await database.close()
        yield service


async def read_facts(service: Service, *, ready: str, is_value: object) -> dict[str, object]:
    """Return the facts of a call as soon as one is what it should be: ids and index come in a moment."""

    async def read() -> dict[str, object] | None:
        facts: dict[str, object] = (await service.simulate(call={"anum": NUMBER}, at=NOON)).json()["facts"]
        return facts if facts.get(ready) == is_value else None

    return await wait_for(read)


@pytest.mark.parametrize("mirror", [False, True], ids=["live", "mirror"])
@pytest.mark.parametrize("column", [True, False], ids=["column", "store"])
async def test_what_belongs_to_a_caller_is_told(tmp_path: Path, *, column: bool, mirror: bool) -> None:
    """Owner and preferred user of the company, its parent, the newest open case, phone calls; users by Enreach id."""
    rules = make_rules(*FACTS)
    async with open_world(tmp_path, rules, column=column, mirror=mirror) as service:
        if mirror:
            await wait_until_mirrored(service)
        facts = await read_facts(service, ready="caller.last_agent", is_value="agent-talker")

    assert {name: facts[name] for name in FACTS} == {name: value for name, (value, _) in FACTS.items()}


async def wait_until_mirrored(service: Service) -> None:
    """Wait until calls are answered from the index."""

    async def read() -> bool | None:
        return (await service.simulate(call={"anum": NUMBER})).json()["source"] == "mirror" or None

    await wait_for(read)


def count_questions(service: Service) -> int:
    """Count what calls have asked Dataverse; the index is read without a filter."""
    return sum("$filter" in request.options for request in service.dataverse.requests)


@pytest.mark.parametrize("mirror", [False, True], ids=["live", "mirror"])
@pytest.mark.parametrize("fact", FACTS)
async def test_requests_per_look_up(tmp_path: Path, fact: str, *, mirror: bool) -> None:
    """Most facts come along with questions that are asked anyway; cases and phone calls are one request each."""
    async with open_world(tmp_path, make_rules(fact), column=False, mirror=mirror) as service:
        if mirror:
            await wait_until_mirrored(service)
        before = count_questions(service)
        await service.call(NUMBER)
        asked = count_questions(service) - before

    assert asked == (0 if mirror else 2) + FACTS[fact][1]


async def test_cases_and_phone_calls_are_two_requests_for_all_their_facts(tmp_path: Path) -> None:
    """However many facts the rules read, a look-up is four requests."""
    async with open_world(tmp_path, make_rules(*FACTS), column=False) as service:
        await service.call(NUMBER)

        tables = [request.path.rsplit("/", 1)[1] for request in service.dataverse.requests]

    assert sorted(tables) == ["accounts", "contacts", "incidents", "phonecalls"]


async def test_case_and_last_agent_route_a_call(tmp_path: Path) -> None:
    """The owner of the newest case gets the call of an escalated one."""
    rules = {
        "rules": [
            {
                "id": "case",
                "when": {"fact": "caller.case.escalated", "op": "is", "value": True},
                "then": {"redirect_to_agent": "caller.case.owner_agent"},
            }
        ]
    }
    async with open_world(tmp_path, rules, column=True) as service:
        answer = await service.call(NUMBER)

    assert answer.json() == {"InitialTarget": "agent-clerk"}


async def test_what_cannot_be_had_is_unknown_and_costs_no_call_its_caller(tmp_path: Path) -> None:
    """When cases and phone calls fail, their facts carry the cause, and the caller is known all the same."""
    rules = make_rules(*FACTS)
    async with open_world(tmp_path, rules, column=True) as service:
        faults = [{"kind": "status", "status": 503, "table": table} for table in ("incidents", "phonecalls")]
        transport = httpx.ASGITransport(service.dataverse)
        async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as emulator:
            (await emulator.put("/_emulator/faults", json=faults)).raise_for_status()
        facts = (await service.simulate(call={"anum": NUMBER})).json()["facts"]

    unknown = {name for name, value in facts.items() if isinstance(value, dict) and value["unknown"] == "error"}
    assert unknown == {name for name, (_, requests) in FACTS.items() if requests}
    assert (facts["caller.status"], facts["account.owner_agent"]) == ("identified", "agent-owner")


async def test_nobody_has_nothing(tmp_path: Path) -> None:
    """A number that nobody has: no agents, no case, nothing pending, and nothing is unknown."""
    async with open_world(tmp_path, make_rules(*FACTS), column=True) as service:
        facts = (await service.simulate(call={"anum": "+358401112233"})).json()["facts"]

    expected: dict[str, object] = dict.fromkeys(FACTS)
    expected |= {"account.parent.vip": False, "caller.callback_pending": False, "caller.open_cases": 0}
    assert {name: facts[name] for name in FACTS} == expected


async def test_a_pretended_caller_has_what_is_said(tmp_path: Path) -> None:
    """A simulation, and so a stored test, says of a caller what Dataverse would."""
    caller = {
        "preferred_agent": "p",
        "last_agent": "l",
        "callback_pending": True,
        "open_cases": 2,
        "case": {"owner_agent": "c", "priority": 1, "escalated": True, "age_hours": 6, "columns": {"title": "new"}},
        "account": {
            "owner_agent": "o",
            "columns": {"_preferredsystemuserid_value": "p"},
            "parent": {"vip": True, "columns": {"address1_city": "Espoo"}},
        },
    }
    async with open_world(tmp_path, make_rules(*FACTS), column=False) as service:
        full = (await service.simulate(call={"anum": NUMBER}, caller=caller)).json()["facts"]
        empty = (await service.simulate(call={"anum": NUMBER}, caller={})).json()["facts"]

    wanted = {name: value for name, (value, _) in FACTS.items()}
    wanted |= {"account.owner_agent": "o", "caller.preferred_agent": "p", "caller.case.owner_agent": "c"}
    wanted |= {"caller.last_agent": "l", "account.columns._preferredsystemuserid_value": "p"}
    assert {name: full[name] for name in FACTS} == wanted
    nothing: dict[str, object] = dict.fromkeys(FACTS)
    nothing |= {"account.parent.vip": False, "caller.callback_pending": False, "caller.open_cases": 0}
    assert {name: empty[name] for name in FACTS} == nothing
