"""Events through the front door: their rows, how they run, and what is kept of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from dirty_equals import IsDatetime, IsFloat, IsPartialDict, IsStr

from tests.support.events import CALL, add_row, list_activities, post_event
from tests.support.organisation import NOORA, Organisation, open_organisation
from tests.support.service import PROGRAM_KEY, VIP_RULES, WEBHOOK_KEY, wait_for

PATH = "/admin/events"
HELENA = {"logicalName": "contact", "id": "c0000000-0000-4000-8000-000000000001", "name": "Helena Aaltonen"}
NUMBER = "+358501234567"
ENDED = {"callStarted": True, "direction": 0, "phoneNumber": NUMBER, "eventData": {"serverSideCallId": CALL}}
URL = "https://hooks.example.com/calls?key=abc"


@pytest.fixture
async def organisation(tmp_path: Path) -> AsyncIterator[Organisation]:
    """The sample organisation, whose VIPs are redirected."""
    async with open_organisation(tmp_path, rules=VIP_RULES, webhook={"deadline_ms": 4900}) as organisation:
        yield organisation


async def switch(organisation: Organisation, event: str, verb: str, *numbers: int) -> httpx.Response:
    """Activate or deactivate rows."""
    return await organisation.send("POST", f"{PATH}/{event}/{verb}", {"numbers": list(numbers)})


async def run_only(organisation: Organisation, event: str, *numbers: int) -> None:
    """Have only these rows of an event run."""
    rows = (await organisation.get(f"{PATH}/{event}")).json()["plugins"]
    await switch(organisation, event, "deactivate", *(row["number"] for row in rows))
    assert (await switch(organisation, event, "activate", *numbers)).status_code == 200


def list_errors(answer: httpx.Response) -> list[tuple[int, str | None]]:
    """List number and error of each row."""
    return [(entry["number"], entry["error"]) for entry in answer.json()["trace"]]


async def test_the_catalogue_has_the_events_of_the_vendor(organisation: Organisation) -> None:
    """Every event has every built-in row, and the plugins say what they take."""
    listed = (await organisation.get(PATH)).json()
    shown = await organisation.get(f"{PATH}/call-ended")

    assert {item["id"]: item["active"] for item in listed["items"]} == {
        "onclicktoact": [52, 53],
        "customerSelected": [52, 53],
        "call-incoming": [51, 52, 53],
        "call-answered": [],
        "call-ended": [51, 54, 55],
        "beforeCreateInboundCallSession": [],
        "user-login": [],
    }
    assert {each["id"]: each["built_in"] for each in listed["plugins"]} == {
        "identify-customer": True,
        "open-cases": True,
        "vip-check": True,
        "routing-explanation": True,
        "create-phone-call": True,
        "signed-webhook": True,
        "https-hook": False,
    }
    hook = next(each for each in listed["plugins"] if each["id"] == "https-hook")
    assert (set(hook["parameters"]["properties"]), hook["parameters"]["required"]) == ({"url", "secret"}, ["url"])
    assert (shown.headers["etag"], shown.json()["version"], shown.json()["name"]) == ('"0"', 0, "Phone call ended")
    assert shown.json()["plugins"][4] == {
        "number": 55,
        "plugin": "create-phone-call",
        "built_in": True,
        "order": 55,
        "status": "active",
        "parameters": {},
        "timeout_ms": 2000,
        "stop_on_error": False,
    }


async def test_a_custom_row_is_added_changed_and_deleted(organisation: Organisation) -> None:
    """The secret of a hook is shown by the answer that made it and never again; each change leaves an audit entry."""
    path = f"{PATH}/call-incoming/plugins"
    added = await add_row(organisation, "call-incoming", "https-hook", number=7, parameters={"url": URL})
    changed = await organisation.send("PATCH", f"{path}/7", {"order": 99, "timeout_ms": 500, "stop_on_error": True})
    renewed = await organisation.send("PATCH", f"{path}/7", {"parameters": {"secret": None}})
    shown = (await organisation.get(f"{PATH}/call-incoming")).json()["plugins"]
    deleted = await organisation.send("DELETE", f"{path}/7")
    after = (await organisation.get(f"{PATH}/call-incoming")).json()
    audit = (await organisation.get("/admin/audit", target="events/call-incoming")).text

    secret = added["parameters"]["secret"]
    assert secret.startswith("whsec_")
    assert changed.json() == {
        **added,
        "order": 99,
        "timeout_ms": 500,
        "stop_on_error": True,
        "parameters": {"url": URL, "secret": "**********"},
    }
    assert renewed.json()["parameters"]["secret"] not in {secret, "**********"}
    assert shown[-1] == {**changed.json(), "status": "active"}
    assert (deleted.status_code, after["version"]) == (204, 4)
    assert [row["number"] for row in after["plugins"]] == [51, 52, 53, 54, 55, 56]
    assert await organisation.list_audit(target="events/call-incoming") == [
        ("anna", "event.row_added", "events/call-incoming"),
        ("anna", "event.row_changed", "events/call-incoming"),
        ("anna", "event.row_changed", "events/call-incoming"),
        ("anna", "event.row_deleted", "events/call-incoming"),
    ]
    assert "whsec_" not in audit


async def test_numbers_say_which_kind_a_row_is(organisation: Organisation) -> None:
    """In each hundred the first fifty are for custom rows and the others for built-in ones; the first free is taken."""
    hook = {"plugin": "https-hook", "parameters": {"url": URL}}
    webhook = {"plugin": "signed-webhook", "parameters": {"url": URL}}
    path = f"{PATH}/call-incoming/plugins"
    sent: list[tuple[dict[str, Any], int]] = [
        ({**hook, "number": 51}, 422),
        ({**hook, "number": 100}, 422),
        ({**hook, "number": 150}, 201),
        ({**hook, "number": 150}, 409),
        ({**webhook, "number": 50}, 422),
        ({**webhook, "number": 151}, 201),
        (hook, 201),
        (webhook, 201),
        ({**hook, "number": 0}, 422),
    ]
    answers = [await organisation.send("POST", path, body) for body, _ in sent]
    refused = [await organisation.send("DELETE", f"{path}/{number}") for number in (51, 151, 2)]

    assert [answer.status_code for answer in answers] == [status for _, status in sent]
    assert [answer.json()["errors"][0]["pointer"] for answer in (answers[0], answers[4], answers[8])] == ["/number"] * 3
    assert [answer.json()["number"] for answer in answers[6:8]] == [1, 57]
    assert [answer.status_code for answer in refused] == [409, 409, 404]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"plugin": "https-hok"}, "/plugin"),
        ({"plugin": "https-hook"}, "/parameters"),
        ({"plugin": "https-hook", "parameters": {"url": "http://hooks.example.com"}}, "/parameters/url"),
        ({"plugin": "https-hook", "parameters": {"url": URL, "secret": "short"}}, "/parameters/secret"),
        ({"plugin": "https-hook", "parameters": {"url": URL, "uri": ""}}, "/parameters/uri"),
        ({"plugin": "https-hook", "parameters": {"url": URL}, "timeout_ms": 10}, "/timeout_ms"),
        ({"plugin": "https-hook", "parameters": {"url": URL}, "status": "on"}, "/status"),
        ({"plugin": "open-cases", "parameters": {"limit": 51}}, "/parameters/limit"),
        ({"plugin": "identify-customer", "parameters": {"columns": {"City": "A;B"}}}, "/parameters/columns/City"),
    ],
)
async def test_what_a_plugin_cannot_use_is_refused_by_place(
    organisation: Organisation, body: dict[str, Any], pointer: str
) -> None:
    """Nothing is saved."""
    refused = await organisation.send("POST", f"{PATH}/user-login/plugins", body)

    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert (await organisation.get(f"{PATH}/user-login")).json()["version"] == 0


async def test_rows_are_switched_all_or_none(organisation: Organisation) -> None:
    """An unknown number, or a row that could not run, changes nothing; a stale version neither."""
    path = f"{PATH}/call-ended"
    headers = {"Authorization": "Bearer admin-key-for-tests", "If-Match": '"7"'}
    unknown = await switch(organisation, "call-ended", "deactivate", 55, 5)
    unset = await switch(organisation, "call-ended", "activate", 52, 56)
    stale = await organisation.service.client.post(f"{path}/deactivate", json={"numbers": [55]}, headers=headers)
    program = await organisation.send("POST", f"{path}/deactivate", {"numbers": [55]}, key=PROGRAM_KEY)
    switched = await switch(organisation, "call-ended", "deactivate", 54, 55)

    assert [answer.status_code for answer in (unknown, unset, stale, program)] == [422, 422, 412, 403]
    assert [error["pointer"] for error in unknown.json()["errors"]] == ["/numbers/1"]
    assert (switched.status_code, switched.json()["version"]) == (200, 1)
    assert [row["number"] for row in switched.json()["plugins"] if row["status"] == "active"] == [51]


async def test_another_event_is_added_once(organisation: Organisation) -> None:
    """It begins with inactive built-in rows, and runs like the others."""
    added = await organisation.send("POST", PATH, {"id": "call-ringing", "name": "Call ringing"})
    again = await organisation.send("POST", PATH, {"id": "Call-Ringing", "name": "x"})
    odd = await organisation.send("POST", PATH, {"id": "a/b", "name": "x"})
    ran = await post_event(organisation.service, "call-ringing", phoneNumber=NUMBER)

    assert [answer.status_code for answer in (added, again, odd, ran)] == [201, 409, 422, 200]
    assert {row["status"] for row in added.json()["plugins"]} == {"inactive"}
    assert ran.json() == {"context": {"eventId": "call-ringing", "phoneNumber": NUMBER}, "trace": []}


async def test_changes_of_two_administrators_at_once_are_both_kept(organisation: Organisation) -> None:
    """Without a version each change applies to whatever is there."""
    await asyncio.gather(
        switch(organisation, "call-ended", "deactivate", 51),
        switch(organisation, "call-ended", "deactivate", 54),
        add_row(organisation, "call-ended", "https-hook", parameters={"url": URL}),
    )

    shown = (await organisation.get(f"{PATH}/call-ended")).json()
    assert shown["version"] == 3
    assert [row["number"] for row in shown["plugins"] if row["status"] == "active"] == [1, 55]


async def test_an_incoming_call_is_identified_with_cases_and_vip(organisation: Organisation) -> None:
    """Keys that are not known here are handed on, and the trace says what each row changed."""
    answer = await post_event(
        organisation.service, "call-incoming", callInProgress=True, phoneNumber="050 1234567", clientVersion="2024.3"
    )

    assert answer.status_code == 200
    assert answer.json() == {
        "context": {
            "eventId": "call-incoming",
            "callInProgress": True,
            "phoneNumber": "050 1234567",
            "clientVersion": "2024.3",
            "customer": HELENA,
            "results": {
                "open-cases": {
                    "count": 1,
                    "cases": [
                        {
                            "id": IsStr,
                            "number": "CAS-1001",
                            "title": "Laskutusepäselvyys",
                            "createdOn": IsStr,
                        }
                    ],
                },
                "vip-check": {"vip": True, "reason": "account Contoso Group Oyj is a preferred customer"},
            },
        },
        "trace": [
            {"number": number, "plugin": plugin, "ms": IsFloat(gt=0), "changed": [changed], "error": None}
            for number, plugin, changed in (
                (51, "identify-customer", "customer"),
                (52, "open-cases", "results"),
                (53, "vip-check", "results"),
            )
        ],
    }
    assert answer.headers["content-type"] == "application/json"


async def test_several_matches_become_the_list_of_the_client(tmp_path: Path) -> None:
    """Companies of contacts with the same number are hidden rows; one visible row is a single match."""
    account = {"accountid": "a0000000-0000-4000-8000-000000000001", "name": "Contoso", "telephone1": "+35892000000"}
    people = [
        {
            "contactid": f"c0000000-0000-4000-8000-00000000000{n}",
            "firstname": name,
            "lastname": "X",
            "address1_city": "Espoo",
            "mobilephone": "+35892000000" if n < 3 else "+35893000000",
            "parentcustomerid_account@odata.bind": f"/accounts({account['accountid']})",
        }
        for n, name in ((1, "Aino"), (2, "Bea"), (3, "Cia"))
    ]
    account["telephone2"] = "+35893000000"
    tables = {"accounts": [account], "contacts": people}
    async with open_organisation(tmp_path, place="store", tables=tables) as organisation:
        await run_only(organisation, "call-incoming", 51)
        several = (await post_event(organisation.service, "call-incoming", phoneNumber="+35892000000")).json()
        single = (await post_event(organisation.service, "call-incoming", phoneNumber="+35893000000")).json()

    assert [entry["error"] for entry in several["trace"]] == [None]
    shown = several["context"]["customerSearchResults"]
    assert shown["columnHeaders"] == ["Address", "City"]
    assert sorted((row["name"], row["type"], row["hidden"], row["fieldValues"][1]) for row in shown["rows"]) == [
        ("Aino X", "contact", False, "Espoo"),
        ("Bea X", "contact", False, "Espoo"),
        ("Contoso", "account", True, None),
    ]
    assert "customer" not in several["context"]
    assert single["context"]["customer"]["name"] == "Cia X"
    assert [row["hidden"] for row in single["context"]["customerSearchResults"]["rows"]] == [False, True]


async def test_a_lead_is_no_customer_of_the_phone_client(tmp_path: Path) -> None:
    """Where leads are looked up for calls, the client is told of contacts and accounts only."""
    lead = {"leadid": "00000000-0000-4000-8000-0000000000d1", "fullname": "Lea", "mobilephone": "+35892000000"}
    dataverse = {"lead_phone_columns": ["mobilephone"]}
    tables = {"leads": [lead]}
    async with open_organisation(tmp_path, place="store", tables=tables, dataverse=dataverse) as organisation:
        await run_only(organisation, "call-incoming", 51)
        answer = (await post_event(organisation.service, "call-incoming", phoneNumber="+35892000000")).json()

    assert [entry["error"] for entry in answer["trace"]] == [None]
    assert not {"customer", "customerSearchResults"} & answer["context"].keys()


async def test_a_call_that_ended_becomes_one_activity_that_says_why_it_was_routed(organisation: Organisation) -> None:
    """However often the client tells of it; the agent owns the activity, and the explanation is in it."""
    service = organisation.service
    call = {"anum": NUMBER, "bnum": "+358912345678", "extradata": {"CallId": CALL}}
    assert (await service.post(call)).status_code == 200
    await service.list_decisions(1)

    first = await post_event(service, "call-ended", **ENDED, crmUserId=f"{{{NOORA.upper()}}}")
    again = await post_event(service, "call-ended", **ENDED)

    assert list_errors(first) == list_errors(again) == [(51, None), (54, None), (55, None)]
    assert [answer.json()["context"]["results"]["create-phone-call"]["created"] for answer in (first, again)] == [
        True,
        False,
    ]
    [activity] = list_activities(organisation)
    assert activity == IsPartialDict(
        activityid=first.json()["context"]["results"]["create-phone-call"]["activityId"],
        subject=f"Call from {NUMBER}",
        phonenumber=NUMBER,
        statecode=1,
        statuscode=4,
        _ownerid_value=NOORA,
        _regardingobjectid_value=HELENA["id"],
        description='Routed to VIP service because account Contoso Group Oyj is a preferred customer (rule "vip").',
    )


async def test_a_deactivated_row_does_nothing_until_it_is_activated(organisation: Organisation) -> None:
    """The next event uses what was saved; two processes that hear of one call at once write one activity."""
    await switch(organisation, "call-ended", "deactivate", 55)
    without = await post_event(organisation.service, "call-ended", **ENDED)
    assert ([number for number, _ in list_errors(without)], list_activities(organisation)) == ([51, 54], [])

    await switch(organisation, "call-ended", "activate", 55)
    answers = await asyncio.gather(*(post_event(organisation.service, "call-ended", **ENDED) for _ in range(4)))

    created = [answer.json()["context"]["results"]["create-phone-call"]["created"] for answer in answers]
    assert sorted(created) == [False, False, False, True]
    assert [row["statecode"] for row in list_activities(organisation)] == [1]


async def test_another_process_runs_what_was_saved(tmp_path: Path) -> None:
    """Rows are looked for every second."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_organisation(tmp_path))
        second = await stack.enter_async_context(
            open_organisation(tmp_path, store={"journal": tmp_path / "other-journal"})
        )
        await run_only(first, "call-incoming", 54)

        async def look() -> bool | None:
            answer = await post_event(second.service, "call-incoming", phoneNumber=NUMBER)
            return [number for number, _ in list_errors(answer)] == [54] or None

        assert await wait_for(look)


