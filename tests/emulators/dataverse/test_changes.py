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


async def test_changed_rows_come_first_and_in_pages(api: httpx.AsyncClient, make_id: Id) -> None:
    """Oldest version first, then the removed ones; a row changed twice comes once, as it is now."""
    _, link = await read_all(api, "contacts?$select=lastname", TRACK)
    await api.delete(f"contacts({make_id(53)})")
    for key, name in ((52, "Early"), (51, "Later"), (52, "Latest")):
        await api.patch(f"contacts({make_id(key)})", json={"lastname": name})
    prefer = {"Prefer": "odata.maxpagesize=1"}

    first = (await api.get(link, headers=prefer)).json()
    changes, next_link = await read_all(api, first["@odata.nextLink"], prefer)
    refused = await api.get(first["@odata.nextLink"], headers={"Prefer": "odata.maxpagesize=2"})

    assert [change.get("lastname", change.get("reason")) for change in first["value"] + changes] == [
        "Later",
        "Latest",
        "deleted",
    ]
    assert (await api.get(next_link)).json()["value"] == []
    assert refused.status_code == 400


async def test_a_change_while_a_delta_is_read_comes_with_the_next(api: httpx.AsyncClient, make_id: Id) -> None:
    """A row that is removed, or changed again, between two pages is told once more."""
    _, link = await read_all(api, "contacts?$select=lastname", TRACK)
    for key in (51, 52, 53):
        await api.patch(f"contacts({make_id(key)})", json={"lastname": "First"})
    page = (await api.get(link, headers={"Prefer": "odata.maxpagesize=1"})).json()
    await api.patch(f"contacts({make_id(52)})", json={"lastname": "Second"})
    await api.delete(f"contacts({make_id(53)})")

    rest, next_link = await read_all(api, page["@odata.nextLink"], {"Prefer": "odata.maxpagesize=1"})
    changes, _ = await read_all(api, next_link, {})

    assert rest == []
    assert [change.get("lastname", change.get("id")) for change in changes] == ["Second", make_id(53)]


async def test_rows_removed_between_two_pages_hide_no_other(api: httpx.AsyncClient, make_id: Id) -> None:
    """A first read goes on after the last id sent, even when that row has gone."""
    first = (await api.get("contacts?$select=fullname", headers=TRACK)).json()
    for key in (51, 52):
        await api.delete(f"contacts({make_id(key)})")

    rest, _ = await read_all(api, first["@odata.nextLink"], TRACK)

    assert [row["contactid"] for row in rest] == [make_id(53)]


async def test_a_first_read_keeps_its_preferences(api: httpx.AsyncClient) -> None:
    """A next link without `odata.track-changes` would end without a delta link, so it is refused."""
    first = (await api.get("contacts?$select=fullname", headers=TRACK)).json()

    response = await api.get(first["@odata.nextLink"], headers={"Prefer": "odata.maxpagesize=2"})

    assert response.status_code == 400


async def test_a_row_that_comes_back_is_no_removal(api: httpx.AsyncClient, make_id: Id) -> None:
    """What happened in between does not matter."""
    _, link = await read_all(api, "contacts?$select=lastname", TRACK)
    await api.delete(f"contacts({make_id(52)})")
    await api.post("contacts", json={"contactid": make_id(52), "lastname": "Again"})

    changes, _ = await read_all(api, link, {})

    assert [change["lastname"] for change in changes] == ["Again"]


async def test_moves_of_parents_are_changes(api: httpx.AsyncClient, make_id: Id) -> None:
    """A contact that changes its company and an account that changes its parent come with their new lookups."""
    _, contacts = await read_all(api, "contacts?$select=_parentcustomerid_value", TRACK)
    _, accounts = await read_all(api, "accounts?$select=_parentaccountid_value", TRACK)
    await api.patch(
        f"contacts({make_id(51)})", json={"parentcustomerid_account@odata.bind": f"/accounts({make_id(41)})"}
    )
    await api.patch(f"accounts({make_id(42)})", json={"parentaccountid@odata.bind": None})

    moved = [(await read_all(api, link, {}))[0] for link in (contacts, accounts)]

    assert [row["_parentcustomerid_value"] for row in moved[0]] == [make_id(41)]
    assert [row["_parentaccountid_value"] for row in moved[1]] == [None]


@pytest.mark.parametrize("option", ["$filter=statecode eq 0", "$orderby=fullname", "$expand=masterid", "$top=5"])
async def test_options_that_do_not_go_with_tracking_are_refused(api: httpx.AsyncClient, option: str) -> None:
    """The message names the option."""
    response = await api.get(f"contacts?{option}", headers=TRACK)

    name = option.partition("=")[0]
    message = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


async def test_options_of_a_count_are_refused(api: httpx.AsyncClient) -> None:
    """A number of changes is not filtered either."""
    _, link = await read_all(api, "contacts?$select=fullname", TRACK)

    response = await api.get(f"contacts/$count?$filter=statecode eq 0&$deltatoken={link.partition('$deltatoken=')[2]}")

    assert response.status_code == 400


