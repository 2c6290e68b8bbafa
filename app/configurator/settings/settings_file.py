"""The saved settings on disk, so that a start without the database answers calls by them."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import structlog

from app.configurator.settings.live_settings import LiveSettings, SettingsSnapshot
from app.store.json_text import dump, load
from app.store.private_file import replace_file
from app.store.settings_documents import SettingsDocument

__all__ = ["SettingsFile"]

log = structlog.get_logger()


class SettingsFile:
    """Keeps a file in step with the live settings."""

    def __init__(self, path: Path, *, live_settings: LiveSettings) -> None:
        self._path = path
        self._live_settings = live_settings
        self._kept: SettingsSnapshot | None = None

    async def follow(self) -> None:
        """Take over what was saved, and keep it when it is new; raises StoreError and OSError."""
        await self._live_settings.refresh()
        current = self._live_settings.current()
        if current is self._kept or not current.versions:
            return
        documents = [asdict(document) for document in self._live_settings.list_taken_over()]
        await asyncio.to_thread(replace_file, self._path, dump(documents))
        self._kept = current

    async def load(self) -> None:
        """Begin with what the file holds, if there is one that can be read."""
        try:
            kept = load(await asyncio.to_thread(self._path.read_bytes))
            self._live_settings.start_with([SettingsDocument(**document) for document in kept])
        except FileNotFoundError:
            log.info("live_settings.none_on_disk")
        except (OSError, ValueError, TypeError) as error:
            log.error("live_settings.unreadable_on_disk", error=type(error).__name__)  # noqa: TRY400 - expected