async def test_no_row_keeps_the_next_one_from_running(organisation: Organisation) -> None:
    """What is missing is said by the row that misses it; a row may choose to stop the event."""
    event = {"phoneNumber": NUMBER}
    went_on = await post_event(organisation.service, "call-ended", **event)
    await organisation.send("PATCH", f"{PATH}/call-ended/plugins/54", {"stop_on_error": True})
    stopped = await post_event(organisation.service, "call-ended", **event)

    missing = "eventData.serverSideCallId is missing, so nothing tells this call from others"
    assert list_errors(went_on) == [(51, None), (54, missing), (55, missing)]
    assert list_errors(stopped) == [(51, None), (54, missing), (55, "not run: row 54 failed, and stops the event")]


async def test_a_run_is_kept_masked_and_erased_with_its_number(organisation: Organisation) -> None:
    """What became of the rows stays; whose call it was is shown masked, and gone once it is erased."""
    await post_event(organisation.service, "call-ended", **ENDED, userId="user-1")
    path = f"{PATH}/call-ended/runs"

    async def read() -> dict[str, Any] | None:
        items: list[dict[str, Any]] = (await organisation.get(path, key=PROGRAM_KEY)).json()["items"]
        return items[0] if items else None

    run = await wait_for(read)
    erased = await organisation.send("POST", "/admin/erasures", {"number": NUMBER})
    after = (await organisation.get(path)).json()["items"][0]

    assert run == {
        "id": IsStr,
        "at": IsDatetime(iso_string=True),
        "version": 0,
        "request_id": run["id"],
        "credential": "queue",
        "call_id": CALL,
        "phone_number": "+35850*****67",
        "user_id": "user-1",
        "customer": {"logicalName": "contact", "id": HELENA["id"]},
        "trace": [
            {"number": number, "plugin": plugin, "ms": IsFloat, "changed": changed, "error": None}
            for number, plugin, changed in (
                (51, "identify-customer", ["customer"]),
                (54, "routing-explanation", []),
                (55, "create-phone-call", ["results"]),
            )
        ],
        "ms": IsFloat,
    }
    assert erased.json()["erased"]["event_runs"] == 1
    assert after == {**run, "call_id": None, "phone_number": None, "customer": None}


