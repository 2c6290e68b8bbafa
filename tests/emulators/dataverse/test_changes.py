"""Change tracking: a first read, then only what happened since."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.emulators.dataverse import DataverseEmulator

Id = Callable[[int], str]
TRACK = {"Prefer": "odata.track-changes,odata.maxpagesize=2"}


async def read_all(api: httpx.AsyncClient, link: str, headers: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    rows: list[dict[str, Any]] = []
    while True:
        body = (await api.get(link, headers=headers)).json()
        rows += body["value"]
        if "@odata.deltaLink" in body:
            return rows, body["@odata.deltaLink"]
        link = body["@odata.nextLink"]


async def test_only_changes_and_removals_come_after_the_first_read(api: httpx.AsyncClient, make_id: Id) -> None:
    """Changed rows come whole, removed ones by id with a reason; then nothing until the next change."""
    rows, link = await read_all(api, "contacts?$select=fullname,statecode", TRACK)
    await api.patch(f"contacts({make_id(52)})", json={"statecode": 1, "statuscode": 2})
    await api.delete(f"contacts({make_id(51)})")

    changes, next_link = await read_all(api, link, {})
    quiet, _ = await read_all(api, next_link, {})

    assert len(rows) == 3
    assert [(change.get("contactid"), change.get("statecode")) for change in changes] == [
        (make_id(52), 1),
        (None, None),
    ]
    assert changes[1] == {
        "@odata.context": "https://org.example/api/data/v9.2/$metadata#contacts/$deletedEntity",
        "id": make_id(51),
        "reason": "deleted",
    }
    assert quiet == []


async def test_a_change_between_two_pages_is_not_lost(api: httpx.AsyncClient, make_id: Id) -> None:
    """The delta link starts where the reading began."""
    first = (await api.get("contacts?$select=fullname", headers=TRACK)).json()
    await api.patch(f"contacts({make_id(51)})", json={"lastname": "Nurmi"})
    _, link = await read_all(api, first["@odata.nextLink"], TRACK)

    changes, _ = await read_all(api, link, {})

    assert [change["fullname"] for change in changes] == ["Helena Nurmi"]


async def test_a_row_created_and_removed_in_between_is_reported_as_removed(api: httpx.AsyncClient, make_id: Id) -> None:
    """Nobody saw it, but the removal is told."""
    _, link = await read_all(api, "contacts?$select=fullname", TRACK)
    await api.post("contacts", json={"contactid": make_id(77), "lastname": "Brief"})
    await api.delete(f"contacts({make_id(77)})")

    changes, _ = await read_all(api, link, {})

    assert [(change["id"], change["reason"]) for change in changes] == [(make_id(77), "deleted")]


async def test_changes_can_be_counted(api: httpx.AsyncClient, make_id: Id) -> None:
    """`<set>/$count` takes a delta token."""
    _, link = await read_all(api, "contacts?$select=fullname", TRACK)
    await api.patch(f"contacts({make_id(51)})", json={"lastname": "Nurmi"})

    response = await api.get(f"contacts/$count?$deltatoken={link.partition('$deltatoken=')[2]}")

    assert response.text == "1"


@pytest.mark.parametrize("option", ["$filter=statecode eq 0", "$orderby=fullname", "$expand=masterid", "$top=5"])
async def test_options_that_do_not_go_with_tracking_are_refused(api: httpx.AsyncClient, option: str) -> None:
    """The message names the option."""
    response = await api.get(f"contacts?{option}", headers=TRACK)

    name = option.partition("=")[0]
    message = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


async def test_a_table_without_change_tracking_is_refused(api: httpx.AsyncClient) -> None:
    """Roles are not tracked."""
    assert (await api.get("roles", headers=TRACK)).status_code == 400


async def test_a_delta_token_is_good_for_seven_days(
    api: httpx.AsyncClient, clock: Any, emulator: DataverseEmulator
) -> None:
    """After that only a full read helps."""
    _, link = await read_all(api, "contacts?$select=fullname", TRACK)
    clock.advance(timedelta(days=7, seconds=1))
    response = await api.get(link, headers={"Authorization": f"Bearer {emulator.issue_token()}"})

    assert (response.status_code, response.json()["error"]["code"]) == (400, "0x80044352")


async def test_tracking_needs_read_on_the_whole_organisation(
    api: httpx.AsyncClient, emulator: DataverseEmulator, make_id: Id
) -> None:
    """Read on the user's own rows is enough to read, not to track."""
    tables = emulator.tables
    for link in list(tables.rows("systemuserrolescollection")):
        tables.remove("systemuserrolescollection", link["systemuserroleid"])
    tables.store("privileges", {"privilegeid": make_id(91), "name": "prvReadContact"})
    grant = {"roleprivilegeid": make_id(92), "roleid": make_id(31), "privilegeid": make_id(91)}
    tables.store("roleprivilegescollection", grant | {"privilegedepthmask": 1})
    tables.store(
        "systemuserrolescollection",
        {"systemuserroleid": make_id(93), "systemuserid": make_id(19), "roleid": make_id(31)},
    )

    answers = [await api.get("contacts", headers=headers) for headers in ({}, TRACK)]

    assert [response.status_code for response in answers] == [200, 403]
