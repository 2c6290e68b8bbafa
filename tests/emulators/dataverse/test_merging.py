"""Two rows of the same thing become one: the other stays, inactive, and hands over what belonged to it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.emulators.dataverse import DataverseEmulator

Id = Callable[[int], str]
Case = tuple[str, tuple[int, int], dict[str, Any]]
TRACK = {"Prefer": "odata.track-changes"}


def spell(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def merge_body(table: str, target: str, subordinate: str, **more: Any) -> dict[str, Any]:
    """Word a merge as Microsoft's documentation does."""
    kind = {"@odata.type": f"Microsoft.Dynamics.CRM.{table}"}
    return {
        "Target": {f"{table}id": target} | kind,
        "Subordinate": {f"{table}id": subordinate} | kind,
        "PerformParentingChecks": False,
    } | more


async def follow(api: httpx.AsyncClient, link: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await api.get(link)).json()["value"]
    return rows


async def track(api: httpx.AsyncClient, query: str) -> str:
    return str((await api.get(query, headers=TRACK)).json()["@odata.deltaLink"])


async def test_a_merged_account_hands_over_its_contacts_and_cases(api: httpx.AsyncClient, make_id: Id) -> None:
    """All of it shows in the deltas: both accounts, and every row that belonged to the one that lost."""
    await api.post("accounts", json={"accountid": make_id(43), "name": "Contoso Ltd"})
    await api.post(
        "accounts", json={"accountid": make_id(44), "parentaccountid@odata.bind": f"/accounts({make_id(42)})"}
    )
    await api.post(
        "incidents",
        json={"incidentid": make_id(61), "customerid_account@odata.bind": f"/accounts({make_id(42)})"},
    )
    accounts = await track(
        api, "accounts?$select=name,statecode,statuscode,merged,_masterid_value,_parentaccountid_value"
    )
    contacts = await track(api, "contacts?$select=_parentcustomerid_value")
    cases = await track(api, "incidents?$select=_customerid_value")
    update = {"name": "Contoso", "@odata.type": "Microsoft.Dynamics.CRM.account"}

    response = await api.post("Merge", json=merge_body("account", make_id(43), make_id(42), UpdateContent=update))

    assert (response.status_code, response.content) == (204, b"")
    changed = {row["accountid"]: row for row in await follow(api, accounts)}
    assert [changed[make_id(43)][name] for name in ("name", "statecode", "merged")] == ["Contoso", 0, False]
    loser = changed[make_id(42)]
    assert [loser[name] for name in ("name", "statecode", "statuscode", "merged", "_masterid_value")] == [
        "Contoso Oy",
        1,
        2,
        True,
        make_id(43),
    ]
    assert changed[make_id(44)]["_parentaccountid_value"] == make_id(43)
    assert [row["_parentcustomerid_value"] for row in await follow(api, contacts)] == [make_id(43)]
    assert [row["_customerid_value"] for row in await follow(api, cases)] == [make_id(43)]


async def test_merged_contacts_keep_their_own_parents(api: httpx.AsyncClient, make_id: Id) -> None:
    """Only what pointed to the one that lost moves; earlier losers keep their master."""
    await api.post("contacts", json={"contactid": make_id(54), "lastname": "Twin"})
    await api.post("Merge", json=merge_body("contact", make_id(52), make_id(54)))
    await api.patch(f"accounts({make_id(41)})", json={"primarycontactid@odata.bind": f"/contacts({make_id(52)})"})

    await api.post("Merge", json=merge_body("contact", make_id(51), make_id(52)))

    rows = (await api.get("contacts?$select=merged,_masterid_value,_parentcustomerid_value")).json()["value"]
    assert {r["contactid"]: (r["merged"], r["_masterid_value"], r["_parentcustomerid_value"]) for r in rows} == {
        make_id(51): (False, None, make_id(42)),
        make_id(52): (True, make_id(51), None),
        make_id(53): (False, None, None),
        make_id(54): (True, make_id(52), None),
    }
    account = (await api.get(f"accounts({make_id(41)})?$select=_primarycontactid_value")).json()
    assert account["_primarycontactid_value"] == make_id(51)


