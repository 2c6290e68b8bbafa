"""Writes: create, update, upsert and delete, with their preconditions."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.emulators.dataverse import DataverseEmulator

Id = Callable[[int], str]
WHOLE = {"Prefer": "return=representation"}


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def call_of(make_id: Id) -> dict[str, Any]:
    return {
        "activityid": make_id(71),
        "subject": "Call from Helena",
        "phonenumber": "+358501234567",
        "directioncode": False,
        "actualstart": "2026-11-22T10:00:00+02:00",
        "statecode": 1,
        "statuscode": 4,
        "regardingobjectid_contact_phonecall@odata.bind": f"/contacts({make_id(51)})",
        "ownerid@odata.bind": f"https://org.example/api/data/v9.2/systemusers({make_id(11)})",
        "phonecall_activity_parties": [
            {"partyid_contact@odata.bind": f"/contacts({make_id(51)})", "participationtypemask": 1},
            {"partyid_systemuser@odata.bind": f"/systemusers({make_id(11)})", "participationtypemask": 2},
        ],
    }


async def test_a_phone_call_is_recorded_in_two_steps(api: httpx.AsyncClient, make_id: Id) -> None:
    """It is created open whatever the body says, with its parties, and then completed."""
    created = await api.post("phonecalls", json=call_of(make_id))
    query = {
        "$select": "statecode,actualstart,_ownerid_value,_owninguser_value",
        "$expand": "phonecall_activity_parties($select=participationtypemask,_partyid_value)",
    }
    opened = (await api.get(f"phonecalls({make_id(71)})", params=query)).json()
    completed = await api.patch(f"phonecalls({make_id(71)})", json={"statecode": 1, "statuscode": 4})
    touched = await api.patch(f"phonecalls({make_id(71)})", json={"subject": "Other"})

    assert created.status_code == 204
    assert created.headers["OData-EntityId"] == f"https://org.example/api/data/v9.2/phonecalls({make_id(71)})"
    assert (opened["statecode"], opened["actualstart"]) == (0, "2026-11-22T08:00:00Z")
    assert opened["_ownerid_value"] == opened["_owninguser_value"] == make_id(11)
    parties = opened["phonecall_activity_parties"]
    assert [(p["participationtypemask"], p["_partyid_value"]) for p in parties] == [(1, make_id(51)), (2, make_id(11))]
    assert completed.status_code == 204
    assert touched.json()["error"]["message"] == "Cannot update Closed or Cancelled Activity"


async def test_the_new_row_can_be_returned(api: httpx.AsyncClient) -> None:
    """`return=representation` gives 201 and the row, with what was not said filled in."""
    response = await api.post("contacts?$select=fullname,statecode", json={"lastname": "Uusi"}, headers=WHOLE)

    body = response.json()
    assert (response.status_code, body["fullname"], body["statecode"]) == (201, "Uusi", 0)
    assert response.headers["Preference-Applied"] == "return=representation"
    assert response.headers["OData-EntityId"].endswith(f"contacts({body['contactid']})")


async def test_a_second_create_with_the_same_id_is_refused(api: httpx.AsyncClient, make_id: Id) -> None:
    """`POST` and `PATCH` with `If-None-Match: *` both create only."""
    posted = await api.post("contacts", json={"contactid": make_id(51), "lastname": "X"})
    patched = await api.patch(f"contacts({make_id(51)})", json={"lastname": "X"}, headers={"If-None-Match": "*"})

    assert [code(posted), code(patched)] == [(412, "0x80040237")] * 2


async def test_patch_updates_or_creates(api: httpx.AsyncClient, make_id: Id) -> None:
    """Without a precondition `PATCH` is an upsert; `If-Match` forbids the creation."""
    path = f"contacts({make_id(88)})"

    forbidden = await api.patch(path, json={"lastname": "A"}, headers={"If-Match": "*"})
    created = await api.patch(path, json={"lastname": "A"})
    updated = await api.patch(f"{path}?$select=fullname", json={"firstname": "B"}, headers={"If-Match": "*"} | WHOLE)

    assert code(forbidden) == (404, "0x80040217")
    assert created.status_code == 204
    assert (updated.status_code, updated.json()["fullname"]) == (200, "B A")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_an_old_etag_is_refused(api: httpx.AsyncClient, make_id: Id, method: str) -> None:
    """Whoever read before somebody else wrote gets 412, then succeeds with the new version."""
    path = f"contacts({make_id(51)})"
    old = (await api.get(path)).headers["ETag"]
    await api.patch(path, json={"firstname": "Z"})
    new = (await api.get(path)).headers["ETag"]
    body = {"firstname": "Y"} if method == "PATCH" else None

    answers = [await api.request(method, path, json=body, headers={"If-Match": etag}) for etag in (old, new)]

    assert code(answers[0]) == (412, "0x80060882")
    assert answers[1].status_code == 204


async def test_deleting_twice_is_404(api: httpx.AsyncClient, make_id: Id) -> None:
    """A row is gone once."""
    answers = [await api.delete(f"contacts({make_id(53)})") for _ in range(2)]

    assert [response.status_code for response in answers] == [204, 404]


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({"nosuchcolumn": 1}, 400, "0x80060888"),
        ({"nosuch@odata.bind": "/accounts(00000000-0000-4000-8000-000000000041)"}, 400, "0x80060888"),
        ({"mobilephone": 5}, 400, "0x80048d19"),
        ({"statecode": "0"}, 400, "0x80048d19"),
        ({"statecode": 9}, 400, "0x80044331"),
        ({"mobilephone": "1" * 51}, 400, "0x80044331"),
        ({"contactid": "00000000-0000-4000-8000-000000000099"}, 400, "0x80048d19"),
        ({"parentcustomerid_account@odata.bind": "accounts"}, 400, "0x80048d19"),
        (
            {"parentcustomerid_account@odata.bind": "/contacts(00000000-0000-4000-8000-000000000052)"},
            400,
            "0x80048d19",
        ),
        (
            {"parentcustomerid_account@odata.bind": "/accounts(00000000-0000-4000-8000-0000000000ff)"},
            404,
            "0x80040217",
        ),
        ([], 400, "0x80048d19"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused(
    api: httpx.AsyncClient, make_id: Id, body: object, status: int, expected: str
) -> None:
    """Unknown names, wrong types, values out of range and references to nothing change nothing."""
    before = (await api.get(f"contacts({make_id(51)})")).json()

    response = await api.patch(f"contacts({make_id(51)})", json=body)

    assert code(response) == (status, expected)
    assert (await api.get(f"contacts({make_id(51)})")).json() == before


async def test_a_body_must_be_json(api: httpx.AsyncClient) -> None:
    """Another content type is 415, damaged JSON 400."""
    plain = await api.post("contacts", content=b"{}", headers={"Content-Type": "text/plain"})
    damaged = await api.post("contacts", content=b"{", headers={"Content-Type": "application/json"})

    assert (plain.status_code, damaged.status_code) == (415, 400)


async def test_writing_needs_the_privilege(api: httpx.AsyncClient, emulator: DataverseEmulator, make_id: Id) -> None:
    """Without a role nothing can be created, changed or deleted."""
    for link in list(emulator.tables.rows("systemuserrolescollection")):
        emulator.tables.remove("systemuserrolescollection", link["systemuserroleid"])
    path = f"contacts({make_id(51)})"

    answers = [await api.post("contacts", json={}), await api.patch(path, json={}), await api.delete(path)]

    assert [response.status_code for response in answers] == [403, 403, 403]
