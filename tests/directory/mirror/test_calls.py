"""What a queue and an operator see of the mirror."""

from pathlib import Path
from typing import Any

from tests.support.service import VIP_ANSWER, VIP_RULES, Service, open_service, wait_for

CONTOSO = "00000000-0000-4000-8000-0000000000a1"
GROUP = "00000000-0000-4000-8000-0000000000a2"


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def make_vip(number: int, phone: str, **columns: object) -> dict[str, Any]:
    """Make a contact of a company whose parent is a preferred customer."""
    return {
        "contactid": guid(number),
        "fullname": f"Contact {number}",
        "mobilephone": phone,
        "_parentcustomerid_value": CONTOSO,
        **columns,
    }


def make_tables(*contacts: dict[str, Any]) -> dict[str, Any]:
    accounts = [
        {"accountid": GROUP, "name": "Group", "accountcategorycode": 1},
        {"accountid": CONTOSO, "name": "Contoso", "_parentaccountid_value": GROUP},
    ]
    return {"accounts": accounts, "contacts": list(contacts)}


async def wait_until_loaded(service: Service) -> None:
    async def read() -> bool | None:
        dependencies = (await service.client.get("/health/dependencies")).json()["dependencies"]
        return {"name": "mirror", "state": "ok", "detail": ""} in dependencies or None

    await wait_for(read)


def count_look_ups(service: Service) -> int:
    """Count the questions for records by number, as a call asks them."""
    return sum("$filter" in request.options for request in service.dataverse.requests)


async def test_notations_that_live_look_ups_miss_are_recognised_and_dataverse_is_not_asked(tmp_path: Path) -> None:
    """A number is read, with the country of the record's address, and not compared as text."""
    numbers = {
        "+358405551359": make_vip(1, "+358 405551359 "),
        "+14155552671": make_vip(2, "+1 (415) 555-2671"),
        "+33612341470": make_vip(3, "06.12.34.14.70", address1_country="France"),
        "+442079460946": make_vip(4, "(020) 7946 0946", address1_country="UK"),
        "+358401234999": make_vip(5, "040 1234999 ext. 12"),
        "+358501112223": make_vip(6, "Mob. 050 1112223 (work), home 09 1234567"),
    }
    tables = make_tables(*numbers.values())
    async with open_service(tmp_path, rules=VIP_RULES, tables=tables, dataverse={"directory": "mirror"}) as service:
        await wait_until_loaded(service)
        answers = {number: (await service.call(number)).json() for number in numbers}
        decisions = await service.list_decisions(len(numbers))

    assert answers == dict.fromkeys(numbers, VIP_ANSWER)
    assert {decision["caller_source"] for decision in decisions} == {"mirror"}
    assert count_look_ups(service) == 0
