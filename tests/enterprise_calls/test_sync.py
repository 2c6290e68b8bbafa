"""Work calls become activities, once; the others leave no trace."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.enterprise_calls import AINO, ASSIGNEE, Systems, open_world

HELENA = "c0000000-0000-4000-8000-000000000001"


def show(activity: dict[str, Any]) -> dict[str, Any]:
    names = ("subject", "directioncode", "actualstart", "actualend", "actualdurationminutes", "statecode", "statuscode")
    return {name: activity.get(name) for name in (*names, "_regardingobjectid_value", "_ownerid_value")}


async def test_work_call_becomes_an_activity(tmp_path: Path) -> None:
    """It has direction, parties, times, duration, regarding record and owner, and is completed."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1")
        job = await world.run()

        [activity] = systems.list_activities()
        assert show(activity) == {
            "subject": "Call from +358501234567",
            "directioncode": False,
            "actualstart": "2026-11-11T09:57:00Z",
            "actualend": "2026-11-11T09:59:30Z",
            "actualdurationminutes": 2,
            "statecode": 1,
            "statuscode": 4,
            "_regardingobjectid_value": HELENA,
            "_ownerid_value": AINO,
        }
        assert (job["state"], job["result"]["outcomes"]) == ("done", {"synced/written": 1})
        explained = await world.explain("c-1")
        assert (explained["outcome"], explained["number"]) == ("synced", "+35850*****67")
        assert [(rule["rule"], rule["passed"]) for rule in explained["rules"]] == [
            ("classification", True),
            ("duration", True),
            ("user", True),
            ("number", True),
            ("counterpart", True),
            ("web_phone", True),
            ("activity", True),
        ]


@pytest.mark.parametrize(
    ("changes", "sync", "outcome"),
    [
        ({"Duration": 9}, {"call_duration_limit_s": 10}, "skipped/too_short"),
        ({"ANum": ""}, {}, "skipped/no_number"),
        ({"ANum": "123"}, {}, "skipped/no_number"),
        ({"StartTime": None}, {}, "skipped/no_time"),
        ({"UserName": "kaisa.rantanen@contoso.example"}, {}, "skipped/user_incomplete"),
        ({"ANum": "+358409998877"}, {}, "pending/no_match"),
        ({"Direction": 1, "ANum": "+358501230001", "BNum": "0501234567"}, {}, "synced/written"),
        ({"EndResult": 1, "Duration": 0}, {}, "synced/written"),
        ({"UserName": "nobody@contoso.example"}, {}, "synced/written"),
    ],
)
async def test_rules_decide(tmp_path: Path, changes: dict[str, Any], sync: dict[str, Any], outcome: str) -> None:
    """Each rule of the guide has its outcome and its reason."""
    systems = Systems.make()
    async with open_world(tmp_path, systems, sync=sync) as world:
        systems.call("c-1", **changes)
        await world.run()

        assert await world.list_outcomes() == {"c-1": outcome}
        assert len(systems.list_activities()) == outcome.startswith("synced")


async def test_call_of_somebody_unknown_in_dynamics_goes_to_the_assignee(tmp_path: Path) -> None:
    """Who has no user in Dynamics has their calls owned by the default assignee."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1", UserName="nobody@contoso.example")
        await world.run()

    assert [row["_ownerid_value"] for row in systems.list_activities()] == [ASSIGNEE]


@pytest.mark.parametrize("privacy", ["Private", "Unclassified", None, "", 0])
async def test_call_that_is_not_work_leaves_no_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], privacy: object
) -> None:
    """It is in no table, no file, no log line and no answer."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("secret-call", ANum="+358409998877", EmulatedPrivacy=privacy)
        job = await world.run()

        assert (job["result"]["not_work"], job["result"]["outcomes"]) == (1, {})
        assert (await world.get("/calls/secret-call")).status_code == 404
        assert (await world.post("/calls/secret-call/retry")).status_code == 404
        assert (await world.list_outcomes(), systems.list_activities()) == ({}, [])
    said = read_files(tmp_path) + "".join(capsys.readouterr()).encode()
    assert [text for text in (b"secret-call", b"409998877") if text in said] == []


