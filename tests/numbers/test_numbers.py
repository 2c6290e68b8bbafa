"""What an administrator sees of the numbers in Dynamics, and what they have corrected."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from tests.support.live_settings import save
from tests.support.mirrored import (
    ANNA,
    change,
    fail_everything,
    guid,
    make_tables,
    make_vip,
    open_mirrored,
    wait_for_answer,
)
from tests.support.rulesets import Administrator
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, UNHURRIED, VIP_RULES, Service, open_service, wait_for

PATH = "/admin/numbers"
CONTACTS = (
    make_vip(1, ANNA),
    make_vip(2, "050 1112223"),
    make_vip(3, "call the office"),
    make_vip(4, "040 5551359 ext. 12"),
    make_vip(5, "+358 50 1234567"),
    make_vip(6, "08-465 00 40", address1_country="Sweden"),
    make_vip(7, "+46 8 465 00 40"),
)
LACK = (
    "callers are looked up live, so only shared numbers and finds of the tolerant search are known; "
    "SMARTROUTING_DATAVERSE__DIRECTORY=mirror reads every number"
)
NO_NEWS = {"mirror_poll_seconds": 3600}


def pick(item: dict[str, Any]) -> tuple[int, list[str], list[str]]:
    """Return number of the contact, faults and stored texts of a listed record."""
    return int(item["id"][-12:]), item["faults"], [number["stored"] for number in item["numbers"]]


async def ask(service: Service, path: str = PATH, *, key: str = ADMIN_KEY, **query: Any) -> dict[str, Any]:
    answer = await service.ask(path, key=key, **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def run(service: Service, path: str, body: object = None) -> dict[str, Any]:
    """Start a job and wait for what comes of it."""
    admin = Administrator(service)
    started = await admin.send("POST", path, body)
    assert started.status_code == 202, started.text

    async def read() -> dict[str, Any] | None:
        job: dict[str, Any] = await admin.read(f"/admin/jobs/{started.json()['id']}")
        return None if job["state"] == "running" else job

    job = await wait_for(read)
    assert job["state"] == "done", job
    return job


async def read_phone(service: Service, number: int) -> object:
    return service.dataverse.tables.find("contacts", guid(number))["mobilephone"]


async def test_the_mirror_tells_which_numbers_to_look_at(tmp_path: Path) -> None:
    """Counts by fault, today's point of the trend, and the records with links; page by page the same."""
    async with open_mirrored(tmp_path, make_tables(*CONTACTS), dataverse=NO_NEWS) as service:
        found = await ask(service)
        pages = [await ask(service, limit=2)]
        while pages[-1]["next"]:
            pages.append(await ask(service, limit=2, after=pages[-1]["next"]))
        colliding = await ask(service, fault="colliding")
        notes = await ask(service, fault="no_country_code")

    counts = {
        "unreadable": 1,
        "no_country_code": 3,
        "extension": 1,
        "note": 0,
        "several": 0,
        "test_data": 1,
        "shared": 2,
        "colliding": 2,
        "found_by_search": 0,
    }
    assert (found["source"], found["detail"], found["records"], found["counts"]) == ("mirror", "", 9, counts)
    assert [point["counts"] for point in found["trend"]] == [counts]
    assert sorted(map(pick, found["items"])) == [
        (1, ["shared", "colliding"], [ANNA]),
        (2, ["no_country_code"], ["050 1112223"]),
        (2, ["shared", "colliding"], ["050 1112223"]),
        (3, ["unreadable"], ["call the office"]),
        (4, ["no_country_code", "extension"], ["040 5551359 ext. 12"]),
        (5, ["test_data"], ["+358 50 1234567"]),
        (6, ["no_country_code"], ["08-465 00 40"]),
        (6, ["shared", "colliding"], ["08-465 00 40"]),
        (7, ["shared", "colliding"], ["+46 8 465 00 40"]),
    ]
    assert [item for page in pages for item in page["items"]] == found["items"]
    assert [pick(item)[0] for item in colliding["items"]] == [1, 2, 6, 7]
    assert sorted(pick(item)[0] for item in notes["items"]) == [2, 4, 6]
    assert found["items"][0]["link"] == (
        f"http://127.0.0.1/main.aspx?etn=contact&pagetype=entityrecord&id={found['items'][0]['id']}"
    )


