"""`smartrouting reports rebuild`: figures from the decisions in the store."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from app.calls.store import DecisionStore
from app.reports.figures import REPORTS
from app.reports.periods import Grain, list_periods
from app.reports.store import ReportFilter, ReportStore
from app.store.database import open_database
from app.store.upgrade import upgrade
from app.web.limits import HeavyWork
from tests.support.console import Console
from tests.support.records import NOON, make_record

DAY = datetime.fromtimestamp(NOON, UTC)


def test_rebuild_adds_up_what_no_figures_tell(console: Console, tmp_path: Path) -> None:
    """Decisions from before there were figures count; half-hours whose decisions were purged keep what they had."""
    url = f"sqlite:///{tmp_path}/smartrouting.db"
    hour = 3600
    asyncio.run(_add(url, NOON, NOON, NOON + 2 * hour))

    assert _rebuild(console, tmp_path, url) == "3 calls are added up\n"
    assert asyncio.run(_count(url)) == 3

    asyncio.run(_purge(url, NOON + hour))
    asyncio.run(_add(url, NOON + 1))
    assert _rebuild(console, tmp_path, url) == (
        "0 calls are added up\n2 half-hours keep their figures: the log no longer has all that they tell\n"
    )
    assert asyncio.run(_count(url)) == 3


def test_an_empty_log_is_no_error(console: Console, tmp_path: Path) -> None:
    """Nothing is there to add up."""
    assert _rebuild(console, tmp_path, f"sqlite:///{tmp_path}/smartrouting.db") == "0 calls are added up\n"


def _rebuild(console: Console, folder: Path, url: str) -> str:
    settings = {"SMARTROUTING_DEMO": "1", "SMARTROUTING_STORE__URL": url}
    ended = console.run(folder, "reports", "rebuild", **settings)
    assert ended.status == 0, ended.err
    return ended.out


async def _add(url: str, *times: float) -> None:
    database = open_database(url)
    await upgrade(database)
    await DecisionStore(database=database).add([make_record(at) for at in times])
    await database.close()


async def _purge(url: str, before: float) -> None:
    database = open_database(url)
    await DecisionStore(database=database).purge_before(before)
    await database.close()


async def _count(url: str) -> int:
    database = open_database(url)
    periods = list_periods(DAY - timedelta(days=1), DAY + timedelta(days=1), Grain.MONTH, ZoneInfo("UTC"))
    rows = await REPORTS["calls"].make(ReportStore(database=database), periods, ReportFilter(), HeavyWork())
    await database.close()
    return sum(row.calls for row in rows)
