"""Who is a VIP, directly or through their company, asked through the front door."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import VIP_RULES, open_service

NUMBER = "+358501234567"
CONTACT_FLAG = {"table": "contact", "column": "new_vip", "op": "is", "value": True, "label": "is a VIP"}
PREFERRED = {"table": "account", "column": "accountcategorycode", "op": "is", "value": 1, "label": "is preferred"}
CRITERIA = {"criteria": [CONTACT_FLAG, PREFERRED]}


def make_id(kind: str, number: int) -> str:
    """Make the id of a record."""
    return f"{kind}0000000-0000-4000-8000-{number:012}"


def make_contact(number: int = 1, **columns: object) -> dict[str, object]:
    """Make a contact who has the number and nothing else."""
    return {"contactid": make_id("c", number), "fullname": f"Person {number}", "mobilephone": NUMBER} | columns


def make_account(number: int = 1, **columns: object) -> dict[str, object]:
    """Make a company without a number."""
    return {"accountid": make_id("a", number), "name": f"Company {number}"} | columns


def belong_to(number: int) -> dict[str, str]:
    """Point a contact to its company."""
    return {"parentcustomerid_account@odata.bind": f"/accounts({make_id('a', number)})"}


def report_to(number: int) -> dict[str, str]:
    """Point a company to its parent."""
    return {"_parentaccountid_value": make_id("a", number)}


async def judge(
    folder: Path, tables: Mapping[str, Any], *, vip: Mapping[str, Any] = CRITERIA, number: str = NUMBER, **groups: Any
) -> tuple[int, str, object, object, int]:
    """Call, and return the answer's status, the caller's status, the facts about VIP, and how many records matched."""
    async with open_service(folder, rules=VIP_RULES, tables=tables, vip=vip, **groups) as service:
        answer = await service.call(number)
        explained = await service.explain_last()
    facts = explained["facts"]
    return (
        answer.status_code,
        explained["caller_status"],
        facts["caller.vip"],
        facts["caller.vip_reason"],
        facts["caller.matches"],
    )


async def test_flag_on_the_contact(tmp_path: Path) -> None:
    """A contact with the flag is a VIP; one without, or with an empty one, is not."""
    (flagged, plain, empty) = (tmp_path / name for name in ("flagged", "plain", "empty"))
    for folder in (flagged, plain, empty):
        folder.mkdir()

    assert await judge(flagged, {"contacts": [make_contact(new_vip=True)]}) == (
        *(200, "identified", True, "contact is a VIP", 1),
    )
    assert await judge(plain, {"contacts": [make_contact(new_vip=False)]}) == (204, "identified", False, None, 1)
    others = [make_contact(new_vip=None), make_contact(2, mobilephone="+358509999999", new_vip=True)]
    assert await judge(empty, {"contacts": others}) == (204, "identified", False, None, 1)


async def test_company_of_the_contact(tmp_path: Path) -> None:
    """A contact of a preferred company is a VIP, and the reason names the company."""
    tables = {
        "contacts": [make_contact(new_vip=False, **belong_to(1))],
        "accounts": [make_account(accountcategorycode=1)],
    }

    assert await judge(tmp_path, tables) == (200, "identified", True, "account Company 1 is preferred", 1)


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (2, (200, "identified", True, "parent account Company 3 is preferred", 1)),
        (3, (200, "identified", True, "parent account Company 3 is preferred", 1)),
        (1, (204, "identified", False, None, 1)),
        (0, (204, "identified", False, None, 1)),
    ],
)
async def test_parents_count_to_the_configured_depth(tmp_path: Path, depth: int, expected: tuple[object, ...]) -> None:
    """Companies above the contact's count as far up as the settings say."""
    tables = {
        "contacts": [make_contact(new_vip=False, **belong_to(1))],
        "accounts": [
            make_account(1, **report_to(2)),
            make_account(2, **report_to(3)),
            make_account(3, accountcategorycode=1),
        ],
    }

    assert await judge(tmp_path, tables, vip=CRITERIA | {"account_depth": depth}) == expected


async def test_company_with_the_number_itself(tmp_path: Path) -> None:
    """A company calling from its own number is a VIP by itself or by its parent."""
    tables = {
        "contacts": [make_contact(mobilephone=None, new_vip=False)],
        "accounts": [
            make_account(1, telephone1="050 123 4567", **report_to(2)),
            make_account(2, accountcategorycode=1),
        ],
    }

    assert await judge(tmp_path, tables) == (200, "identified", True, "parent account Company 2 is preferred", 1)


async def test_switchboard_and_employee_are_one_caller(tmp_path: Path) -> None:
    """A contact and their own company sharing a number do not disagree: the contact is the caller."""
    tables = {
        "contacts": [make_contact(new_vip=False, **belong_to(1))],
        "accounts": [make_account(1, telephone1=NUMBER, accountcategorycode=1)],
    }

    assert await judge(tmp_path, tables) == (200, "identified", True, "account Company 1 is preferred", 2)


async def test_circle_of_companies_ends(tmp_path: Path) -> None:
    """Companies that are each other's parents are walked once."""
    tables = {
        "contacts": [make_contact(new_vip=False, **belong_to(1))],
        "accounts": [make_account(1, accountcategorycode=2, **report_to(2)), make_account(2, **report_to(1))],
    }

    assert await judge(tmp_path, tables, vip=CRITERIA | {"account_depth": 5}) == (204, "identified", False, None, 1)