async def test_a_role_that_may_not_see_numbers_sees_how_they_are_written(tmp_path: Path) -> None:
    """Shapes in the list and the file; who sees them in full leaves an audit record."""
    async with open_mirrored(tmp_path, make_tables(*CONTACTS[:4]), dataverse=NO_NEWS) as service:
        masked = await ask(service, key=PROGRAM_KEY, fault="extension")
        shared = await ask(service, f"{PATH}/shared", key=PROGRAM_KEY)
        file = await service.ask(PATH, key=PROGRAM_KEY, format="csv")
        full = await service.ask(PATH, format="csv", fault="extension")
        audit = await ask(service, "/admin/audit", what="numbers.shown")

    assert [pick(item) for item in masked["items"]] == [(4, ["no_country_code", "extension"], ["### ####### xxx. ##"])]
    assert [item["number"] for item in shared["items"]] == ["+35850*****23"]
    lines = list(csv.DictReader(io.StringIO(file.text)))
    assert file.headers["content-type"].startswith("text/csv")
    assert (len(lines), list(lines[0])) == (5, ["table", "id", "column", "faults", "stored", "link"])
    assert all(ANNA[4:] not in text for text in (file.text, json.dumps(masked), json.dumps(shared)))
    assert next(csv.DictReader(io.StringIO(full.text)))["stored"] == "040 5551359 ext. 12"
    assert [(item["who"], item["target"]) for item in audit["items"]] == [("anna", "numbers/extension")]


async def test_shared_numbers_tell_who_a_call_is_taken_for(tmp_path: Path) -> None:
    """The policy and its reason are those of a call, and no call has been made."""
    stranger = {"contactid": guid(9), "fullname": "No VIP", "telephone1": "+358 50 111 2223"}
    contacts = [*CONTACTS[:2], make_vip(3, "+46 8 123 456 21"), make_vip(4, "+46 8 123 456 21"), stranger]
    async with open_mirrored(tmp_path, make_tables(*contacts), dataverse=NO_NEWS) as service:
        first = await ask(service, f"{PATH}/shared", limit=1)
        second = await ask(service, f"{PATH}/shared", limit=1, after=first["next"])
        await fail_everything(service.dataverse)
        call = await service.call(ANNA)
        last = await service.explain_last()

    [anna], [switchboard] = first["items"], second["items"]
    assert second["next"] is None
    assert {name: value for name, value in anna.items() if name != "sharers"} == {
        "number": ANNA,
        "records": 3,
        "colliding": True,
        "status": "ambiguous",
        "vip": True,
        "vip_reason": "2 of 3 records with this number are VIPs; policy any",
        "explanation": "3 active records carry the number; they differ in VIP and company: nobody in particular is "
        "identified",
    }
    assert [(each["table"], each["id"]) for each in anna["sharers"]] == [("contact", guid(n)) for n in (1, 2, 9)]
    assert (switchboard["status"], switchboard["colliding"]) == ("identified", False)
    assert (call.status_code, last["facts"]["caller.explanation"]) == (200, anna["explanation"])


async def test_without_a_mirror_it_tells_what_calls_came_across(tmp_path: Path) -> None:
    """Shared numbers of callers, and whom only the search found; the answer says that the mirror knows more."""
    odd = make_vip(2, "mob: 040.5551359 / work")
    tables = make_tables(make_vip(1, ANNA), make_vip(3, ANNA), odd)
    async with open_service(tmp_path, rules=VIP_RULES, tables=tables, webhook=UNHURRIED) as service:
        answers = [(await service.call(number)).status_code for number in (ANNA, "+358405551359")]

        async def read() -> dict[str, Any] | None:
            found = await ask(service)
            # Counts and items are read one after the other, and the find is saved beside calls.
            return found if found["items"] and found["counts"] == {"shared": 1, "found_by_search": 1} else None

        found = await wait_for(read)
        shared = await ask(service, f"{PATH}/shared")
        admin = Administrator(service)
        erased = (await admin.send("POST", "/admin/erasures", {"number": "+358405551359"})).json()["erased"]
        left = await ask(service)

    assert answers == [200, 200]
    assert (found["source"], found["records"], found["detail"]) == (
        "live",
        None,
        LACK,
    )
    assert list(map(pick, found["items"])) == [(2, ["found_by_search"], ["+358405551359"])]
    assert [(item["number"], item["records"], item["status"]) for item in shared["items"]] == [(ANNA, 2, None)]
    assert (erased["search_finds"], left["items"]) == (1, [])


