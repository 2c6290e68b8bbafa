"""Decisions for reports of others: in files, or in a table in Dynamics, once each."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.calls.store import DecisionStore
from app.reports.export import CsvFolder, Export
from app.reports.rollup import Rollup
from app.store.database import Database
from app.store.tables import report_exports
from tests.support.records import make_record
from tests.support.service import UNHURRIED, VIP_RULES, open_service, wait_for


def read_files(folder: Path) -> list[dict[str, str]]:
    """Read every row of every file that is whole."""
    files = sorted(folder.glob("decisions-*.csv"))
    return [row for file in files for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())]


async def test_every_decision_is_in_a_file_once(tmp_path: Path) -> None:
    """Also after a restart; fire drills are not, and nothing tells who called."""
    folder = tmp_path / "exports"
    reports = {"export": "file", "export_folder": folder}

    async def read(count: int) -> list[dict[str, str]] | None:
        rows = read_files(folder) if folder.exists() else []
        return rows if len(rows) >= count else None

    async with open_service(tmp_path, rules=VIP_RULES, webhook=UNHURRIED, reports=reports) as service:
        await service.call("+358501234567", targetid="SALES")
        await service.call("+358409999999", targetid="SALES")
        await wait_for(lambda: read(2))
        headers = {"Authorization": "Bearer admin-key-for-tests"}
        drill = {"call": {"anum": "+358501234567"}, "pretend": "down"}
        await service.client.post("/admin/drills", json=drill, headers=headers)
        await service.list_decisions(3)
    async with open_service(tmp_path, rules=VIP_RULES, webhook=UNHURRIED, reports=reports) as service:
        await service.call("anonymous", targetid="SALES")
        rows = await wait_for(lambda: read(3))
        listed = [item["id"] for item in (await service.ask("/admin/decisions", drill=False)).json()["items"]]

    assert sorted(row["id"] for row in rows) == sorted(listed)
    seen = [(row["outcome"], row["rule"], row["destination"], row["queue"], row["vip"]) for row in rows]
    nothing = ("no_change", "", "", "SALES", "False")
    assert sorted(seen) == sorted([("redirect", "vip", "vip-queue", "SALES", "True"), nothing, nothing])
    assert not [row for row in rows if "+358" in "".join(row.values())]


async def test_decisions_become_rows_of_a_table_in_dynamics(tmp_path: Path) -> None:
    """Under the logical names of the settings, with the decision's id as the primary key."""
    columns = {"id": "activityid", "rule": "subject"}
    reports = {"export": "table", "export_table": "phonecalls", "export_columns": columns}
    async with open_service(tmp_path, rules=VIP_RULES, webhook=UNHURRIED, reports=reports) as service:
        await service.call("+358501234567")
        (decision,) = await service.list_decisions(1)

        async def read_row() -> Mapping[str, Any] | None:
            return service.dataverse.tables.find("phonecalls", decision["id"])

        assert (await wait_for(read_row))["subject"] == "vip"


@dataclass(frozen=True)
class Failing:
    """A folder whose disk fails when the file is there already, but nobody has been told."""

    folder: Path

    async def write(self, batch: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write, and fail."""
        await CsvFolder(self.folder).write(batch, rows)
        raise OSError


async def test_a_batch_that_failed_is_written_again_as_it_was(database: Database, tmp_path: Path) -> None:
    """A decision of an earlier time that arrives meanwhile comes with the next batch."""
    store = DecisionStore(database=database, rollup=Rollup(database=database, exports=True))
    folder = tmp_path / "exports"
    first, late = make_record(1_790_000_100.0), make_record(1_790_000_000.0)
    await store.add([first])
    with pytest.raises(OSError):  # noqa: PT011 - it is our own
        await Export(database=database, destination=Failing(folder)).run_once()
    await store.add([first, late])
    await Export(database=database, destination=CsvFolder(folder)).run_once()
    assert [row["id"] for row in read_files(folder)] == [late.id, first.id]


async def test_links_to_other_reports_are_settings(tmp_path: Path) -> None:
    """Those that are set stand beside the list of reports."""
    url = "https://reports.example.com/contoso"
    async with open_service(tmp_path, reports={"enreach_reports_url": url}) as service:
        assert (await service.ask("/admin/reports")).json()["links"] == {"enreach_reports": url}


async def test_purged_decisions_are_not_exported(database: Database, tmp_path: Path) -> None:
    """What went before it was written leaves neither a file without rows nor a note for ever."""
    rollup = Rollup(database=database, exports=True)
    store = DecisionStore(database=database, rollup=rollup)
    await store.add([make_record(1000.0), make_record(2000.0)])
    await store.purge_before(1500.0)
    await Export(database=database, destination=CsvFolder(tmp_path / "one")).run_once()
    await store.add([make_record(3000.0)])
    await store.purge_before(9000.0)
    await Export(database=database, destination=CsvFolder(tmp_path / "none")).run_once()
    await store.add([make_record(4000.0)])
    await store.purge_before(9000.0)
    await rollup.forget_purged()
    async with database.read() as connection:
        notes = (await connection.execute(select(report_exports.c.id))).all()

    assert ([row["at"] for row in read_files(tmp_path / "one")], notes) == (["1970-01-01T00:33:20+00:00"], [])
    assert not (tmp_path / "none").exists()
