"""Knows which settings hold in this process, and notices within a second when somebody changes them elsewhere."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import structlog

from app.calls.call_settings import CallSettings, make_call_settings
from app.configurator.settings.groups import GROUPS, SMART_ROUTING, SettingsGroup
from app.configurator.settings.values import apply_saved
from app.errors import AppError
from app.routing.wire import ResponseProfile
from app.settings import Settings
from app.store.json_text import dump, load
from app.store.private_file import replace_file
from app.store.settings_documents import SettingsDocument, SettingsDocumentStore

__all__ = ["LiveSettings", "SettingsFile", "SettingsSnapshot"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSnapshot:
    """The settings of one moment; never changed, only replaced by another."""

    settings: Settings
    """Those of the environment with the saved ones laid over them."""
    versions: Mapping[str, int]
    """Group -> the version of its saved values; none is there while nobody has saved any."""
    calls: CallSettings
    """What a call needs of them."""


class LiveSettings:
    """Holds the snapshot. Whatever is under way keeps the one it began with; what begins next gets the new one.

    Saved values that this version of the program cannot use are logged and left out: the present ones stay.
    """

    def __init__(self, *, base: Settings, store: SettingsDocumentStore) -> None:
        """`base` is what the environment says; raises SettingsError when it contradicts itself."""
        self._base = base
        self._store = store
        calls = make_call_settings(base, version=0)
        self._current = SettingsSnapshot(settings=base, versions=MappingProxyType({}), calls=calls)
        self._profiles: dict[int, ResponseProfile] = {0: calls.profile}
        self._seen: dict[str, int] = {}
        self._documents: dict[str, SettingsDocument] = {}
        self._listeners: list[Callable[[SettingsSnapshot, SettingsSnapshot], None]] = []

    @property
    def base(self) -> Settings:
        """What the environment says."""
        return self._base

    def current(self) -> SettingsSnapshot:
        """Return what holds now."""
        return self._current

    def read(self) -> Settings:
        """Return the settings that hold now."""
        return self._current.settings

    def call_settings(self) -> CallSettings:
        """Return what a call that begins now needs of them."""
        return self._current.calls

    def find_profile(self, version: int | None) -> ResponseProfile:
        """Return the response profile that a decision of this settings version was spelled by.

        The present one when no version was recorded or it can no longer be read.
        """
        return self._profiles.get(-1 if version is None else version, self._current.calls.profile)

    def subscribe(self, listener: Callable[[SettingsSnapshot, SettingsSnapshot], None]) -> None:
        """Have a listener told of every change, with the snapshots before and after, before anything begins with it."""
        self._listeners.append(listener)

    async def refresh(self) -> bool:
        """Take over what is saved now; tell whether something changed. Raises StoreError."""
        newest = await self._store.list_newest()
        changed = [group for group in GROUPS.values() if newest.get(group.document, 0) > self._seen.get(group.name, 0)]
        for group in changed:
            for document in await self._store.list_since(group.document, self._seen.get(group.name, 0)):
                self._take_over(group, document)
        return bool(changed)

    def start_with(self, documents: Iterable[SettingsDocument]) -> None:
        """Begin with what was saved before, while the store is away."""
        for document in documents:
            group = next((each for each in GROUPS.values() if each.document == document.name), None)
            if group is not None:
                self._take_over(group, document)

    def list_taken_over(self) -> list[SettingsDocument]:
        """List the documents that hold now."""
        return list(self._documents.values())

    def _take_over(self, group: SettingsGroup, document: SettingsDocument) -> None:
        """Make the snapshot with one more version; the versions of a group come in their order."""
        self._seen[group.name] = document.version
        documents = {**self._documents, group.name: document}
        try:
            saved = {name: GROUPS[name].select(each.document) for name, each in documents.items()}
            settings = apply_saved(self._base, saved)
            calls = self._current.calls
            if group is SMART_ROUTING:
                calls = make_call_settings(settings, version=document.version)
        except AppError as error:
            facts = {"group": group.name, "version": document.version, "error": error.code}
            log.error("live_settings.unusable", **facts)  # noqa: TRY400 - expected
            return
        self._documents = documents
        versions = MappingProxyType({**self._current.versions, group.name: document.version})
        self._profiles[calls.version] = calls.profile
        before, self._current = self._current, SettingsSnapshot(settings=settings, versions=versions, calls=calls)
        for listener in self._listeners:
            listener(before, self._current)
        log.info("live_settings.changed", group=group.name, version=document.version)


class SettingsFile:
    """Keeps a file in step with the live settings, so that a start without the database uses them."""

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
