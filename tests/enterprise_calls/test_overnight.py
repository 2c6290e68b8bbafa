"""A customer who is saved after the call counts until the overnight run of that office day, and no longer."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.emulators.faults import Fault, FaultKind
from app.enterprise_calls.office_days import OfficeDays, Window
from app.settings import PhoneCallSyncSettings
from tests.support.enterprise_calls import Clock, Systems, open_world
from tests.support.service import wait_for

STRANGER = "+358409998877"


def read(text: str) -> float:
    """Read a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def write(seconds: float) -> str:
    """Write it in the same way."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize(
    ("call", "last"),
    [
        ("2026-11-11T08:00", "2026-11-11T22:00"),  # Wednesday morning
        ("2026-11-11T13:59", "2026-11-11T22:00"),
        ("2026-11-11T14:00", "2026-11-12T22:00"),  # four in the afternoon in Helsinki: the next office day
        ("2026-11-11T22:30", "2026-11-12T22:00"),
        ("2026-11-13T18:00", "2026-11-16T22:00"),  # Friday evening: Monday
        ("2026-11-14T10:00", "2026-11-16T22:00"),
        ("2026-10-23T12:30", "2026-10-23T22:00"),  # before the clocks go back: 15:30 in Helsinki
        ("2026-10-23T13:30", "2026-10-26T22:00"),
        ("2026-10-26T13:30", "2026-10-26T22:00"),  # after: the same hour of UTC is within office hours
        ("2026-03-27T13:30", "2026-03-27T22:00"),
        ("2026-03-30T13:30", "2026-03-31T22:00"),
    ],
)
def test_last_chance_is_the_run_after_the_office_day(call: str, last: str) -> None:
    """Office hours go by the clock of the zone, the overnight run by that of UTC."""
    assert write(OfficeDays.of(PhoneCallSyncSettings()).last_chance(read(call))) == last


@pytest.mark.parametrize(
    ("settings", "at", "window"),
    [
        ({}, "2026-11-11T22:00", ("2026-11-11T22:00", "2026-11-11T23:30")),
        ({}, "2026-11-11T23:30", None),
        ({}, "2026-11-11T21:59", None),
        (
            {"overnight_from": "23:00", "overnight_until": "01:00"},
            "2026-11-12T00:30",
            ("2026-11-11T23:00", "2026-11-12T01:00"),
        ),
    ],
)
def test_window_of_the_run(settings: dict[str, Any], at: str, window: tuple[str, str] | None) -> None:
    """It begins and ends by UTC, and may pass midnight."""
    found = OfficeDays.of(PhoneCallSyncSettings(**settings)).find_window(read(at))

    assert found == (None if window is None else Window(read(window[0]), read(window[1])))


def test_without_office_hours_a_call_belongs_to_its_day() -> None:
    """Then every day is one."""
    days = OfficeDays.of(PhoneCallSyncSettings(office_hours={}))

    assert write(days.last_chance(read("2026-11-14T20:00"))) == "2026-11-14T22:00"


async def test_customer_saved_the_same_day_is_matched(tmp_path: Path) -> None:
    """The overnight run finds who was saved meanwhile; during the day others go on waiting, after it they expire."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1", ANum=STRANGER)
        systems.call("c-2", ANum="+358409990000")
        await world.run()
        pending = (await world.get("/pending")).json()
        assert [(item["call_id"], item["reason"]) for item in pending["items"]] == [
            ("c-2", "no_match"),
            ("c-1", "no_match"),
        ]
        systems.save_contact(STRANGER)

        job = await world.run("/overnight")

        assert (job["result"]["calls"], job["result"]["complete"], job["percent"]) == (2, True, 100.0)
        assert await world.list_outcomes() == {"c-1": "synced/written", "c-2": "pending/no_match"}
        systems.clock.now = datetime(2026, 11, 11, 22, 0, tzinfo=UTC)
        await world.run("/overnight")
        assert await world.list_outcomes() == {"c-1": "synced/written", "c-2": "expired/no_match"}
        assert [rule["rule"] for rule in (await world.explain("c-2"))["rules"]][-2:] == ["counterpart", "overnight"]
        systems.save_contact("+358409990000", "cccccccc-0000-4000-8000-000000000002")
        await world.run("/overnight")
        assert len(systems.list_activities()) == 1


async def test_several_records_that_disagree_wait_as_well(tmp_path: Path) -> None:
    """Somebody may merge them the same day."""
    systems = Systems.make()
    for index, account in enumerate(("1", "2")):
        key = f"cccccccc-0000-4000-8000-00000000000{index}"
        company = f"a0000000-0000-4000-8000-00000000000{account}"
        row = {"contactid": key, "fullname": "Shared", "mobilephone": STRANGER, "statecode": 0}
        systems.dataverse.tables.store("contacts", row | {"_parentcustomerid_value": company})
    async with open_world(tmp_path, systems) as world:
        systems.call("c-1", ANum=STRANGER)
        await world.run()

        assert await world.list_outcomes() == {"c-1": "pending/ambiguous"}


async def test_service_runs_it_by_itself(tmp_path: Path) -> None:
    """When the service is up at ten in the evening UTC, the run begins, and once only."""
    clock = Clock(datetime(2026, 11, 11, 22, 5, tzinfo=UTC))
    systems = Systems.make(clock)
    async with open_world(tmp_path, systems, sync={"enabled": True}) as world:

        async def find_job() -> dict[str, Any] | None:
            jobs = (await world.service.ask("/admin/jobs", kind="enterprise-calls-overnight")).json()["items"]
            return next((job for job in jobs if job["state"] == "done"), None)

        job = await wait_for(find_job)

    assert job["author"] == "enterprise-calls"
    async with open_world(tmp_path, systems) as world:
        jobs = (await world.service.ask("/admin/jobs", kind="enterprise-calls-overnight")).json()["items"]
        assert [each["id"] for each in jobs] == [job["id"]]


async def test_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was tried is not tried again, and what Dataverse kept from being tried does not expire."""
    systems = Systems.make()
    async with open_world(tmp_path, systems) as world:
        for index in range(3):
            systems.call(f"c-{index}", ANum=f"+35840999000{index}")
        await world.run()
        systems.clock.now = datetime(2026, 11, 11, 22, 1, tzinfo=UTC)
        systems.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=503, table="contacts"))

        failed = await world.run("/overnight")

        assert failed["state"] == "failed"
        assert set((await world.list_outcomes()).values()) == {"pending/no_match"}
        systems.dataverse.faults.clear()
        await world.run("/overnight")
        assert set((await world.list_outcomes()).values()) == {"expired/no_match"}
