"""What the real Web API refuses is refused, in its words."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.emulators.dataverse import DataverseEmulator, create_dataverse_emulator, read_tables

ACCOUNT = "parentcustomerid_account"
OTHER_CLIENT = "99999999-1111-4222-8333-444455556666"


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize(
    "query",
    [
        "$select=nosuchcolumn",
        "$select=MobilePhone",
        "$select=parentcustomerid",
        "$filter=nosuchcolumn eq 1",
        "$filter=mobilephone eq 5",
        "$filter=statecode eq '0'",
        "$filter=mobilephone eq",
        "$filter=mobilephone EQ 'a'",
        "$filter=mobilephone eq 'it's'",
        "$filter=length(mobilephone) eq 5",
        "$filter=tolower(mobilephone) eq 'a'",
        "$filter=contains(statecode,'a')",
        "$filter='a' eq mobilephone",
        "$filter=statecode add 1 eq 2",
        "$filter=fullname",
        "$orderby=fullname descending",
        "$orderby=nosuchcolumn",
        "$top=0",
        "$top=5001",
        "$top=x",
        "$count=yes",
        "$skip=5",
        "$search=a",
        "$format=json",
        "$Select=fullname",
        "select=fullname",
        "$select=fullname&$select=fullname",
        f"$expand={ACCOUNT.upper()}($select=name)",
        f"$expand={ACCOUNT}($select=nosuchcolumn)",
        f"$expand={ACCOUNT}($filter=name eq 'a')",
        f"$expand={ACCOUNT}($top=1)",
        f"$expand={ACCOUNT}($levels=2)",
        f"$expand={ACCOUNT}($select=name",
        "$expand=" + ",".join([ACCOUNT] * 16),
    ],
)
async def test_a_query_it_does_not_understand_is_400(api: httpx.AsyncClient, query: str) -> None:
    """Unknown names, wrong types, wrong case and options that do not exist get the generic query error."""
    assert code(await api.get(f"contacts?{quote(query, safe='=&$(),;')}")) == (400, "0x80060888")


@pytest.mark.parametrize(
    "expand",
    [
        "teammembership_association($select=name;$expand=teamroles_association($select=name))",
        "business_unit_roles($select=name;$top=2;$expand=businessunitid($select=name))",
    ],
)
async def test_deep_or_mixed_collections_are_refused(api: httpx.AsyncClient, expand: str) -> None:
    """Many-to-many does not nest, and `$top` does not go with a nested expand."""
    table = "businessunits" if expand.startswith("business") else "systemusers"

    assert code(await api.get(table, params={"$expand": expand})) == (400, "0x80060888")


async def test_fifteen_expands_are_accepted(api: httpx.AsyncClient) -> None:
    """The limit counts nested expands too, and is not reached by fifteen."""
    nest = "$select=name"
    for _ in range(14):
        nest = f"$select=name;$expand=parentaccountid({nest})"

    answers = [await api.get("contacts", params={"$expand": f"{ACCOUNT}({nest}){more}"}) for more in ("", ",masterid")]

    assert [response.status_code for response in answers] == [200, 400]


@pytest.mark.parametrize(
    ("query", "status", "expected"),
    [
        ("$filter=mobilephone in ('a','b')", 501, "0x80004001"),
        ("$filter=cast(mobilephone,Edm.String) eq 'a'", 400, "0x8006088a"),
        ("$filter=Microsoft.Dynamics.CRM.In(PropertyName='fullname',PropertyValues=['a'])", 501, "0x80004001"),
        ("$filter=fullname eq @p1&@p1='a'", 501, "0x80004001"),
        ("$apply=aggregate($count as n)", 501, "0x80004001"),
    ],
)
async def test_operators_with_their_own_refusal(api: httpx.AsyncClient, query: str, status: int, expected: str) -> None:
    """`in` is not implemented, `cast` is unknown, and what is not emulated says so."""
    assert code(await api.get(f"contacts?{query}")) == (status, expected)


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("nothings", 404, "0x8006088a"),
        ("contact", 404, "0x8006088a"),
        ("contacts(00000000-0000-4000-8000-00000000dead)", 404, "0x80040217"),
        ("contacts(17)", 400, "0x80060888"),
        ("contacts(mobilephone='a')", 400, "0x80060888"),
        ("contacts(00000000-0000-4000-8000-000000000051)/nothing", 404, "0x8006088a"),
        ("EntityDefinitions(LogicalName='nothing')", 404, "0x80040217"),
        ("$batch", 501, "0x80004001"),
    ],
)
async def test_paths_that_lead_nowhere(api: httpx.AsyncClient, path: str, status: int, expected: str) -> None:
    """Entity set names are plural, keys are GUIDs, rows may be gone."""
    assert code(await api.get(path)) == (status, expected)


async def test_a_url_of_more_than_32_kilobytes_is_refused(api: httpx.AsyncClient) -> None:
    """The limit is on the whole URL as sent."""
    response = await api.get(f"contacts?$filter=fullname eq '{'a' * 33_000}'")

    assert response.status_code == 414


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nonsense", "Basic abc"])
async def test_without_a_good_token_it_is_401_with_a_challenge(stranger: httpx.AsyncClient, header: str | None) -> None:
    """The body is empty; the challenge names the authority to ask."""
    response = await stranger.get(
        "/api/data/v9.2/contacts", headers={} if header is None else {"Authorization": header}
    )

    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=https://org.example/")


async def test_a_token_expires_by_the_emulators_clock(api: httpx.AsyncClient, clock: Any) -> None:
    """A token is good for an hour."""
    before = await api.get("WhoAmI")
    clock.advance(timedelta(hours=1))
    after = await api.get("WhoAmI")

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_client_that_is_no_user_is_403(api: httpx.AsyncClient, emulator: DataverseEmulator) -> None:
    """A good token of an application without an application user opens nothing."""
    token = emulator.issue_token(OTHER_CLIENT)

    response = await api.get("WhoAmI", headers={"Authorization": f"Bearer {token}"})

    assert code(response) == (403, "0x80072560")
    assert response.json()["error"]["message"] == "The user is not a member of the organization."


async def test_a_missing_privilege_is_403_and_named(api: httpx.AsyncClient, emulator: DataverseEmulator) -> None:
    """Without any role the application user may not read contacts."""
    for link in list(emulator.tables.rows("systemuserrolescollection")):
        emulator.tables.remove("systemuserrolescollection", link["systemuserroleid"])

    response = await api.get("contacts")

    assert code(response) == (403, "0x80040220")
    assert "prvReadContact" in response.json()["error"]["message"]


async def test_too_many_requests_at_once_are_429(document: dict[str, Any], clock: Any) -> None:
    """Above the limit the answer says when to come back."""
    emulator = create_dataverse_emulator(data=read_tables(document), clock=clock, most_at_once=0)
    headers = {"Authorization": f"Bearer {emulator.issue_token()}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator), base_url="https://org.example") as client:
        response = await client.get("/api/data/v9.2/WhoAmI", headers=headers)

    assert code(response) == (429, "0x80072326")
    assert response.headers["Retry-After"] == "2"


@pytest.mark.parametrize(("method", "path"), [("PUT", "contacts"), ("PATCH", "contacts"), ("DELETE", "contacts")])
async def test_methods_a_set_does_not_take_are_405(api: httpx.AsyncClient, method: str, path: str) -> None:
    """A set takes GET and POST."""
    response = await api.request(method, path, json={} if method == "PATCH" else None)

    assert response.status_code == 405