async def test_an_event_needs_the_credential_of_a_queue(organisation: Organisation) -> None:
    """Credential first, then size, then form; an administrator's key opens nothing here."""
    service = organisation.service
    client = service.client
    large = {"eventData": {"x": "y" * 70_000}}
    answers = [
        await post_event(service, "call-ended", key=None, **large),
        await post_event(service, "call-ended", key="wrong-key-of-somebody"),
        await client.post("/events/call-ended", json={}, headers={"Authorization": "Bearer admin-key-for-tests"}),
        await post_event(service, "call-ended", **large),
        await post_event(service, "no-such-event"),
        await post_event(service, "call-ended", direction=2),
        await post_event(service, "call-ended", customer={"logicalName": "lead", "id": "x"}),
        await client.get("/events/call-ended", headers={"X-Benemen-APIKey": WEBHOOK_KEY}),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 413, 404, 422, 422, 405]
    assert [error["pointer"] for error in answers[6].json()["errors"]] == ["/customer/logicalName", "/customer/id"]


async def test_an_event_from_a_foreign_network_is_refused(tmp_path: Path) -> None:
    """Networks are those of the webhook."""
    async with open_organisation(tmp_path, webhook={"allowed_networks": ["203.0.113.0/24"]}) as organisation:
        assert (await post_event(organisation.service, "call-ended")).status_code == 403


async def test_the_test_bench_writes_nothing(organisation: Organisation) -> None:
    """Customers are really looked up, which the audit tells; activities and hooks are told and not done."""
    await organisation.send("PATCH", f"{PATH}/call-ended/plugins/56", {"parameters": {"url": URL}, "status": "active"})
    writes = organisation.count_writes()
    tested = await organisation.send("POST", f"{PATH}/call-ended/test", ENDED)
    refused = await organisation.send("POST", f"{PATH}/call-ended/test", ENDED, key=PROGRAM_KEY)
    runs = (await organisation.get(f"{PATH}/call-ended/runs")).json()["items"]

    assert (tested.status_code, refused.status_code, runs) == (200, 403, [])
    assert tested.json()["context"]["customer"] == HELENA
    assert [(entry["number"], entry["would"]) for entry in tested.json()["trace"]] == [
        (51, None),
        (54, None),
        (55, IsStr(regex=r'create and complete the phone-call activity .{36}, "Call from \+358501234567", owned .*')),
        (56, "post the context to hooks.example.com"),
    ]
    assert (organisation.count_writes() - writes, list_activities(organisation)) == (0, [])
    assert (await organisation.list_audit(target="events/call-ended"))[-1][1] == "event.tested"
