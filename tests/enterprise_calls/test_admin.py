"""What administrators see and do about Enterprise Calls."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.console import Console
from tests.support.enterprise_calls import AINO, Clock, Systems, World, open_world
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, USER_KEY, wait_for

STRANGER = "+358409998877"


async def sync(world: World) -> None:
    """Have one call of a customer and one of a stranger read."""
    world.systems.call("c-1")
    world.systems.call("c-2", ANum=STRANGER, StartTime="2026-11-11T09:50:00", UserName="mikko.korhonen@contoso.example")
    await world.run()


async def test_calls_are_listed_by_outcome_user_and_time(tmp_path: Path) -> None:
    """All conditions hold together, and long lists come in pages."""
    async with open_world(tmp_path, Systems.make()) as world:
        await sync(world)

        async def find(**query: Any) -> list[str]:
            return [item["call_id"] for item in (await world.get("/calls", **query)).json()["items"]]

        first = (await world.get("/calls", limit=1)).json()
        rest = (await world.get("/calls", limit=1, after=first["next"])).json()

        assert await find() == ["c-1", "c-2"]
        assert (await find(outcome="pending"), await find(user_id=AINO)) == (["c-2"], ["c-1"])
        assert await find(since="2026-11-11T09:55:00Z") == ["c-1"]
        assert [page["items"][0]["call_id"] for page in (first, rest)] == ["c-1", "c-2"]
        assert rest["next"] is None
        assert (await world.get("/calls", after="x")).status_code == 422


async def test_status_tells_position_counts_and_runs(tmp_path: Path) -> None:
    """How far it is, what became of the calls, and when it reads again."""
    async with open_world(tmp_path, Systems.make()) as world:
        await sync(world)
        world.systems.clock.turn(minutes=10)
        status = (await world.get()).json()

    assert {
        name: status[name] for name in ("state", "reason", "position", "lag_seconds", "next_run_at", "pending")
    } == {
        "state": "running",
        "reason": "",
        "position": "2026-11-11T10:00:00Z",
        "lag_seconds": 600.0,
        "next_run_at": "2026-11-11T10:15:00Z",
        "pending": 1,
    }
    assert status["counts"] == {"pending": {"no_match": 1}, "synced": {"written": 1}}
    assert status["runs"][0]["outcomes"] == {"pending/no_match": 1, "synced/written": 1}


async def test_numbers_are_masked_unless_somebody_may_see_them(tmp_path: Path) -> None:
    """Whoever reveals one leaves an audit record."""
    async with open_world(tmp_path, Systems.make()) as world:
        await sync(world)
        masked = [(await world.get("/calls/c-1", key=key)).json()["number"] for key in (ADMIN_KEY, PROGRAM_KEY)]
        refused = await world.get("/calls/c-1", key=PROGRAM_KEY, reveal=True)
        shown = (await world.get("/calls/c-1", reveal=True)).json()
        audit = (await world.service.ask("/admin/audit", what="enterprise_call.revealed")).json()["items"]

    assert masked == ["+35850*****67", "+35850*****67"]
    assert (refused.status_code, shown["number"]) == (403, "+358501234567")
    assert [(entry["who"], entry["target"]) for entry in audit] == [
        ("anna", f"enterprise-call/{shown['activity_id']}"),
    ]


@pytest.mark.parametrize("path", ["/run", "/overnight", "/calls/c-1/retry"])
async def test_others_change_nothing(tmp_path: Path, path: str) -> None:
    """Runs and retries are for administrators."""
    async with open_world(tmp_path, Systems.make()) as world:
        assert [(await world.post(path, {}, key=key)).status_code for key in (PROGRAM_KEY, USER_KEY)] == [403, 403]


async def test_erased_number_is_nowhere_and_comes_back_by_no_run(tmp_path: Path) -> None:
    """A pending call of it is never written, and reading Enreach again does not bring the number back."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        await sync(world)
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        erased = await world.service.client.post("/admin/erasures", json={"number": STRANGER}, headers=headers)
        systems.save_contact(STRANGER)
        await world.run()
        await world.run(**{"from": "2026-11-11T00:00:00Z"})
        await world.run("/overnight")
        await world.post("/calls/c-2/retry")

        explained = await world.explain("c-2")
        assert erased.json()["erased"]["enterprise_calls"] == 1
        assert (explained["outcome"], explained["reason"], explained["number"]) == ("skipped", "erased", None)
        assert len(systems.list_activities()) == 1
    assert find_files_with(tmp_path, b"409998877") == []