async def test_a_suggestion_spells_the_numbers_of_a_record(tmp_path: Path) -> None:
    """In E.164, by the country of the record; a number that stands beside words is suggested, and not safe."""
    contact = make_vip(1, "08-465 11 40", telephone1="040 5551359 ext. 12", telephone2=ANNA, address1_country="Sweden")
    account = {"accountid": guid(2), "name": "Fabrikam", "telephone1": "09 1237788"}
    tables = make_tables(contact)
    tables["accounts"].append(account)
    async with open_service(tmp_path, tables=tables) as service:
        admin = Administrator(service)
        found = (await admin.send("POST", f"{PATH}/{guid(1)}/suggest")).json()
        company = (await admin.send("POST", f"{PATH}/{guid(2)}/suggest")).json()
        nobody = await admin.send("POST", f"{PATH}/{guid(99)}/suggest")

    assert (found["table"], found["numbers"]) == (
        "contact",
        [
            {
                "column": "mobilephone",
                "stored": "08-465 11 40",
                "faults": ["no_country_code"],
                "suggestion": "+4684651140",
                "is_safe": True,
            },
            {
                "column": "telephone1",
                "stored": "040 5551359 ext. 12",
                "faults": ["no_country_code", "extension"],
                "suggestion": "+46405551359",
                "is_safe": False,
            },
            {"column": "telephone2", "stored": ANNA, "faults": [], "suggestion": None, "is_safe": False},
        ],
    )
    assert (company["table"], company["numbers"][0]["suggestion"]) == ("account", "+35891237788")
    assert nobody.status_code == 404


async def test_corrections_are_tried_written_and_undone(tmp_path: Path) -> None:
    """Off by default; a dry run changes nothing; what somebody changed since is not put back."""
    contacts = (make_vip(1, "050 1112223"), make_vip(2, "040 7654312"), make_vip(3, "040 5551359 ext. 12"))
    records = {"records": [guid(number) for number in (1, 2, 3, 77)]}
    async with open_mirrored(tmp_path, make_tables(*contacts)) as service:
        admin = Administrator(service)
        refused = await admin.send("POST", f"{PATH}/corrections", records)
        tried = await run(service, f"{PATH}/corrections", records | {"dry_run": True})
        untouched = await read_phone(service, 1)
        await save(service, "smart-routing", correct_numbers=True)
        done = await run(service, f"{PATH}/corrections", records)
        written = [await read_phone(service, number) for number in (1, 2, 3)]
        await wait_for_answer(service, ANNA, 200)
        await change(service.dataverse, "contacts", contactid=guid(2), mobilephone="+358409999999")
        undone = await run(service, f"{PATH}/corrections/{done['id']}/undo")
        restored = [await read_phone(service, number) for number in (1, 2, 3)]
        nothing = await admin.send("POST", f"{PATH}/corrections/{tried['id']}/undo")
        audit = (await ask(service, "/admin/audit", target=f"contact/{guid(1)}"))["items"]

    assert refused.status_code == 409
    assert untouched == "050 1112223"
    assert tried["result"]["counts"] == {"planned": 2, "unchanged": 1, "not_found": 1}
    assert done["result"]["counts"] == {"changed": 2, "unchanged": 1, "not_found": 1}
    assert done["result"]["records"][0]["changes"] == [
        {"column": "mobilephone", "before": "### #######", "after": "+############"}
    ]
    assert written == [ANNA, "+358407654312", "040 5551359 ext. 12"]
    assert undone["result"]["counts"] == {"changed": 1, "changed_meanwhile": 1}
    assert restored == ["050 1112223", "+358409999999", "040 5551359 ext. 12"]
    assert nothing.status_code == 404
    assert [(item["what"], item["after"]) for item in audit] == [
        ("number.restored", {"mobilephone": "050 1****23"}),
        ("number.corrected", {"mobilephone": "+35850*****23"}),
    ]
