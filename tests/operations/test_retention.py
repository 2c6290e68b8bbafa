"""What is older than it may become goes by itself."""

from pathlib import Path
from time import time
from typing import Any

from app.directory.store import CallerSnapshotStore
from app.store.database import open_database
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
    async with open_service(tmp_path, store={"retention_days": 90}, clock=lambda: then + 100 * DAY) as service:

        async def read() -> list[dict[str, Any]] | None:
            items: list[dict[str, Any]] = (await service.ask("/admin/decisions", limit=10)).json()["items"]
            return items if len(items) < 2 else None

        (kept,) = await wait_for(read)
    database = open_database(f"sqlite:///{tmp_path}/smartrouting.db")
    callers = await CallerSnapshotStore(database=database).get_many([ANNA, BEN])
    await database.close()

    assert kept["rule"] is None
    assert set(callers) == {BEN}
    assert find_files_with(tmp_path, b"501234567") == []
