"""One row per decision for reports of others: into CSV files, or into a table of the customer in Dynamics.

Decisions that are to be exported are noted in the transaction that writes them, and the note goes when their batch has
arrived. A batch is fixed before it is sent and its rows have ids, so that one that is sent again after a failure
changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import anyio.to_thread
from sqlalchemy import delete, select, update

from app.dataverse.client import DataverseClient
from app.reports.rollup import CallCell
from app.settings.reports import EXPORT_MEMBERS, ReportsSettings
from app.store.database import Database
from app.store.tables import decisions, report_exports
from app.web.spreadsheets import write_lines

__all__ = ["Export", "make_export"]

_BATCH = 500
"""Decisions written at once: a file, or as many requests to Dataverse."""


class Destination(Protocol):
    """Where batches go."""

    async def write(self, batch: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows; writing the same batch again must change nothing. Raises AppError and OSError."""


@dataclass(frozen=True, slots=True)
class CsvFolder:
    """A file for each batch, as Power BI's folder source takes them; a file is there whole or not at all."""

    folder: Path

    async def write(self, batch: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a file; raises OSError."""
        await anyio.to_thread.run_sync(self._write, batch, rows)

    def _write(self, batch: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        half = self.folder / f".{batch}"
        half.write_text(write_lines(EXPORT_MEMBERS, rows), encoding="utf-8", newline="")
        half.rename(self.folder / f"decisions-{batch}.csv")


@dataclass(frozen=True, slots=True)
class DynamicsTable:
    """A table of the customer, whose primary key is the id of the decision."""

    client: DataverseClient
    """One that leaves calls their part of the request budget."""
    table: str
    columns: Mapping[str, str]
    """Member of a decision -> logical name."""

    async def write(self, batch: str, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002 - rows have ids
        """Create the rows, or write them once more; raises DataverseError."""
        for row in rows:
            values = {column: _spell(row[name]) for name, column in self.columns.items() if name != "id"}
            await self.client.put(f"{self.table}({row['id']})", values)


class Export:
    """Sends what is noted, a batch after the other."""

    def __init__(self, *, database: Database, destination: Destination) -> None:
        self._database = database
        self._destination = destination

    async def run_once(self) -> None:
        """Send every decision that is noted and not purged meanwhile.

        Raises StoreError, DataverseError and OSError; then it is tried again.
        """
        while batch := await self._take_batch():
            if rows := await self._read(batch):
                await self._destination.write(batch, rows)
            async with self._database.write() as connection:
                await connection.execute(delete(report_exports).where(report_exports.c.batch == batch))

    async def _take_batch(self) -> str | None:
        """Return the batch that was begun, else begin one; `None` when nothing is noted."""
        table = report_exports.c
        begun = select(table.batch).where(table.batch.is_not(None)).order_by(table.batch).limit(1)
        free = select(table.id).where(table.batch.is_(None)).order_by(table.id).limit(_BATCH)
        async with self._database.write() as connection:
            if batch := (await connection.execute(begun)).scalar_one_or_none():
                return str(batch)
            ids = (await connection.execute(free)).scalars().all()
            if not ids:
                return None
            await connection.execute(update(report_exports).where(table.id.in_(ids)).values(batch=ids[0]))
            return str(ids[0])

    async def _read(self, batch: str) -> list[dict[str, Any]]:
        ids = select(report_exports.c.id).where(report_exports.c.batch == batch)
        query = select(decisions).where(decisions.c.id.in_(ids)).order_by(decisions.c.id)
        async with self._database.read() as connection:
            return [_describe(row) for row in await connection.execute(query)]


def make_export(settings: ReportsSettings, *, database: Database, client: DataverseClient) -> Export | None:
    """Make the export that the settings want, `None` for none."""
    if settings.export == "file":
        return Export(database=database, destination=CsvFolder(settings.export_folder))
    if settings.export == "table" and settings.export_table is not None:
        table = DynamicsTable(client, settings.export_table, settings.export_columns)
        return Export(database=database, destination=table)
    return None


def _describe(row: Any) -> dict[str, Any]:
    cell = CallCell.of(row)
    return {
        "id": row.id,
        "at": datetime.fromtimestamp(row.at, UTC),
        **{name: value for name, value in cell._asdict().items() if name in EXPORT_MEMBERS},
        "milliseconds": row.waterfall.get("total"),
    }


def _spell(value: object) -> object:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
