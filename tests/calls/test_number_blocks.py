"""Callers behind a switchboard, of whom only the company's number block is registered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_settings import save
from tests.support.mirrored import count_look_ups, fail_everything, guid, open_mirrored
from tests.support.service import PROGRAM_KEY, Service, open_service

EXTENSION = "+493023125123"
RULES = {
    "destinations": {"vip": {"kind": "queue", "id": "vips"}, "company": {"kind": "queue", "id": "companies"}},
    "rules": [
        {
            "id": "vip",
            "when": {
                "all": [
                    {"fact": "caller.vip", "op": "is", "value": True},
                    {"fact": "caller.match", "op": "is", "value": "exact"},
                ]
            },
            "then": {"redirect": "vip"},
        },
        {
            "id": "company",
            "when": {"fact": "caller.confidence", "op": "between", "value": [0.6, 0.99]},
            "then": {"redirect": "company"},
        },
    ],
}
ACCOUNTS = [
    {"accountid": guid(1), "name": "Berlin", "telephone1": "+49 30 23125-0", "accountcategorycode": 1},
    {"accountid": guid(2), "name": "Head", "telephone1": "+49 30 2312-0"},
]
TABLES: Mapping[str, Any] = {
    "accounts": ACCOUNTS,
    "contacts": [{"contactid": guid(3), "fullname": "Colleague", "mobilephone": "+49 30 23125-1"}],
}
BY_BLOCK = {"InitialTarget": "companies"}


async def read_match(service: Service, number: str = EXTENSION) -> dict[str, Any]:
    """Return what a simulated call tells of the caller."""
    caller: dict[str, Any] = (await service.simulate(call={"anum": number}, key=PROGRAM_KEY)).json()["caller"]
    return {name: caller[name] for name in ("status", "kind", "vip", "match", "confidence", "matches")}


async def test_caller_behind_a_switchboard_is_the_company_when_switched_on(tmp_path: Path) -> None:
    """Off by default; switched on while the service runs; a rule that wants an exact match does not apply."""
    async with open_service(tmp_path, rules=RULES, tables=TABLES) as service:
        before = await service.call(EXTENSION)
        await save(service, "smart-routing", number_blocks=True)
        asked = count_look_ups(service.dataverse)
        after = await service.call(EXTENSION)
        asked = count_look_ups(service.dataverse) - asked
        exact = await service.call("+4930231250")
        last = await service.explain_last(calls=3)
        facts = (await service.ask(f"/admin/decisions/{(await service.list_decisions(3))[1]['id']}")).json()["facts"]
        told = await read_match(service)

    assert (before.status_code, after.json(), exact.json()) == (204, BY_BLOCK, {"InitialTarget": "vips"})
    assert asked == 3
    assert {name: facts[f"caller.{name}"] for name in ("match", "confidence", "explanation")} == {
        "match": "block",
        "confidence": 0.7,
        "explanation": "nobody has the number itself: it lies in the number block of an account",
    }
    assert (last["facts"]["caller.match"], last["facts"]["caller.confidence"]) == ("exact", 1.0)
    assert told == {
        "status": "identified",
        "kind": "account",
        "vip": True,
        "match": "block",
        "confidence": 0.7,
        "matches": 1,
    }


async def test_mirror_finds_the_block_without_dataverse(tmp_path: Path) -> None:
    """Dataverse is asked once whether it knows the number by now, and when it is away the index answers alone."""
    phone = {"number_blocks": True}
    async with open_mirrored(tmp_path, TABLES, rules=RULES, phone=phone) as service:
        first = await service.call(EXTENSION)
        asked = count_look_ups(service.dataverse)
        again = [(await service.call(EXTENSION)).json() for _ in range(3)]
        stays = count_look_ups(service.dataverse)
        await fail_everything(service.dataverse)
        away = await service.call("+493023125124")
        head = await service.call("+493023129999")
        told = await read_match(service, "+493023129999")

    assert (first.json(), again, away.json(), head.json()) == (BY_BLOCK, [BY_BLOCK] * 3, BY_BLOCK, BY_BLOCK)
    assert (asked, stays) == (3, 3)
    assert (told["match"], told["confidence"], told["vip"]) == ("block", 0.6, False)


@pytest.mark.parametrize(
    "number",
    ["+493023126123", "+433023125123", "+49302312512345", "+14155550123"],
    ids=["another company", "another country", "more than four digits", "north america"],
)
async def test_who_lies_in_no_block_is_nobody(tmp_path: Path, number: str) -> None:
    """At most four digits are dropped, within the country, and never in North America."""
    accounts = [*ACCOUNTS[:1], {"accountid": guid(4), "name": "Boston", "telephone1": "+1 415 555 0120"}]
    async with open_service(
        tmp_path, rules=RULES, tables={"accounts": accounts}, phone={"number_blocks": True}
    ) as service:
        answer = await service.call(number)
        told = await read_match(service, number)

    assert answer.status_code == 204
    assert told == {
        "status": "unknown",
        "kind": None,
        "vip": False,
        "match": None,
        "confidence": 0.0,
        "matches": 0,
    }
