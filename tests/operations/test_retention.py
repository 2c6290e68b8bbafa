"""What is older than it may become goes by itself."""

from pathlib import Path
from time import time

import pytest
from structlog.testing import capture_logs

from app.directory.store import CallerSnapshotStore
from app.operations.erasure import Purge, Retention
from app.store.database import open_database
from app.store.errors import StoreUnavailableError
from tests.support.service import VIP_RULES, open_service, wait_for

ANNA = "+358501234567"
BEN = "+358401112233"
DAY = 86_400.0


def find_files_with(folder: Path, text: bytes) -> list[str]:
    """List the files of a service that has ended which hold a text anywhere."""
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and text in file.read_bytes())


async def test_start_deletes_what_is_older_than_the_settings_allow(tmp_path: Path) -> None:
    """Decisions and last known callers of long ago are gone without a trace, and younger ones stay."""
    then = time()
    for caller, days in ((ANNA, 0), (BEN, 31)):
        async with open_service(tmp_path, rules=VIP_RULES, clock=lambda days=days: then + days * DAY) as service:
            await service.call(caller)
    database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
    callers = CallerSnapshotStore(database=database)
    days = {"retention_days": 90}
    with capture_logs() as logs:
        async with open_service(tmp_path, store=days, clock=lambda: then + 100 * DAY) as service:

            async def look() -> bool | None:
                return any(entry["event"] == "retention.done" for entry in logs) or None

            await wait_for(look)
            [kept] = (await service.ask("/admin/decisions", limit=10)).json()["items"]
            known = set(await callers.get_many([ANNA, BEN]))
    await database.close()

    assert kept["rule"] is None
    assert known == {BEN}
    assert find_files_with(tmp_path, b"501234567") == []


def note(seen: list[float], count: int) -> Purge:
    """Make a purge that notes its limit."""

    async def purge(before: float) -> int:
        seen.append(before)
        return count

    return purge


async def forget() -> None:
    """Have nothing to forget."""


async def away(_before: float) -> int:
    """Fail."""
    raise StoreUnavailableError("away")


async def test_everything_older_than_the_days_is_deleted() -> None:
    """Each kind is purged with the same limit."""
    seen: list[float] = []
    purges = {"decisions": note(seen, 7), "callers": note(seen, 2)}

    retention = Retention(purges=purges, read_days=lambda _name: 90, forget_old_pages=forget, clock=lambda: 100 * DAY)

    assert await retention.run() == {"decisions": 7, "callers": 2}

    assert seen == [10 * DAY, 10 * DAY]


async def test_failure_of_one_kind_keeps_no_other() -> None:
    """What cannot be purged now is told after the others, so that it is tried again."""
    seen: list[float] = []
    retention = Retention(
        purges={"broken": away, "callers": note(seen, 2)},
        read_days=lambda _name: 90,
        forget_old_pages=forget,
        clock=lambda: 100 * DAY,
    )

    with pytest.raises(StoreUnavailableError):
        await retention.run()

    assert seen == [10 * DAY]