async def test_old_calls_are_purged(tmp_path: Path) -> None:
    """Retention reaches them by days of their own."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        await sync(world)
    systems.clock.turn(days=31)
    async with open_world(tmp_path, systems, retention={"enterprise_calls_days": 30}) as world:

        async def read() -> bool | None:
            return None if await world.list_outcomes() else True

        assert await wait_for(read)


async def test_retry_decides_anew(tmp_path: Path) -> None:
    """After a mistake in the settings or on a user form was corrected, one call can be tried alone."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        await sync(world)
        systems.save_contact(STRANGER)

        answer = await world.post("/calls/c-2/retry")

        assert (answer.status_code, answer.json()["outcome"]) == (200, "synced")
        systems.call("c-1", EmulatedPrivacy="Private")
        assert (await world.post("/calls/c-1/retry")).status_code == 404
        assert await world.list_outcomes() == {"c-2": "synced/written"}


async def test_checklist_says_what_is_missing(tmp_path: Path) -> None:
    """Before the first call what no interface tells is unknown; then it is known, for the users too."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:

        async def judge() -> dict[str, str]:
            return {item["id"]: item["state"] for item in (await world.get("/checklist")).json()["items"]}

        before = await judge()
        await sync(world)
        after = await judge()
        items = (await world.service.ask(f"/admin/users/{AINO}")).json()["readiness"]

    assert before == {
        "mobile_in_use": "unknown",
        "email": "ok",
        "mobile": "ok",
        "enreach_user_id": "ok",
        "work_privacy": "unknown",
        "customers": "ok",
        "default_assignee": "ok",
        "sync": "ok",
    }
    assert after == {**before, "mobile_in_use": "ok", "work_privacy": "ok", "customers": "unknown"}
    assert {item["id"]: item["state"] for item in items}["work_calls"] == "ok"


async def test_assignee_who_is_nobody_stops_it(tmp_path: Path) -> None:
    """The reason is readable, in the state and in the alert."""
    nobody = "50000000-0000-4000-8000-0000000000ff"
    async with open_world(tmp_path, Systems.make(), sync={"default_crm_assignee": nobody}, wait=False) as world:
        job = await world.run()

        async def find_alert() -> str | None:
            alerts = (await world.service.ask("/admin/alerts", open=True)).json()["items"]
            return next((a["detail"]["message"] for a in alerts if a["kind"] == "enterprise_calls_stopped"), None)

        message = await wait_for(find_alert)
        status = (await world.get()).json()

    assert "default_crm_assignee names no active user" in job["error"]
    assert "default_crm_assignee names no active user" in message
    assert (status["state"], "default_crm_assignee" in status["reason"]) == ("failing", True)


async def test_silence_of_a_whole_office_day_is_told(tmp_path: Path) -> None:
    """A wrong privacy field looks like a day without work calls."""
    clock = Clock(datetime(2026, 11, 9, 5, 0, tzinfo=UTC))
    systems = Systems.make(clock)
    async with open_world(tmp_path, systems) as world:
        clock.now = datetime(2026, 11, 9, 14, 30, tzinfo=UTC)

        async def find_kinds() -> set[str] | None:
            kinds = {alert["kind"] for alert in (await world.service.ask("/admin/alerts", open=True)).json()["items"]}
            return kinds if len(kinds) >= 2 else None

        assert await wait_for(find_kinds) >= {"enterprise_calls_nothing_synced", "enterprise_calls_behind"}
        metrics = await world.service.read_metrics()
    assert "smartrouting_enterprise_calls_running 1.0" in metrics


async def test_console_says_why(tmp_path: Path, console: Console) -> None:
    """`smartrouting calls why` prints every rule, and fails for a call that nobody knows."""
    async with open_world(tmp_path, Systems.make()) as world:
        await sync(world)
    store = {
        "SMARTROUTING_STORE__URL": f"sqlite:///{tmp_path}/smartrouting.db",
        "SMARTROUTING_DEMO": "1",
    }

    ended, unknown = (console.run(tmp_path, "calls", "why", call_id, **store) for call_id in ("c-2", "secret"))

    lines = ended.out.splitlines()
    assert (ended.status, lines[0]) == (0, "pending (no_match): the part of user 50000000-0000-4000-8000-000000000002")
    assert lines[-1].split(maxsplit=3)[1:3] == ["ended", "counterpart"]
    assert (unknown.status, STRANGER in ended.out) == (1, False)


def find_files_with(folder: Path, text: bytes) -> list[str]:
    """List files of a service that has ended which hold a text anywhere."""
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and text in file.read_bytes())