@pytest.mark.parametrize("policy", ["any", "all", "unknown"])
async def test_duplicates_that_agree_are_one_caller(tmp_path: Path, policy: str) -> None:
    """Records of one company that say the same about VIP are no ambiguity under any policy."""
    tables = {
        "contacts": [make_contact(n, new_vip=True, **belong_to(1)) for n in (1, 2)],
        "accounts": [make_account(accountcategorycode=2)],
    }

    assert await judge(tmp_path, tables, vip=CRITERIA | {"ambiguous": policy}) == (
        *(200, "identified", True, "contact is a VIP", 2),
    )


@pytest.mark.parametrize(
    ("policy", "status", "vip"),
    [
        ("any", 200, True),
        ("all", 204, False),
        ("unknown", 204, {"unknown": "ambiguous", "detail": "several records carry the number and disagree"}),
    ],
)
async def test_duplicates_that_disagree_follow_the_policy(
    tmp_path: Path, policy: str, status: int, vip: object
) -> None:
    """When one of several records is a VIP, the configured policy decides, and the reason says so."""
    contacts = [make_contact(1, new_vip=True), make_contact(2, new_vip=False), make_contact(3, new_vip=False)]

    found = await judge(tmp_path, {"contacts": contacts}, vip=CRITERIA | {"ambiguous": policy})

    reason = vip if policy == "unknown" else f"1 of 3 records with this number is a VIP; policy {policy}"
    assert found == (status, "ambiguous", vip, reason, 3)


async def test_strangers_who_share_a_number_are_ambiguous(tmp_path: Path) -> None:
    """Two contacts of different companies are ambiguous even when neither is a VIP."""
    tables = {
        "contacts": [make_contact(n, new_vip=False, **belong_to(n)) for n in (1, 2)],
        "accounts": [make_account(n, accountcategorycode=2) for n in (1, 2)],
    }

    assert await judge(tmp_path, tables) == (204, "ambiguous", False, None, 2)


async def test_inactive_records_are_ignored(tmp_path: Path) -> None:
    """Deactivated contacts and companies are not found."""
    tables = {
        "contacts": [make_contact(1, new_vip=True, statecode=1, statuscode=2), make_contact(2, new_vip=False)],
        "accounts": [make_account(1, telephone1=NUMBER, accountcategorycode=1, statecode=1, statuscode=2)],
    }

    assert await judge(tmp_path, tables) == (204, "identified", False, None, 1)


async def test_custom_phone_and_vip_columns(tmp_path: Path) -> None:
    """Numbers are searched in the configured columns only, and VIP is judged by the configured one."""
    columns = {"mobilephone": NUMBER, "new_hotline": "+358 40 765 4321", "new_tier": "Gold"}
    vip = {"criteria": [{"table": "contact", "column": "new_tier", "op": "in", "value": ["gold", "platinum"]}]}
    dataverse = {"contact_phone_columns": ["new_hotline"]}
    found, missed = tmp_path / "found", tmp_path / "missed"
    for folder in (found, missed):
        folder.mkdir()
    tables = {"contacts": [make_contact(**columns)]}

    assert await judge(found, tables, vip=vip, number="+358407654321", dataverse=dataverse) == (
        *(200, "identified", True, "contact has new_tier in gold, platinum", 1),
    )
    assert await judge(missed, tables, vip=vip, dataverse=dataverse) == (204, "unknown", False, None, 0)


STORED = {
    "+491712345678": ("+491712345678", "491712345678", "00491712345678", "01712345678", "+49 171 2345678"),
    "+4917123456789": ("+49 171 23456789", "0171 23456789", "+49 (0)171 23456789", "0171/23456789"),
    "+13175550125": ("(317) 555-0125", "317-555-0125", "+1 317-555-0125", "3175550125", "+13175550125"),
    "+358501234567": (
        *("+358501234567", "358501234567", "00358501234567", "0501234567", "+358 50 1234567", "050 1234567"),
        *("+358-50-1234567", "050-1234567", "+358 50 123 4567", "050 123 4567", "tel:+358501234567"),
    ),
    "+358942450100": ("+358 9 42450100", "09 42450100", "09 4245 0100", "09-42450100", "0942450100"),
}
REGIONS = {"+49": "DE", "+1": "US", "+358": "FI"}


@pytest.mark.parametrize("number", STORED)
async def test_stored_spellings_are_found(tmp_path: Path, number: str) -> None:
    """However a CRM stores a number, the caller is recognised by it in any phone column."""
    region = next(region for prefix, region in REGIONS.items() if number.startswith(prefix))
    columns = ("mobilephone", "telephone1", "telephone2")
    found: dict[str, str] = {}
    for index, spelling in enumerate(STORED[number]):
        contact = make_contact(mobilephone=None) | {columns[index % 3]: spelling}
        folder = tmp_path / str(index)
        folder.mkdir()
        async with open_service(folder, tables={"contacts": [contact]}, phone={"default_region": region}) as service:
            answer = await service.simulate(call={"anum": number})
            found[spelling] = answer.json()["caller"]["status"]

    assert found == dict.fromkeys(STORED[number], "identified")


async def test_similar_numbers_are_not_mistaken(tmp_path: Path) -> None:
    """A record found by an ambiguous spelling counts only when its number, read again, is the caller's."""
    contacts = [
        make_contact(1, mobilephone="+46 501234567 ext 5", new_vip=True),
        make_contact(2, mobilephone="+1 501234567"),
    ]

    assert await judge(tmp_path, {"contacts": contacts}) == (204, "unknown", False, None, 0)
