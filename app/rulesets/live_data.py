"""The switches as they are set now, in memory, and on disk for a start without the database."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import structlog

from app.errors import AppError
from app.routing.rule_data import RuleData
from app.rulesets.switches.store import StoredSwitch, SwitchStore
from app.store.json_text import dump, load
from app.store.private_file import replace_file

__all__ = ["LiveRuleData"]

log = structlog.get_logger()


class LiveRuleData:
    """Holds what calls read, and takes over what anybody sets, in whichever process."""

    def __init__(self, *, switches: SwitchStore, folder: Path) -> None:
        """`folder` is where the last known states are kept."""
        self._store = switches
        self._file = folder / "live-switches.json"
        self._switches: Mapping[str, StoredSwitch] = {}
        self._saved: Mapping[str, StoredSwitch] = {}
        self._current = RuleData()

    def current(self) -> RuleData:
        """Return what a call that is decided now reads."""
        return self._current

    @property
    def switches(self) -> Mapping[str, StoredSwitch]:
        """The switches by name, with who set them."""
        return self._switches

    async def refresh(self) -> None:
        """Take over what is set now; raises StoreError."""
        self._take_over(await self._store.load())

    async def try_refresh(self) -> None:
        """Take over what is set now, if the store answers; else what is known stays."""
        try:
            await self.refresh()
        except AppError as error:
            log.warning("live_data.not_refreshed", error=error.code)

    async def follow(self) -> None:
        """Take over what is set now, and save it when it is new; raises StoreError and OSError."""
        await self.refresh()
        if self._switches != self._saved:
            kept = self._switches
            await asyncio.to_thread(replace_file, self._file, dump([asdict(switch) for switch in kept.values()]))
            self._saved = kept

    async def load(self) -> None:
        """Begin with what is on disk, if there is something that can be read."""
        try:
            kept = load(await asyncio.to_thread(self._file.read_bytes))
            self._saved = {entry["name"]: StoredSwitch(**entry) for entry in kept}
            self._take_over(self._saved)
        except FileNotFoundError:
            log.info("live_data.none_on_disk")
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.error("live_data.unreadable_on_disk", error=type(error).__name__)  # noqa: TRY400 - expected

    def _take_over(self, switches: Mapping[str, StoredSwitch]) -> None:
        if switches != self._switches:
            self._switches = switches
            self._current = RuleData(switches={name: switch.state for name, switch in switches.items()})
