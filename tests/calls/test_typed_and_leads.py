"""Callers recognised by what they typed, and leads: each only where it is switched on."""

from pathlib import Path
from typing import Any

import pytest

from app.emulators.faults import Fault, FaultKind
from tests.support.live_settings import save
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, UNHURRIED, Service, open_service

ANNA, LEAD, STRANGER = "+358501112223", "+358501112224", "+358501112225"
TYPED = {"parameter": "DYN_PAR_Customer", "table": "account", "column": "accountnumber"}
TABLES: dict[str, Any] = {
    "accounts": [
        {
            "accountid": "00000000-0000-4000-8000-0000000000a1",
            "name": "Contoso",
            "accountnumber": "C-4711",
            "accountcategorycode": 1,
        },
        {"accountid": "00000000-0000-4000-8000-0000000000a2", "name": "Twin", "accountnumber": "C-1"},
        {"accountid": "00000000-0000-4000-8000-0000000000a3", "name": "Twin too", "accountnumber": "C-1"},
    ],
    "contacts": [
        {"contactid": "00000000-0000-4000-8000-0000000000c1", "fullname": "Anna", "mobilephone": ANNA},
    ],
    "leads": [
        {"leadid": "00000000-0000-4000-8000-0000000000d1", "fullname": "Lea", "mobilephone": "050 1112224"},
        {"leadid": "00000000-0000-4000-8000-0000000000d2", "fullname": "Anna as a lead", "mobilephone": ANNA},
        {"leadid": "00000000-0000-4000-8000-0000000000d3", "mobilephone": STRANGER, "statecode": 2},
    ],
}
RULES: dict[str, Any] = {
    "destinations": {"vip": {"kind": "queue", "id": "vip"}, "sales": {"kind": "queue", "id": "sales"}},
    "rules": [
        {"id": "vip", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"redirect": "vip"}},
        {"id": "lead", "when": {"fact": "caller.kind", "op": "is", "value": "lead"}, "then": {"redirect": "sales"}},
    ],
}


async def route(service: Service, anum: str, typed: object = None) -> str | None:
    """Call, having typed something, and return where the call goes."""
    extra = {} if typed is None else {"DYN_PAR_Customer": typed}
    answer = await service.call(anum, extradata=extra)
    return answer.json()["InitialTarget"] if answer.status_code == 200 else None


def list_questions(service: Service) -> list[str]:
    """List the tables that calls have asked for."""
    return [request.path.rsplit("/", 1)[1] for request in service.dataverse.requests if "$filter" in request.options]


@pytest.mark.parametrize("directory", ["live", "mirror"])
async def test_what_a_caller_typed_identifies_whom_the_number_does_not(tmp_path: Path, directory: str) -> None:
    """A stranger and a hidden number are known by their customer number; a wrong or shared one identifies nobody."""
    dataverse = {"typed_lookup": TYPED, "directory": directory}
    async with open_service(tmp_path, rules=RULES, tables=TABLES, dataverse=dataverse, webhook=UNHURRIED) as service:
        typed = {text: await route(service, STRANGER, text) for text in ("C-4711", "c-4711 ", "C-1", "C-2", "C%", "")}
        hidden = await route(service, "anonymous", "C-4711")
        known = await route(service, ANNA, "C-4711")
        plain = await route(service, STRANGER)

    assert typed == {"C-4711": "vip", "c-4711 ": "vip", "C-1": None, "C-2": None, "C%": None, "": None}
    assert (hidden, known, plain) == ("vip", None, None)


async def test_one_more_request_only_for_whom_the_number_does_not_identify(tmp_path: Path) -> None:
    """What was typed is asked for once, and not at all for a caller who is known or typed nothing."""
    async with open_service(
        tmp_path, rules=RULES, tables=TABLES, dataverse={"typed_lookup": TYPED}, webhook=UNHURRIED
    ) as service:
        for anum, typed in ((ANNA, "C-4711"), ("anonymous", None)):
            await route(service, anum, typed)
        without = list_questions(service)
        for _ in range(2):
            await route(service, "anonymous", "C-4711")

        assert (without, list_questions(service)[2:]) == (["contacts", "accounts"], ["accounts"])


async def test_nothing_of_it_without_the_settings(tmp_path: Path) -> None:
    """By default neither what somebody typed nor leads are looked up; either can be switched on while it runs."""
    async with open_service(tmp_path, rules=RULES, tables=TABLES, webhook=UNHURRIED) as service:
        before = [await route(service, STRANGER, "C-4711"), await route(service, LEAD)]
        asked = set(list_questions(service))
        await save(service, "smart-routing", typed_lookup=TYPED, lead_phone_columns=["mobilephone"])
        after = [await route(service, STRANGER, "C-4711"), await route(service, LEAD)]

    assert (before, after, asked) == ([None, None], ["vip", "sales"], {"contacts", "accounts"})


@pytest.mark.parametrize("directory", ["live", "mirror"])
async def test_leads_are_the_third_table(tmp_path: Path, directory: str) -> None:
    """An open lead is a caller of its own kind where no contact and no account has the number."""
    dataverse = {"lead_phone_columns": ["mobilephone"], "directory": directory}
    async with open_service(tmp_path, rules=RULES, tables=TABLES, dataverse=dataverse, webhook=UNHURRIED) as service:
        routed = [await route(service, number) for number in (LEAD, ANNA, STRANGER)]
        facts = (await service.simulate(call={"anum": LEAD})).json()["facts"]

    assert routed == ["sales", None, None]
    assert (facts["caller.name"], facts["caller.matches"], facts["account.id"]) == ("Lea", 1, None)


@pytest.mark.parametrize("status", [403, 404])
async def test_leads_that_may_not_be_read_are_none(tmp_path: Path, status: int) -> None:
    """Contacts are recognised all the same, and leads are asked for once only."""
    dataverse = {"lead_phone_columns": ["mobilephone"]}
    async with open_service(tmp_path, rules=RULES, tables=TABLES, dataverse=dataverse, webhook=UNHURRIED) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=status, table="leads"))
        for number in (ANNA, LEAD):
            await route(service, number)
        seen = [item["caller_status"] for item in await service.list_decisions(2)]

    assert seen == ["unknown", "identified"]
    assert list_questions(service).count("leads") == 1


async def test_a_simulation_hides_whom_a_typed_number_identifies(tmp_path: Path) -> None:
    """Who is recognised by what was typed is a real caller, and hidden from whoever may not see them."""
    call = {"anum": None, "extradata": {"DYN_PAR_Customer": "C-4711"}}
    async with open_service(tmp_path, rules=RULES, tables=TABLES, dataverse={"typed_lookup": TYPED}) as service:
        shown, hidden = [
            (await service.simulate(key=key, call=call)).json()["facts"]["caller.name"]
            for key in (ADMIN_KEY, PROGRAM_KEY)
        ]

    assert (shown, hidden) == ("Contoso", "(hidden)")
