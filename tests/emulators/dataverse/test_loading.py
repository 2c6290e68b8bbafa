"""Data files: wire names in, defaults for the rest, one clear line for what cannot be used."""

import json
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from app.emulators.dataverse import (
    CLIENT_ID,
    DataFileError,
    create_dataverse_emulator,
    load_tables,
    read_tables,
    sample_tables,
)

ACCOUNT = "00000000-0000-4000-8000-000000000041"


def test_what_a_row_leaves_out_is_filled_in() -> None:
    """State, dates, name and id have defaults; the id is the same each time."""
    document = {"contacts": [{"firstname": "Aino", "lastname": "Salo", "_parentcustomerid_value": ACCOUNT}]}

    first, second = (next(iter(read_tables(document).rows("contacts"))) for _ in range(2))

    assert first == second
    assert {name: first[name] for name in ("fullname", "statecode", "statuscode", "merged", "modifiedon")} == {
        "fullname": "Aino Salo",
        "statecode": 0,
        "statuscode": 1,
        "merged": False,
        "modifiedon": "2026-01-01T08:00:00Z",
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None, True], "Boolean"),
        ([3], "Integer"),
        ([1, 2.5], "Decimal"),
        (["gold"], "String"),
        (["2026-01-01T00:00:00Z"], "DateTime"),
        (["e2a1c7a0-0000-4000-8000-000000000001"], "String"),
        ([None], "String"),
    ],
)
def test_a_custom_column_is_typed_after_its_values(values: list[Any], kind: str) -> None:
    """A text that looks like a GUID stays text, as custom GUID columns do not exist."""
    tables = read_tables({"contacts": [{"new_thing": value} for value in values]})

    assert tables.schema["contacts"].columns["new_thing"].kind.value == kind


def test_annotations_of_a_copied_answer_are_ignored() -> None:
    """Rows may be pasted from a real answer; the table behind a lookup is taken over."""
    row = {
        "@odata.etag": 'W/"1"',
        "statecode@OData.Community.Display.V1.FormattedValue": "Active",
        "_parentcustomerid_value": ACCOUNT,
        "_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "contact",
    }
    tables = read_tables({"contacts": [row], "accounts": [{"accountid": ACCOUNT}]})
    contact = next(iter(tables.rows("contacts")))

    followed = tables.follow(contact, tables.schema["contacts"].navigations["parentcustomerid_account"])

    assert followed is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], 'the data must be a JSON object of tables, e.g. {"contacts": [...]}'),
        ({"contacts": {}}, "contacts: expected a list of rows, each a JSON object"),
        ({"contacts": [1]}, "contacts: expected a list of rows, each a JSON object"),
        ({"contacts": [{}, {"mobilephone": 5}]}, "contacts[1].mobilephone: expected text, got a whole number"),
        ({"contacts": [{"statecode": True}]}, "contacts[0].statecode: expected a whole number, got true or false"),
        ({"contacts": [{"MobilePhone": "1"}]}, "contacts[0].MobilePhone: no such column"),
        ({"contacts": [{"_ownerid_value": "x"}]}, "contacts[0]._ownerid_value: expected a GUID"),
        ({"contacts": [{"modifiedon": "x"}]}, "contacts[0].modifiedon: expected a date and time in ISO 8601"),
        ({"contacts": [{"x@odata.bind": "/a(1)"}]}, "contacts[0].x@odata.bind: x is no lookup of contact"),
        (
            {"contacts": [{"masterid@odata.bind": f"/accounts({ACCOUNT})"}]},
            "contacts[0].masterid@odata.bind: expected a reference to contacts, got one to accounts",
        ),
        (
            {"accounts": [{"accountid": ACCOUNT}, {"accountid": ACCOUNT}]},
            "accounts[1].accountid: another row has this id",
        ),
    ],
)
def test_an_unusable_row_is_named(document: object, message: str) -> None:
    """Table, row and column, without the value."""
    with pytest.raises(DataFileError) as caught:
        read_tables(document)

    assert caught.value.detail == message


