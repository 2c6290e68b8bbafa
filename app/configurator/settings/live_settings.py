"""Knows which settings hold in this process, and notices within a second when somebody changes them elsewhere."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from app.calls.call_settings import CallSettings, make_call_settings
from app.configurator.settings.groups import GROUPS, SMART_ROUTING, SettingsGroup
from app.configurator.settings.values import Saved, apply_saved
from app.errors import AppError
from app.routing.wire import ResponseProfile
from app.settings import Settings
from app.store.settings_documents import SettingsDocument, SettingsDocumentStore

__all__ = ["LiveSettings", "SettingsSnapshot"]

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

    def __init__(self, *, base: Settings, store: SettingsDocumentStore, interval: float) -> None:
        """`base` is what the environment says; `interval` how often, in seconds, the store is asked (0.1 to 2)."""
        self._base = base
        self._store = store
        self._interval = interval
        calls = make_call_settings(base, version=0)
        self._current = SettingsSnapshot(settings=base, versions=MappingProxyType({}), calls=calls)
        self._profiles: dict[int, ResponseProfile] = {0: calls.profile}
        self._seen: dict[str, int] = {}
        self._saved: dict[str, Saved] = {}
        self._listeners: list[Callable[[SettingsSnapshot, SettingsSnapshot], None]] = []

    @property
    def base(self) -> Settings:
        """What the environment says."""
        return self._base

    def current(self) -> SettingsSnapshot:
        """Return what holds now."""
        return self._current

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

    async def follow(self) -> None:
        """Refresh for ever; a store that fails is logged once until it works again."""
        failing = False
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.refresh()
                failing = False
            except AppError as error:
                if not failing:
                    log.warning("live_settings.refresh_failed", error=error.code)
                failing = True

    def _take_over(self, group: SettingsGroup, document: SettingsDocument) -> None:
        """Make the snapshot with one more version; the versions of a group come in their order."""
        self._seen[group.name] = document.version
        saved = {**self._saved, group.name: group.select(document.document)}
        try:
            settings = apply_saved(self._base, saved)
            calls = self._current.calls
            if group is SMART_ROUTING:
                calls = make_call_settings(settings, version=document.version)
        except AppError as error:
            facts = {"group": group.name, "version": document.version, "error": error.code}
            log.error("live_settings.unusable", **facts)  # noqa: TRY400 - expected
            return
        self._saved = saved
        versions = MappingProxyType({**self._current.versions, group.name: document.version})
        self._profiles[calls.version] = calls.profile
        before, self._current = self._current, SettingsSnapshot(settings=settings, versions=versions, calls=calls)
        for listener in self._listeners:
            listener(before, self._current)
        log.info("live_settings.changed", group=group.name, version=document.version)
