"""Customers by the thousand, the same each time, with numbers as people type them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
import phonenumbers
import pytest

from app.emulators.dataverse import Tables, add_customers, create_dataverse_emulator, read_tables, sample_tables
from app.emulators.dataverse.phone_spellings import REGIONS

AGENT = "00000000-0000-4000-8000-000000000011"


def make_tables(contacts: int, accounts: int, seed: int = 7) -> Tables:
    tables = read_tables({"systemusers": [{"systemuserid": AGENT, "fullname": "Ann"}]})
    add_customers(tables, contacts=contacts, accounts=accounts, seed=seed)
    return tables


def read_number(row: Mapping[str, Any], column: str) -> str | None:
    """Return the E.164 form of a number, read as one of the row's own country."""
    region = next(region.code for region in REGIONS if region.country == row["address1_country"])
    try:
        number = phonenumbers.parse(row[column], region)
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else None


@pytest.mark.parametrize("entity_set", ["contacts", "accounts"])
def test_the_same_seed_gives_the_same_rows(entity_set: str) -> None:
    """Another seed gives others."""
    first, second, other = (list(make_tables(200, 20, seed).rows(entity_set)) for seed in (1, 1, 2))

    assert first == second
    assert first != other


def test_rows_hold_what_their_tables_have() -> None:
    """Every column is one of the table, every lookup leads somewhere, and every owner is a user."""
    tables = make_tables(2000, 200)

    for entity_set, key in (("contacts", "contactid"), ("accounts", "accountid")):
        table = tables.schema[entity_set]
        assert len({row[key] for row in tables.rows(entity_set)}) == len(tables.rows(entity_set))
        for row in tables.rows(entity_set):
            assert {name for name in row if "@" not in name} <= table.columns.keys()
            assert (row["_ownerid_value"], row["_owninguser_value"]) == (AGENT, AGENT)
            for column in ("_masterid_value", "_parentaccountid_value", "_parentcustomerid_value"):
                targets = table.columns[column].targets if column in table.columns else ()
                assert row.get(column) is None or any(tables.find(target, row[column]) for target in targets)


def test_numbers_are_valid_in_the_country_of_their_row() -> None:
    """All but the few that stand for a note or nothing; most numbers are somebody's own, and some are shared."""
    tables = make_tables(6_000, 600)
    columns = [("contacts", "mobilephone"), ("contacts", "telephone1"), ("contacts", "telephone2")]

    spelled = Counter[bool]()
    people = Counter[str]()
    for entity_set, column in [*columns, ("accounts", "telephone1")]:
        rows = [row for row in tables.rows(entity_set) if row.get(column)]
        numbers = [read_number(row, column) for row in rows]
        spelled.update(number is not None for number in numbers)
        if column == "mobilephone":
            people.update(filter(None, numbers))

    assert spelled[False] < 0.03 * spelled.total()
    assert 0.005 < 1 - len(people) / people.total() < 0.03
    assert len({row.get("mobilephone", "")[:4] for row in tables.rows("contacts")}) > 100


def test_states_and_companies_are_mixed() -> None:
    """Some rows are inactive, fewer merged; most contacts have a company, some accounts a parent."""
    tables = make_tables(5000, 500)
    contacts, accounts = tables.rows("contacts"), tables.rows("accounts")

    assert 0.02 < sum(row["statecode"] for row in contacts) / 5000 < 0.05
    assert all(row["statecode"] == 1 and row["_masterid_value"] for row in contacts if row["merged"])
    assert 0.8 < sum(1 for row in contacts if row.get("_parentcustomerid_value")) / 5000 < 0.95
    assert 0.1 < sum(1 for row in accounts if row.get("_parentaccountid_value")) / 500 < 0.25
    assert 0 < sum(row["accountcategorycode"] == 1 for row in accounts) < 50


def test_the_sample_organisation_stays_within() -> None:
    """Its people can be called as before, and its users own the new rows."""
    tables = sample_tables()
    before = dict.fromkeys(row["contactid"] for row in tables.rows("contacts"))

    add_customers(tables, contacts=100, accounts=0, seed=1)

    assert len(tables.rows("contacts")) == len(before) + 100
    assert all(tables.find("contacts", key) for key in before)
    assert not any(row.get("_parentcustomerid_value") for row in list(tables.rows("contacts"))[-100:])


async def test_a_first_read_gives_every_row_once() -> None:
    """In pages of 5,000, tracked or not."""
    tables = make_tables(12_000, 100)
    emulator = create_dataverse_emulator(data=tables)
    headers = {"Authorization": f"Bearer {emulator.issue_token()}"}
    root = "https://org.example/api/data/v9.2/"
    pages: list[list[str]] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator), base_url=root, headers=headers) as api:
        for prefer in ("odata.track-changes,odata.maxpagesize=5000", "odata.maxpagesize=5000"):
            link = "contacts?$select=contactid"
            while link:
                body = (await api.get(link, headers={"Prefer": prefer})).json()
                pages.append([row["contactid"] for row in body["value"]])
                link = body.get("@odata.nextLink", "")

    assert [len(page) for page in pages] == [5000, 5000, 2000] * 2
    for reading in (pages[:3], pages[3:]):
        assert sorted(key for page in reading for key in page) == sorted(
            row["contactid"] for row in tables.rows("contacts")
        )
