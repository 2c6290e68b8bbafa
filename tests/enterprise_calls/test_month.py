"""Some days with everything that may happen to calls, against a model that shares no code with the product."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.support.enterprise_calls import Clock, Systems, open_world
from tests.support.month import Month
from tests.support.month_run import list_written, live, read_settings


@pytest.mark.parametrize(
    ("first", "calls"),
    [
        (date(2026, 10, 24), 300),  # Saturday to Monday: in Helsinki the clocks go back
        (date(2026, 3, 28), 301),  # the same when they go forward
    ],
)
async def test_every_activity_that_the_rules_want_exists_once(tmp_path: Path, first: date, calls: int) -> None:
    """None is missing, none is there twice, and none that the rules forbid."""
    month = Month(first=first, days=3, users=20, calls=calls, contacts=100, seed=calls)
    systems = Systems.make(Clock(month.start), tables=month.list_tables())
    async with open_world(tmp_path, systems, sync=read_settings(month)) as world:
        await live(world, month, every=timedelta(hours=3))

    assert list_written(systems) == month.expect()
