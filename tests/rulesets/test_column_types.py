"""Rules that name the choices of Dataverse columns by their labels."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator
from app.emulators.dataverse.rendering import FORMATTED
from app.emulators.faults import Fault, FaultKind
from tests.routing.examples import leaf
from tests.support.rulesets import Administrator, make_rule
from tests.support.service import Service, open_service

CATEGORY, HOBBIES = "account.columns.accountcategorycode", "caller.columns.new_hobbies"
ACCOUNT, CONTACT = "00000000-0000-0000-0000-0000000000a1", "00000000-0000-0000-0000-0000000000c1"
TABLES = {
    "accounts": [{"accountid": ACCOUNT, "name": "Contoso", "accountcategorycode": 1}],
    "contacts": [
        {
            "contactid": CONTACT,
            "fullname": "Anna",
            "mobilephone": "+358501234567",
            "parentcustomerid_account@odata.bind": f"/accounts({ACCOUNT})",
            "new_hobbies": "1,12",
            f"new_hobbies@{FORMATTED}": "Golf; Chess",
        }
    ],
}
DESTINATIONS = {"vip": {"kind": "queue", "id": "vip-id"}}
GOLD = {
    "destinations": DESTINATIONS,
    "rules": [
        make_rule(
            "gold",
            {"all": [leaf(CATEGORY, "is", "Preferred Customer"), leaf(HOBBIES, "contains", "Chess")]},
            redirect="vip",
        )
    ],
}
DESCRIBED = {
    "account": {"accountcategorycode": {"type": "choice", "choices": {"1": "Preferred Customer", "2": "Standard"}}},
    "contact": {"new_hobbies": {"type": "choices", "choices": {"1": "Golf", "12": "Chess"}}},
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Serve an organisation with choices, and no rules."""
    async with open_service(tmp_path, tables=TABLES) as opened:
        yield opened


def list_metadata_requests(dataverse: DataverseEmulator) -> list[str]:
    """List the questions about columns that the emulator got."""
    return [request.path for request in dataverse.log.requests if "EntityDefinitions" in request.path]


async def test_a_published_label_is_the_value_it_stands_for(service: Service) -> None:
    """Publishing describes the columns in the revision; calls, their trace and replays compare the values."""
    admin = Administrator(service)
    published = await admin.publish(await admin.draft(GOLD), None)
    answer = await service.call()
    explained = await service.explain_last(reveal=True)
    replayed = await admin.replay("current")

    assert published.status_code == 200, published.text
    assert (await admin.read("/admin/rulesets/current"))["document"]["columns"] == DESCRIBED
    assert answer.json() == {"InitialTarget": "vip-id"}
    shown = [
        {name: part[name] for name in ("expected", "expected_label", "actual", "actual_label")}
        for part in explained["trace"]["rules"][0]["when"]["all"]
    ]
    assert shown == [
        {"expected": 1, "expected_label": "Preferred Customer", "actual": 1, "actual_label": "Preferred Customer"},
        {"expected": 12, "expected_label": "Chess", "actual": "1,12", "actual_label": ["Golf", "Chess"]},
    ]
    assert (explained["trace_agrees"], replayed["result"]["changed"]) == (True, 0)


async def test_a_ruleset_that_is_tried_out_knows_labels_too(service: Service) -> None:
    """A simulation shows value and label, and asks about columns once, however often it is repeated."""
    simulated = [(await service.simulate(call={"anum": "+358501234567"}, ruleset=GOLD)).json() for _ in range(3)]

    assert [result["decision"]["rule"] for result in simulated] == ["gold"] * 3
    assert simulated[0]["labels"] == {CATEGORY: "Preferred Customer", HOBBIES: ["Golf", "Chess"]}
    assert len(list_metadata_requests(service.dataverse)) == 4


async def test_a_label_that_no_choice_has_is_refused(service: Service) -> None:
    """The publish check names the mistake and the right spelling, and nothing else."""
    admin = Administrator(service)
    wrong = {
        "destinations": DESTINATIONS,
        "rules": [
            make_rule("label", leaf(CATEGORY, "is", "Prefered Customer"), redirect="vip"),
            make_rule("quoted", leaf(CATEGORY, "is", "2"), redirect="vip"),
            make_rule("part", leaf(HOBBIES, "is", "Golf"), redirect="vip"),
        ],
    }

    refused = await admin.publish(await admin.draft(wrong), None)

    assert [(error["code"], error["pointer"], error["hint"]) for error in refused.json()["errors"]] == [
        ("unknown-choice", "/rules/0/when/value", 'Did you mean "Preferred Customer"?'),
        ("unknown-choice", "/rules/1/when/value", "Write 2 without quotes (Standard)."),
        ("wrong-type", "/rules/2/when/op", "Use `contains`, and `any` for alternatives."),
    ]


async def test_dataverse_that_is_silent_is_a_warning(service: Service) -> None:
    """What could not be checked is said; what a ruleset describes itself is checked all the same."""
    admin = Administrator(service)
    service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=503, table="EntityDefinitions"))
    described = {**GOLD, "columns": DESCRIBED}
    misspelled = {**described, "rules": [make_rule("gold", leaf(CATEGORY, "is", "Gold"), redirect="vip")]}

    checked: list[Any] = []
    for document in (described, misspelled):
        draft = await admin.draft(document)
        report = (await admin.send("POST", f"{draft.path}/validate")).json()
        checked.append([(found["severity"], found["code"]) for found in report["findings"]])

    assert checked == [
        [("warning", "dataverse-silent")],
        [("error", "unknown-choice"), ("warning", "dataverse-silent")],
    ]


async def test_metadata_is_read_beside_the_budget_of_calls(tmp_path: Path) -> None:
    """With nothing left but the calls' share a check says what it could not learn, and a call is still recognised."""
    emulator = create_dataverse_emulator(data=None, static_tokens={"token-of-the-emulator": CLIENT_ID})
    world = Upstreams(dataverse=httpx.ASGITransport(emulator))
    limits = {"requests_per_5_minutes": 20, "tolerant_searches_per_5_minutes": 0}
    async with open_service(tmp_path, upstreams=world, dataverse=limits) as service:
        admin = Administrator(service)
        for last in range(8):
            await service.call(f"+35850123450{last}")
        draft = await admin.draft({"rules": [make_rule("x", leaf(CATEGORY, "is", 1), no_change=True)]})

        report = (await admin.send("POST", f"{draft.path}/validate")).json()
        await service.call("+358501234567")

        assert [found["code"] for found in report["findings"]] == ["dataverse-silent"]
        assert (await service.explain_last(calls=9))["caller_status"] == "identified"