async def test_a_table_without_change_tracking_is_refused(api: httpx.AsyncClient) -> None:
    """Roles are not tracked."""
    assert (await api.get("roles", headers=TRACK)).status_code == 400


async def test_tracking_can_be_switched(api: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    """The metadata say so; what happened before it was switched on again is not told."""
    _, link = await read_all(api, "contacts?$select=fullname", TRACK)
    query = "EntityDefinitions?$select=LogicalName,ChangeTrackingEnabled&$filter=LogicalName eq 'contact'"
    seen = []
    for on in (False, True):
        await stranger.put("/_emulator/change-tracking", json={"contacts": on})
        [table] = (await api.get(query)).json()["value"]
        fresh, old = await api.get("contacts", headers=TRACK), await api.get(link)
        seen.append((table["ChangeTrackingEnabled"], fresh.status_code, old.json()["error"]["code"]))
        await api.post("contacts", json={"lastname": "Unseen"})

    refused = await stranger.put("/_emulator/change-tracking", json={"people": True})

    assert seen == [(False, 400, "0x80060888"), (True, 200, "0x80044352")]
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["people"])


async def test_changes_past_the_web_api_are_told_too(
    api: httpx.AsyncClient, stranger: httpx.AsyncClient, make_id: Id
) -> None:
    """Rows put and removed under `/_emulator/rows` stand for other people's work."""
    _, link = await read_all(api, "contacts?$select=fullname,mobilephone,modifiedon", TRACK)
    rows = [{"contactid": make_id(52), "lastname": "Other"}, {"contactid": make_id(78), "mobilephone": "040 1"}]
    put = await stranger.put("/_emulator/rows", json={"contacts": rows})
    gone = [await stranger.delete(f"/_emulator/rows/contacts/{make_id(53)}") for _ in range(2)]

    changes, _ = await read_all(api, link, {})

    assert (put.status_code, [answer.status_code for answer in gone]) == (204, [204, 404])
    assert [(c.get("fullname"), c.get("mobilephone"), c.get("modifiedon"), c.get("reason")) for c in changes] == [
        ("Eero Other", "0401112233  ", "2026-06-01T12:00:00Z", None),
        (None, "040 1", "2026-06-01T12:00:00Z", None),
        (None, None, None, "deleted"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("[", "unexpected end of data"),
        ('{"people": []}', "people: no such table"),
        ('{"contacts": [{"contactid": "00000000-0000-4000-8000-000000000051", "new_x": 1}]}', "no such column"),
        ('{"contacts": [{"lastname": "Nobody"}]}', "contacts[0].contactid: say which row it is"),
    ],
)
async def test_rows_that_cannot_be_put_are_refused(
    stranger: httpx.AsyncClient, emulator: DataverseEmulator, rows: str, message: str
) -> None:
    """All of them or none, with a line that says where."""
    before = emulator.tables.version

    response = await stranger.put("/_emulator/rows", content=rows)

    assert response.status_code == 422
    assert message in response.json()["errors"][0]["msg"]
    assert emulator.tables.version == before


@pytest.mark.parametrize(
    "token",
    ["", "x", "1000100", "1000100!06/01/2026 12:00:00", "1000100!13/41/2026 12:00:00!contact", "{}!!contact"],
)
async def test_a_malformed_token_is_refused(api: httpx.AsyncClient, token: str) -> None:
    """For rows and for their number alike."""
    quoted = token.replace(" ", "%20")
    answers = [await api.get(f"contacts{place}?$deltatoken={quoted}") for place in ("", "/$count")]

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(400, "0x80060888")] * 2


async def test_a_token_of_another_table_is_refused(api: httpx.AsyncClient) -> None:
    """Each table has its own."""
    _, link = await read_all(api, "contacts?$select=createdon", TRACK)

    assert (await api.get(link.replace("/contacts?", "/accounts?"))).status_code == 400


async def test_a_token_of_the_future_is_expired(api: httpx.AsyncClient, emulator: DataverseEmulator) -> None:
    """An organisation that was set back, as a restarted emulator is, knows nothing of what came later."""
    _, link = await read_all(api, "contacts?$select=createdon", TRACK)
    edited = link.replace(str(emulator.tables.version), str(emulator.tables.version + 1))

    assert (await api.get(edited)).json()["error"]["code"] == "0x80044352"


async def test_how_long_a_token_is_good_is_set_by_the_organisation(
    api: httpx.AsyncClient, clock: Any, emulator: DataverseEmulator
) -> None:
    """`expirechangetrackingindays` counts from the beginning of the reading the token came from."""
    _, link = await read_all(api, "contacts?$select=fullname", TRACK)
    [organisation] = (await api.get("organizations?$select=expirechangetrackingindays")).json()["value"]
    await api.patch(f"organizations({organisation['organizationid']})", json={"expirechangetrackingindays": 2})
    answers = []
    for days in (timedelta(days=2), timedelta(seconds=1)):
        clock.advance(days)
        answers.append(await api.get(link, headers={"Authorization": f"Bearer {emulator.issue_token()}"}))

    assert organisation["expirechangetrackingindays"] == 7
    assert [answer.status_code for answer in answers] == [200, 400]


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