async def test_an_account_that_takes_over_its_parent_has_none(api: httpx.AsyncClient, make_id: Id) -> None:
    """It would be its own parent otherwise."""
    await api.post("Merge", json=merge_body("account", make_id(42), make_id(41)))

    row = (await api.get(f"accounts({make_id(42)})?$select=_parentaccountid_value")).json()

    assert row["_parentaccountid_value"] is None


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (("contact", (51, 51), {}), "Merge cannot be performed on master and sub-entities that are identical."),
        (("contact", (51, 53), {}), "sub-entity:contact-00000000-0000-4000-8000-000000000053 is deactive"),
        (("contact", (53, 51), {}), "master entity:contact-00000000-0000-4000-8000-000000000053 is deactive"),
        (("account", (41, 42), {"PerformParentingChecks": True}), "sub-entity will be differently parented."),
        (("account", (41, 42), {"PerformParentingChecks": None}), "PerformParentingChecks must be true or false."),
        (("account", (41, 49), {}), "Does Not Exist"),
        (("team", (21, 21), {}), "This type: team is not supported with merge operation"),
        (("nothing", (1, 2), {}), "This type: nothing is not supported with merge operation"),
        (("incident", (1, 2), {}), "Merging cases is not emulated."),
        (("contact", (51, 52), {"Target": {}}), "The parameter Target must be an object with an @odata.type."),
        (
            ("contact", (51, 52), {"Target": {"@odata.type": "Microsoft.Dynamics.CRM.contact"}}),
            "The parameter Target must have the property contactid.",
        ),
        (
            ("contact", (51, 52), {"UpdateContent": {"@odata.type": "Microsoft.Dynamics.CRM.account"}}),
            "UpdateContent must be of the same type as Target.",
        ),
        (
            ("contact", (51, 52), {"UpdateContent": {"@odata.type": "Microsoft.Dynamics.CRM.contact", "new_x": 1}}),
            "Could not find a property named 'new_x'",
        ),
    ],
)
async def test_what_cannot_be_merged_is_refused(
    api: httpx.AsyncClient, stranger: httpx.AsyncClient, case: Case, message: str
) -> None:
    """Nothing has changed afterwards."""
    before = (await stranger.get("/_emulator/state")).json()["version"]
    table, (target, subordinate), more = case

    response = await api.post("Merge", json=merge_body(table, spell(target), spell(subordinate)) | more)

    assert response.status_code in {400, 404, 501}
    assert message in response.json()["error"]["message"]
    assert (await stranger.get("/_emulator/state")).json()["version"] == before


async def test_two_kinds_of_rows_are_not_merged(api: httpx.AsyncClient, make_id: Id) -> None:
    """A contact does not become a part of an account."""
    account = {"accountid": make_id(41), "@odata.type": "#Microsoft.Dynamics.CRM.account"}

    response = await api.post("Merge", json=merge_body("contact", make_id(51), make_id(52), Subordinate=account))

    assert response.status_code == 400


async def test_merging_has_a_privilege_of_its_own(
    api: httpx.AsyncClient, emulator: DataverseEmulator, make_id: Id
) -> None:
    """Reading and writing contacts is not enough."""
    tables = emulator.tables
    for link in list(tables.rows("systemuserrolescollection")):
        tables.remove("systemuserrolescollection", link["systemuserroleid"])
    link = {"systemuserroleid": make_id(93), "systemuserid": make_id(19), "roleid": make_id(31)}
    tables.store("systemuserrolescollection", link)
    answers = []
    for number, name in enumerate(["prvReadContact", "prvWriteContact", "prvMerge"], 94):
        tables.store("privileges", {"privilegeid": make_id(number), "name": name})
        grant = {"roleprivilegeid": make_id(number), "roleid": make_id(31), "privilegeid": make_id(number)}
        tables.store("roleprivilegescollection", grant | {"privilegedepthmask": 8})
        answers.append(await api.post("Merge", json=merge_body("contact", make_id(51), make_id(52))))

    assert [answer.status_code for answer in answers] == [403, 403, 204]