async def test_rows_of_one_call_are_one_activity_for_each_user(tmp_path: Path) -> None:
    """A call may stand there as a direct and as a service call, and be transferred to a colleague."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1")
        systems.enreach.tables["calls"].append({**systems.enreach.tables["calls"][0], "CallTypeString": "ServiceCall"})
        systems.enreach.tables["calls"].append(
            {**systems.enreach.tables["calls"][0], "UserName": "mikko.korhonen@contoso.example"}
        )
        await world.run()
        await world.run(**{"from": "2026-11-11T00:00:00Z"})

    owners = sorted(row["_ownerid_value"][-1] for row in systems.list_activities())
    assert owners == ["1", "2"]


async def test_call_of_the_web_phone_is_not_written_again(tmp_path: Path) -> None:
    """An activity of the same party, direction and user within the margin is the same call."""
    systems = Systems.make()
    systems.dataverse.tables.store("phonecalls", make_web_phone_activity("2026-11-11T09:57:40Z"))
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1")
        systems.call("c-2", StartTime="2026-11-11T09:55:00")
        await world.run()

        assert await world.list_outcomes() == {"c-1": "skipped/web_phone", "c-2": "synced/written"}


@pytest.mark.parametrize(
    "changes",
    [
        {"directioncode": True},
        {"_ownerid_value": "50000000-0000-4000-8000-000000000002"},
        {"_regardingobjectid_value": None, "phonenumber": "+358401112233"},
        {"actualstart": "2026-11-11T09:58:01Z"},
    ],
)
async def test_activity_of_another_call_is_no_duplicate(tmp_path: Path, changes: dict[str, object]) -> None:
    """Another direction, colleague, party or time is another call."""
    systems = Systems.make()
    systems.dataverse.tables.store("phonecalls", make_web_phone_activity("2026-11-11T09:57:40Z") | changes)
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1")
        await world.run()

        assert await world.list_outcomes() == {"c-1": "synced/written"}


async def test_call_that_turns_private_is_forgotten(tmp_path: Path) -> None:
    """What was kept goes, what stays in Dynamics is said; a pending one is never written."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1")
        systems.call("c-2", ANum="+358409998877")
        await world.run()
        [activity] = systems.list_activities()
        systems.clock.turn(minutes=20)
        systems.call("c-1", EmulatedPrivacy="Private")
        systems.call("c-2", EmulatedPrivacy="Private")

        job = await world.run()

        assert job["result"]["left_in_dynamics"] == [activity["activityid"]]
        assert await world.list_outcomes() == {}
        runs = (await world.get()).json()["runs"]
        assert runs[0]["left_in_dynamics"] == [activity["activityid"]]
        audit = (await world.service.ask("/admin/audit", what="enterprise_calls.withdrawn")).json()["items"]
        assert [entry["target"] for entry in audit] == [f"phonecall/{activity['activityid']}"]
        systems.call("c-1", EmulatedPrivacy="Work")
        await world.run()
        assert await world.list_outcomes() == {"c-1": "synced/already_there"}
        assert len(systems.list_activities()) == 1


async def test_call_that_turns_to_work_is_written(tmp_path: Path) -> None:
    """A classification may come after the call."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1", EmulatedPrivacy="Unclassified")
        await world.run()
        systems.clock.turn(hours=3)
        systems.call("c-1", EmulatedPrivacy="Work")
        await world.run()

        assert await world.list_outcomes() == {"c-1": "synced/written"}


@pytest.mark.parametrize(
    ("sync", "word"),
    [
        ({"enabled": False}, "enabled"),
        ({"privacy_field": None}, "privacy_field"),
        ({"default_crm_assignee": None}, "default_crm_assignee"),
    ],
)
async def test_missing_setting_stops_it_with_a_reason(tmp_path: Path, sync: dict[str, Any], word: str) -> None:
    """Nothing is read, and everybody who asks is told why."""
    systems = Systems.make()
    async with open_world(tmp_path, systems, sync=sync) as world:
        status = (await world.get()).json()
        refused = await world.post("/run", {})

        assert (status["state"], word in status["reason"]) == ("stopped", True)
        assert (refused.status_code, word in refused.json()["detail"]) == (409, True)
        assert [request.path for request in systems.enreach.requests] == []


async def test_dry_run_changes_nothing(tmp_path: Path) -> None:
    """It tells what would become of the calls."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1")
        systems.call("c-2", ANum="+358409998877")
        job = await world.run(**{"from": "2026-11-11T00:00:00Z", "dry_run": True})

        assert job["result"]["outcomes"] == {"pending/no_match": 1, "synced/written": 1}
        assert (await world.list_outcomes(), systems.list_activities()) == ({}, [])


async def test_numbers_of_a_batch_are_looked_up_together(tmp_path: Path) -> None:
    """A hundred calls of a hundred numbers are a handful of requests."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        for index in range(100):
            systems.call(f"c-{index}", ANum=f"+3584099{index:05}")
        before = len(systems.dataverse.requests)
        await world.run()

    assert len(systems.dataverse.requests) - before <= 3


def make_web_phone_activity(start: str) -> dict[str, Any]:
    """Make the activity that the web phone wrote for a call of Aino."""
    return {
        "activityid": "99990000-0000-4000-8000-000000000001",
        "subject": "From the web phone",
        "phonenumber": "+358501234567",
        "directioncode": False,
        "actualstart": start,
        "statecode": 1,
        "statuscode": 4,
        "_regardingobjectid_value": HELENA,
        "_ownerid_value": AINO,
    }


def read_files(folder: Path) -> bytes:
    """Read everything that the service has kept."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
