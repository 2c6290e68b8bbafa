"""Switches and tables as they are now, in memory, and on disk for a start without the database."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from app.errors import AppError
from app.routing.rule_data import DataTable, RuleData
from app.rulesets.switches.store import StoredSwitch, SwitchStore
from app.rulesets.tables.content import TableContent, join_parts
from app.rulesets.tables.store import TableHead, TableStore
from app.store.json_text import dump, load
from app.store.private_file import replace_file
from app.web.limits import HeavyWork

__all__ = ["LiveRuleData", "LoadedTable"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class LoadedTable:
    """A table in memory."""

    head: TableHead
    content: TableContent
    table: DataTable
    """The same rows, ready for look-ups."""


class LiveRuleData:
    """Holds what calls read, and takes over what anybody sets or puts, in whichever process."""

    def __init__(self, *, switches: SwitchStore, tables: TableStore, folder: Path, heavy_work: HeavyWork) -> None:
        """`folder` is where the last known states are kept."""
        self._switch_store = switches
        self._table_store = tables
        self._heavy_work = heavy_work
        self._file = folder / "live-switches.json"
        self._folder = folder / "live-tables"
        self._switches: Mapping[str, StoredSwitch] = {}
        self._tables: Mapping[str, LoadedTable] = {}
        self._saved_switches: Mapping[str, StoredSwitch] = {}
        self._saved_tables: dict[str, TableHead] = {}
        self._current = RuleData()
        self._switching, self._loading = asyncio.Lock(), asyncio.Lock()

    def current(self) -> RuleData:
        """Return what a call that is decided now reads."""
        return self._current

    @property
    def switches(self) -> Mapping[str, StoredSwitch]:
        """The switches by name, with who set them."""
        return self._switches

    @property
    def tables(self) -> Mapping[str, LoadedTable]:
        """The tables by name, with who put them."""
        return self._tables

    async def refresh(self) -> None:
        """Take over what is set now, and load tables that are new; raises StoreError."""
        await self.refresh_switches()
        # One at a time, so that no table is loaded twice and none is replaced by an older one.
        async with self._loading:
            heads = await self._table_store.list_heads()
            tables = {name: await self._load_table(name, head) for name, head in heads.items()}
            self._take_over(self._switches, {name: loaded for name, loaded in tables.items() if loaded is not None})

    async def refresh_switches(self) -> None:
        """Take over which switches are on: an emergency does not wait for a table. Raises StoreError."""
        async with self._switching:
            self._take_over(await self._switch_store.load(), self._tables)

    async def try_refresh(self, *, switches_only: bool = False) -> None:
        """Take over what is set now, if the store answers; else what is known stays."""
        try:
            await (self.refresh_switches() if switches_only else self.refresh())
        except AppError as error:
            log.warning("live_data.not_refreshed", error=error.code)

    async def follow(self) -> None:
        """Take over what is set now, and save it when it is new; raises StoreError and OSError."""
        await self.refresh()
        switches, tables = self._switches, self._tables
        if switches != self._saved_switches:
            await asyncio.to_thread(replace_file, self._file, dump([asdict(switch) for switch in switches.values()]))
            self._saved_switches = switches
        for name in self._saved_tables.keys() - tables.keys():
            await asyncio.to_thread(self._find_file(name).unlink, missing_ok=True)
            del self._saved_tables[name]
        for name, loaded in tables.items():
            if self._saved_tables.get(name) != loaded.head:
                await asyncio.to_thread(self._save_table, loaded)
                self._saved_tables[name] = loaded.head

    async def load(self) -> None:
        """Begin with what is on disk, as far as it can be read."""
        try:
            kept = load(await asyncio.to_thread(self._file.read_bytes))
            self._saved_switches = {entry["name"]: StoredSwitch(**entry) for entry in kept}
        except FileNotFoundError:
            log.info("live_data.none_on_disk")
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.error("live_data.unreadable_on_disk", error=type(error).__name__)  # noqa: TRY400 - expected
        tables = await asyncio.to_thread(self._read_tables)
        self._saved_tables = {name: loaded.head for name, loaded in tables.items()}
        self._take_over(self._saved_switches, tables)

    def _take_over(self, switches: Mapping[str, StoredSwitch], tables: Mapping[str, LoadedTable]) -> None:
        if switches == self._switches and tables == self._tables:
            return
        self._switches, self._tables = switches, tables
        self._current = RuleData(
            switches={name: switch.state for name, switch in switches.items()},
            tables={name: loaded.table for name, loaded in tables.items()},
        )

    async def _load_table(self, name: str, head: TableHead) -> LoadedTable | None:
        present = self._tables.get(name)
        if present is not None and present.head == head:
            return present
        found = await self._table_store.read(name)
        if found is None:
            return None
        log.info("live_data.table_loaded", table=name, version=found[0].version, rows=found[0].rows)
        return await self._heavy_work.run_for_calls(_assemble, *found)

    def _find_file(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl"

    def _save_table(self, loaded: LoadedTable) -> None:
        self._folder.mkdir(exist_ok=True)
        lines = [dump(asdict(loaded.head)), *(part.encode() for part in loaded.content.cut())]
        replace_file(self._find_file(loaded.head.name), b"\n".join(lines))

    def _read_tables(self) -> dict[str, LoadedTable]:
        tables: dict[str, LoadedTable] = {}
        for file in sorted(self._folder.glob("*.jsonl")):
            try:
                head, *parts = file.read_text(encoding="utf-8").split("\n")
                members = load(head)
                loaded = _assemble(TableHead(**{**members, "columns": tuple(members["columns"])}), parts)
                tables[loaded.head.name] = loaded
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.error("live_data.unreadable_table", error=type(error).__name__)  # noqa: TRY400 - expected
        return tables


def _assemble(head: TableHead, parts: list[str]) -> LoadedTable:
    content = TableContent(head.key, head.columns, head.region, join_parts(parts))
    return LoadedTable(head, content, content.make_table())