def test_an_unknown_table_is_named() -> None:
    """The message lists the tables there are."""
    with pytest.raises(DataFileError, match=r"^contact: no such table; known are accounts, "):
        read_tables({"contact": []})


def test_a_file_is_read(tmp_path: Path) -> None:
    """From a path, with an error that names the file when it is missing or damaged."""
    good, damaged, missing = (tmp_path / name for name in ("good.json", "damaged.json", "missing.json"))
    good.write_text(json.dumps({"accounts": [{"name": "Åre & Co"}]}), encoding="utf-8")
    damaged.write_text("{", encoding="utf-8")

    assert [row["name"] for row in load_tables(good).rows("accounts")] == ["Åre & Co"]
    with pytest.raises(DataFileError, match=r"damaged\.json: not JSON"):
        load_tables(damaged)
    with pytest.raises(DataFileError, match=r"missing\.json: cannot be read"):
        load_tables(missing)


def test_data_without_users_gets_an_application_user(clock: Any) -> None:
    """Contacts alone are enough to start; data with its own application user is left as it is."""
    bare = create_dataverse_emulator(data=read_tables({"contacts": [{}]}), clock=clock)
    own = read_tables(
        {"systemusers": [{"fullname": "# Mine", "applicationid": "99999999-1111-4222-8333-444455556666"}]}
    )
    create_dataverse_emulator(data=own, clock=clock)

    assert [user["applicationid"] for user in bare.tables.rows("systemusers")] == [CLIENT_ID]
    assert [user["fullname"] for user in own.rows("systemusers")] == ["# Mine"]


def test_the_sample_tells_the_stories_of_the_demo() -> None:
    """A VIP through the account, a plain contact, and everything the administrator's screens need."""
    tables = sample_tables()
    contacts, accounts = tables.schema["contacts"], tables.schema["accounts"]
    by_phone = {row.get("mobilephone"): row for row in tables.rows("contacts")}
    account = contacts.navigations["parentcustomerid_account"]

    vip = tables.follow(by_phone["+358501234567"], account)
    plain = tables.follow(by_phone["+358401112233"], account)

    assert vip is not None
    assert vip["accountcategorycode"] == 1
    assert plain is not None
    assert (plain["accountcategorycode"], plain.get("_parentaccountid_value")) == (2, None)
    assert by_phone["+358401112233"]["new_vip"] is False
    assert len(tables.rows("contacts")) >= 60
    assert len(tables.rows("accounts")) == 15
    assert _parents(tables.rows("accounts"), accounts.key) >= {2, 3, 99}


def _parents(rows: Any, key: str) -> set[int]:
    """Return how many parents each account has, 99 for one in a circle."""
    parent = {row[key]: row.get("_parentaccountid_value") for row in rows}

    def climb(account: str) -> int:
        steps = 0
        while parent[account] and steps < 99:
            account, steps = parent[account], steps + 1
        return steps

    return {climb(account) for account in parent}


def test_the_numbers_of_the_sample_are_as_people_write_them() -> None:
    """Every lookup points somewhere, and nearly every number is one."""
    tables = sample_tables()
    phones = [row[c] for row in tables.rows("contacts") for c in ("mobilephone", "telephone1") if row.get(c)]
    valid = [phone for phone in phones if any(_is_valid(phone, region) for region in ("FI", "SE", "DE", "US"))]
    dangling = [
        (table.entity_set, column.name)
        for table in tables.schema.values()
        for column in table.columns.values()
        for row in tables.rows(table.entity_set)
        if column.targets and row.get(column.name)
        if not any(tables.find(target, row[column.name]) for target in column.targets)
    ]

    assert sorted(set(phones) - set(valid)) == ["040 1112355 (vain aamuisin)", "112", "ei puhelinta"]
    assert dangling == []


def _is_valid(phone: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(phone, region))
    except phonenumbers.NumberParseException:
        return False
