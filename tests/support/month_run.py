"""Lets a simulated month happen to the emulated systems, while the service synchronises calls."""

from collections import deque
from datetime import UTC, datetime, time, timedelta
from typing import Any

from tests.support.enterprise_calls import Systems, World
from tests.support.month import LIMIT_SECONDS, MARGIN_SECONDS, Happening, Month

__all__ = ["list_written", "live", "read_settings"]

_OVERNIGHT = time(22, 5)
_CHANGES_FROM = 20
"""The hour from which a row may be one that has changed; before it, looking for it would take long."""


def read_settings(month: Month) -> dict[str, Any]:
    """Return the settings of `phone-call-sync` by which the month is synchronised."""
    return {
        "default_crm_assignee": month.assignee_id,
        "call_duration_limit_s": LIMIT_SECONDS,
        "call_start_margin_s": MARGIN_SECONDS,
        "time_zone": month.zone,
    }


async def live(world: World, month: Month, *, every: timedelta | None = None) -> None:
    """Turn the clock from one run of the synchronisation to the next, with what happens in between.

    Without `every`, a run comes when the service says so. After everything has happened there are nights only.
    """
    systems, left = world.systems, deque(month.list_happenings())
    while systems.clock.now < month.end:
        night = datetime.combine(systems.clock.now.date(), _OVERNIGHT, UTC)
        night = night if night > systems.clock.now else night + timedelta(days=1)
        now = min(await _find_next(world, every), night) if left else night
        systems.clock.now = max(now, systems.clock.now + timedelta(seconds=1))
        while left and left[0].at <= systems.clock.now:
            _happen(systems, left.popleft())
        job = await world.run(*(["/overnight"] if now == night else []))
        assert job["state"] == "done", job["error"]
        if now == night:
            _forget_old_rows(systems)


async def _find_next(world: World, every: timedelta | None) -> datetime:
    if every is not None:
        return world.systems.clock.now + every
    return datetime.fromisoformat((await world.get()).json()["next_run_at"])


def list_written(systems: Systems) -> list[tuple[str, str, str]]:
    """List the activities of calls that are in Dynamics, all of them completed."""
    rows = [row for row in systems.dataverse.tables.rows("phonecalls") if row["subject"] != "Web phone"]
    assert all(row["statecode"] == 1 for row in rows)
    return sorted((row["_regardingobjectid_value"], row["actualstart"], row["_ownerid_value"]) for row in rows)


def _happen(systems: Systems, happening: Happening) -> None:
    tables, row = systems.dataverse.tables, happening.row
    match happening.kind:
        case "call":
            calls = systems.enreach.tables["calls"]
            same = {"CallId", "CallTypeString"}
            known = (each for each in reversed(calls) if all(each[name] == row[name] for name in same))
            changed = {**row, "_modified": f"{happening.at:%Y-%m-%dT%H:%M:%S}"}
            found = next(known, None) if happening.at.hour >= _CHANGES_FROM else None
            if found is None:
                calls.append(changed)
            else:
                found.update(changed)
        case "contact":
            tables.store("contacts", row)
        case "user":
            tables.store("systemusers", (tables.find("systemusers", row["systemuserid"]) or {}) | row)
        case _:
            tables.store("phonecalls", row)


def _forget_old_rows(systems: Systems) -> None:
    """Drop rows that nobody will ask for again, so that a month does not take longer every day."""
    since = f"{systems.clock.now - timedelta(days=2):%Y-%m-%dT%H:%M:%S}"
    calls = systems.enreach.tables["calls"]
    calls[:] = [row for row in calls if row["_modified"] >= since]
