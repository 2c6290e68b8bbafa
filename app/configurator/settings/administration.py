"""Shows, changes and restores settings, and carries them from one installation to another."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.calls.call_settings import CallSettings, make_call_settings
from app.configurator.settings.groups import GROUPS, SMART_ROUTING, SettingsGroup, find_group
from app.configurator.settings.live_settings import LiveSettings
from app.configurator.settings.values import (
    Saved,
    SettingValue,
    apply_saved,
    dump_saved,
    list_pinned,
    merge_patch,
    redact_secrets,
    show_values,
)
from app.errors import ConflictError, Finding, InvalidInputError, NotFoundError
from app.routing.documents import join_pointer
from app.settings import Settings, SettingsError
from app.store.audit import AuditNote
from app.store.pages import Page
from app.store.settings_documents import DocumentChange, SettingsDocument, SettingsDocumentStore

__all__ = ["EXPORT_SCHEMA", "GroupState", "SettingChange", "SettingsAdministration"]

EXPORT_SCHEMA = 1
"""Of exports; one more whenever a key changes its meaning."""

Judge = Callable[[CallSettings], Awaitable[Sequence[Finding]]]
"""Tells what would keep the live ruleset from being published by these settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A group as it is now."""

    group: SettingsGroup
    version: int
    """0 while nobody has saved any of its values."""
    values: Mapping[str, SettingValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """One value that an import would change, or has changed."""

    group: str
    key: str
    before: object
    after: object


class SettingsAdministration:
    """What administrators do with settings. Everything raises StoreError."""

    def __init__(
        self, *, store: SettingsDocumentStore, live: LiveSettings, judge: Judge, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._live = live
        self._judge = judge
        self._clock = clock

    async def list_groups(self) -> list[GroupState]:
        """Show every group."""
        return [await self.show(name) for name in GROUPS]

    async def show(self, name: str) -> GroupState:
        """Show a group; raises NotFoundError."""
        group = find_group(name)
        version, saved = await self._read(group)
        return GroupState(group=group, version=version, values=show_values(self._live.base, group, saved))

    async def history(self, name: str, *, limit: int, after: str | None) -> Page[SettingsDocument]:
        """List the saved values of a group, newest first; raises NotFoundError."""
        group = find_group(name)
        page = await self._store.page(group.document, limit=limit, after=after)
        return Page(
            tuple(replace(item, document=redact_secrets(group, item.document)) for item in page.items), page.next
        )

    async def change(self, name: str, patch: Mapping[str, object], *, expected: int, who: str) -> GroupState:
        """Apply a JSON merge patch to the values of a group; `null` returns a key to its default.

        Raises NotFoundError, InvalidInputError naming the places, ConflictError for what the environment sets or what
        the live ruleset needs, and PreconditionFailedError.
        """
        group = find_group(name)
        _, saved = await self._read(group)
        self._refuse_pinned(group, patch)
        present = dump_saved(group, apply_saved(self._live.base, {name: saved}), [key.name for key in group.keys])
        wanted = {key: value for key, value in saved.items() if key not in patch} | {
            key: merge_patch(present.get(key), value) for key, value in patch.items() if value is not None
        }
        unknown = {key: None for key in patch if group.find(key) is None}
        await self._save({name: {**wanted, **unknown}}, {name: expected}, who=who, what="settings.changed")
        return await self.show(name)

    async def restore(self, name: str, version: int, *, expected: int | None, who: str) -> GroupState:
        """Save the values of an earlier version again, 0 for those before the first; raises like `change`.

        Without `expected` it is made from whatever is there, which stays in the history.
        """
        group = find_group(name)
        found = None if version == 0 else await self._store.get(group.document, version)
        if found is None and version != 0:
            raise NotFoundError(f"{name} has no version {version}")
        values = {} if found is None else group.select(found.document)
        await self._save({name: values}, {name: expected}, who=who, what="settings.restored")
        return await self.show(name)

    async def export(self) -> dict[str, Any]:
        """Return the saved values of every group, without secrets."""
        groups = {}
        for group in GROUPS.values():
            _, saved = await self._read(group)
            groups[group.name] = {
                name: value for name, value in saved.items() if (key := group.find(name)) is None or not key.is_secret
            }
        return {"schema": EXPORT_SCHEMA, "groups": groups}

    async def take_in(self, groups: Mapping[str, Saved], *, dry_run: bool, who: str) -> list[SettingChange]:
        """Save the values of an export, all groups or none, and tell what changes; secrets stay as they are.

        A group that is not in the export stays; a key that is not in its group returns to the default. Raises
        InvalidInputError naming the places, and ConflictError as `change` does.
        """
        if findings := [_refuse_group(name) for name in groups if name not in GROUPS]:
            raise InvalidInputError("some groups are not known; nothing was saved", findings=findings)
        wanted: dict[str, Saved] = {}
        changes: list[SettingChange] = []
        for name, values in groups.items():
            group = GROUPS[name]
            self._refuse_pinned(group, values)
            _, saved = await self._read(group)
            kept = {key.name: saved[key.name] for key in group.keys if key.is_secret and key.name in saved}
            wanted[name] = {**values, **kept}
        if findings := self._find_problems(wanted):
            raise InvalidInputError("some values cannot be used; nothing was saved", findings=findings)
        after = apply_saved(self._live.base, wanted)
        for name in wanted:
            changes += await self._compare(GROUPS[name], after)
        if changes and not dry_run:
            changed = {change.group for change in changes}
            present = {name: values for name, values in wanted.items() if name in changed}
            await self._save(present, dict.fromkeys(present), who=who, what="settings.imported")
        elif changes:
            await self._refuse_loss(wanted)
        return changes

    async def _read(self, group: SettingsGroup) -> tuple[int, dict[str, object]]:
        found = await self._store.get(group.document)
        return (0, {}) if found is None else (found.version, group.select(found.document))

    def _refuse_pinned(self, group: SettingsGroup, values: Mapping[str, object]) -> None:
        pinned = list_pinned(self._live.base, group, values)
        if pinned:
            findings = [
                Finding(
                    code="set-by-environment",
                    pointer=join_pointer(key.name),
                    message=f"is set by {key.variable}",
                    hint="change it there",
                )
                for key in pinned
            ]
            names = ", ".join(key.variable for key in pinned)
            raise ConflictError(f"the environment sets {names}; change it there", findings=findings)

    async def _save(
        self, wanted: Mapping[str, Saved], expected: Mapping[str, int | None], *, who: str, what: str
    ) -> None:
        settings = apply_saved(self._live.base, wanted)
        await self._refuse_loss(wanted)
        changes, notes, now = [], [], self._clock()
        for name, values in wanted.items():
            group = GROUPS[name]
            version, before = await self._read(group)
            document = {**values, **dump_saved(group, settings, values)}
            made_from = version if (asked := expected[name]) is None else asked
            changes.append(DocumentChange(name=group.document, document=document, expected=made_from))
            notes.append(
                AuditNote(
                    at=now,
                    who=who,
                    what=what,
                    target=group.document,
                    before=redact_secrets(group, before),
                    after=redact_secrets(group, document),
                )
            )
        await self._store.put(changes, author=who, now=now, notes=notes)
        await self._live.refresh()

    async def _refuse_loss(self, wanted: Mapping[str, Saved]) -> None:
        """Refuse settings by which the live ruleset could not be published any more."""
        if SMART_ROUTING.name not in wanted:
            return
        try:
            settings = make_call_settings(apply_saved(self._live.base, wanted), version=0)
        except SettingsError as error:
            problem = Finding(code="contradiction", pointer="/fields", message=error.detail)
            raise InvalidInputError("the response profile contradicts itself", findings=[problem]) from error
        findings = await self._judge(settings)
        if findings:
            rules = ", ".join(dict.fromkeys(finding.rule or finding.pointer for finding in findings))
            raise ConflictError(f"the live ruleset would break, in {rules}; change the rules first", findings=findings)

    async def _compare(self, group: SettingsGroup, after: Settings) -> list[SettingChange]:
        _, saved = await self._read(group)
        names = [key.name for key in group.keys]
        old = redact_secrets(group, dump_saved(group, apply_saved(self._live.base, {group.name: saved}), names))
        new = redact_secrets(group, dump_saved(group, after, names))
        return [
            SettingChange(group=group.name, key=name, before=old[name], after=new[name])
            for name in names
            if old[name] != new[name]
        ]

    def _find_problems(self, wanted: Mapping[str, Saved]) -> list[Finding]:
        """Find what cannot be used, by its place in the export."""
        findings: list[Finding] = []
        for name, values in wanted.items():
            try:
                apply_saved(self._live.base, {name: values})
            except InvalidInputError as error:
                place = join_pointer("groups", name)
                findings += [replace(finding, pointer=place + finding.pointer) for finding in error.findings]
        return findings


def _refuse_group(name: str) -> Finding:
    return Finding(
        code="unknown-group",
        pointer=join_pointer("groups", name),
        message="there is no such group of settings",
        hint=f"the groups are {', '.join(GROUPS)}",
    )
