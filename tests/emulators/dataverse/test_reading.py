"""Reads: columns, expands, annotations, order, counts and single rows."""

from collections.abc import Callable

import httpx
import pytest

Id = Callable[[int], str]
VERSION = 'W/"'


async def test_selected_columns_come_with_key_and_etag(api: httpx.AsyncClient, make_id: Id) -> None:
    """A row holds what was selected, its primary key and its ETag, nothing else."""
    response = await api.get("contacts", params={"$select": "fullname", "$filter": "firstname eq 'eero'"})

    row = response.json()["value"][0]
    assert response.status_code == 200
    assert row.pop("@odata.etag").startswith(VERSION)
    assert row == {"fullname": "Eero Laine", "contactid": make_id(52)}


async def test_expands_nest_through_parent_accounts(api: httpx.AsyncClient, make_id: Id) -> None:
    """A contact's account and that account's parent come along in one request."""
    nested = "parentcustomerid_account($select=name;$expand=parentaccountid($select=name,accountcategorycode))"
    query = {"$select": "fullname", "$expand": nested, "$filter": "mobilephone eq '+358501234567'"}

    account = (await api.get("contacts", params=query)).json()["value"][0]["parentcustomerid_account"]

    assert (account["name"], account["accountid"]) == ("Contoso Oy", make_id(42))
    assert account["parentaccountid"]["accountcategorycode"] == 1


async def test_an_expand_that_leads_nowhere_is_null(api: httpx.AsyncClient, make_id: Id) -> None:
    """A contact without an account has null in its place."""
    response = await api.get(f"contacts({make_id(52)})", params={"$expand": "parentcustomerid_account($select=name)"})

    assert response.json()["parentcustomerid_account"] is None


async def test_annotations_come_only_when_asked_for(api: httpx.AsyncClient, make_id: Id) -> None:
    """`odata.include-annotations` adds labels of choices, names behind lookups and their tables."""
    path = f"contacts({make_id(51)})?$select=statecode,_parentcustomerid_value,modifiedon"

    plain = (await api.get(path)).json()
    full = await api.get(path, headers={"Prefer": 'odata.include-annotations="*"'})
    part = (await api.get(path, headers={"Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'})).json()

    formatted = "OData.Community.Display.V1.FormattedValue"
    assert [name for name in plain if "@" in name] == ["@odata.context", "@odata.etag"]
    assert full.headers["Preference-Applied"] == 'odata.include-annotations="*"'
    assert {name: text for name, text in full.json().items() if "@" in name and not name.startswith("@")} == {
        f"statecode@{formatted}": "Active",
        f"modifiedon@{formatted}": "5/1/2026 8:00 AM",
        f"_parentcustomerid_value@{formatted}": "Contoso Oy",
        "_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
        "_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty": "parentcustomerid_account",
    }
    assert sum(formatted in name for name in part) == 0


async def test_order_top_and_count(api: httpx.AsyncClient) -> None:
    """`$top` cuts after ordering; `$count` counts before."""
    query = {"$select": "firstname", "$orderby": "modifiedon desc", "$top": "1", "$count": "true"}

    body = (await api.get("contacts", params=query)).json()

    assert (body["@odata.count"], [row["firstname"] for row in body["value"]]) == (3, ["Eero"])


async def test_a_count_alone_is_plain_text(api: httpx.AsyncClient) -> None:
    """`<set>/$count` answers with a number."""
    response = await api.get("contacts/$count", params={"$filter": "statecode eq 0"})

    assert (response.headers["content-type"].partition(";")[0], response.text) == ("text/plain", "2")


async def test_collections_expand_from_users_to_teams_and_roles(api: httpx.AsyncClient, make_id: Id) -> None:
    """Many-to-many navigations expand and can be followed by path."""
    expand = "teammembership_association($select=name),systemuserroles_association($select=name)"
    expanded = (await api.get(f"systemusers({make_id(11)})", params={"$select": "fullname", "$expand": expand})).json()
    followed = (await api.get(f"teams({make_id(21)})/teammembership_association?$select=fullname")).json()

    assert [team["name"] for team in expanded["teammembership_association"]] == ["Sales"]
    assert expanded["systemuserroles_association"] == []
    assert [user["fullname"] for user in followed["value"]] == ["Ann Agent"]


async def test_a_row_that_has_not_changed_is_not_sent_again(api: httpx.AsyncClient, make_id: Id) -> None:
    """`If-None-Match` with the present ETag gives 304; with the word null it gives the row."""
    path = f"contacts({make_id(51)})?$select=fullname"
    etag = (await api.get(path)).headers["ETag"]

    again = [await api.get(path, headers={"If-None-Match": value}) for value in (etag, "null")]

    assert [response.status_code for response in again] == [304, 200]


async def test_an_alternate_key_finds_a_team_by_its_group(api: httpx.AsyncClient, make_id: Id) -> None:
    """`teams(azureactivedirectoryobjectid=…,membershiptype=0)` names at most one team."""
    path = f"teams(azureactivedirectoryobjectid={make_id(99)},membershiptype=0)"

    missing = await api.get(path)
    await api.patch(f"teams({make_id(21)})", json={"azureactivedirectoryobjectid": make_id(99), "membershiptype": 0})
    found = await api.get(path)

    assert (missing.status_code, found.json()["name"]) == (404, "Sales")


async def test_every_answer_carries_ids_rates_and_an_affinity_cookie(api: httpx.AsyncClient) -> None:
    """The headers clients log, ignore or must not keep are all there."""
    first, second = await api.get("WhoAmI"), await api.get("nothings")

    assert first.headers["x-ms-service-request-id"] != second.headers["x-ms-service-request-id"]
    assert int(first.headers["x-ms-ratelimit-burst-remaining-xrm-requests"]) == 5999
    assert first.headers["set-cookie"].startswith("ARRAffinity=")
    assert second.headers["OData-Version"] == "4.0"


@pytest.mark.parametrize("path", ["", "EntityDefinitions?$select=LogicalName"])
async def test_the_tables_can_be_listed(api: httpx.AsyncClient, path: str) -> None:
    """The service document and the metadata both name the tables."""
    value = (await api.get(path)).json()["value"]

    names = {row.get("name") or row.get("LogicalName") for row in value}
    assert names >= ({"contacts", "accounts"} if not path else {"contact", "account"})
