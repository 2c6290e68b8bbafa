"""Saved values over those of the environment: read, judged, merged and shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, SecretStr

from app.configurator.settings.groups import GROUPS, SettingKey, SettingsGroup
from app.errors import Finding, InvalidInputError
from app.routing.documents import join_pointer, read_document
from app.routing.registry import suggest
from app.settings import Settings

__all__ = [
    "Saved",
    "SettingValue",
    "ValueSource",
    "apply_saved",
    "dump_saved",
    "list_pinned",
    "merge_patch",
    "redact_secrets",
    "show_values",
]

Saved = Mapping[str, object]
"""The saved values of a group: key -> JSON value; what is not there has its default."""

_REDACTED = "**********"


class ValueSource(StrEnum):
    """Where a value comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    """It cannot be changed here."""
    SAVED = "saved"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingValue:
    """One setting as it is shown; of a secret only whether there is one."""

    value: object
    source: ValueSource
    default: object
    unit: str
    description: str


def apply_saved(base: Settings, saved: Mapping[str, Saved]) -> Settings:
    """Lay the saved values of groups over the settings of the environment, which wins where it sets a key itself.

    Raises InvalidInputError with every problem by its place in the values of its group, keys that the group does not
    have among them.
    """
    sections: dict[str, BaseModel] = {}
    for name, values in saved.items():
        sections |= _read_sections(base, GROUPS[name], values)
    return base.model_copy(update=sections)


def dump_saved(group: SettingsGroup, settings: Settings, names: Iterable[str]) -> dict[str, object]:
    """Write the values of these keys as JSON, to be saved."""
    wanted = frozenset(names)
    return {key.name: _dump(key, settings) for key in group.keys if key.name in wanted}


def list_pinned(base: Settings, group: SettingsGroup, names: Iterable[str]) -> list[SettingKey]:
    """List those of the keys that the environment sets."""
    return [key for name in names if (key := group.find(name)) is not None and key.is_pinned(base)]


def merge_patch(current: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(current) if isinstance(current, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def show_values(base: Settings, group: SettingsGroup, saved: Saved) -> dict[str, SettingValue]:
    """Show every key of a group."""
    settings = apply_saved(base, {group.name: saved})
    shown = redact_secrets(group, dump_saved(group, settings, (key.name for key in group.keys)))
    return {
        key.name: SettingValue(
            value=shown[key.name],
            source=_find_source(base, key, saved),
            default=_dump_field(key.model.model_construct(), key.name),
            unit=key.unit,
            description=key.field.description or "",
        )
        for key in group.keys
    }


def redact_secrets(group: SettingsGroup, values: Saved) -> dict[str, object]:
    """Return values without secrets: a row of asterisks stands where there is one."""
    return {
        name: _redact(value) if (key := group.find(name)) is not None and key.is_secret else value
        for name, value in values.items()
    }


def _redact(secret: object) -> object:
    """Redact one secret, or each of several by name; none stays none."""
    if isinstance(secret, Mapping):
        return dict.fromkeys(secret, _REDACTED)
    return None if secret is None else _REDACTED


def _read_sections(base: Settings, group: SettingsGroup, saved: Saved) -> dict[str, BaseModel]:
    findings = [_refuse_key(group, name) for name in saved if group.find(name) is None]
    sections: dict[str, BaseModel] = {}
    for section in dict.fromkeys(key.section for key in group.keys):
        try:
            sections[section] = _read_section(base, [key for key in group.keys if key.section == section], saved)
        except InvalidInputError as error:
            findings += error.findings
    if findings:
        raise InvalidInputError("some values cannot be used", findings=findings)
    return sections


def _read_section(base: Settings, keys: Sequence[SettingKey], saved: Saved) -> BaseModel:
    """Read the saved values together with the pinned ones, since a section may say what must come together."""
    section: BaseModel = getattr(base, keys[0].section)
    pinned = {key.name: _dump(key, base) for key in keys if key.is_pinned(base)}
    wanted = {key.name: saved[key.name] for key in keys if key.name in saved and key.name not in pinned}
    if not wanted:
        return section
    model = type(section)
    read = read_document(model, {**pinned, **wanted}, list(model.model_fields))
    return section.model_copy(update={name: getattr(read, name) for name in wanted})


def _refuse_key(group: SettingsGroup, name: str) -> Finding:
    return Finding(
        code="unknown-key",
        pointer=join_pointer(name),
        message=f"{group.name} has no setting of this name",
        hint=suggest(name, [key.name for key in group.keys]),
    )


def _find_source(base: Settings, key: SettingKey, saved: Saved) -> ValueSource:
    if key.is_pinned(base):
        return ValueSource.ENVIRONMENT
    return ValueSource.SAVED if key.name in saved else ValueSource.DEFAULT


def _dump(key: SettingKey, settings: Settings) -> object:
    return _dump_field(getattr(settings, key.section), key.name)


def _dump_field(section: BaseModel, name: str) -> object:
    value = getattr(section, name)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict) and all(isinstance(each, SecretStr) for each in value.values()):
        return {each: secret.get_secret_value() for each, secret in value.items()}
    dumped: dict[str, Any] = section.model_dump(mode="json", include={name})
    return dumped[name]
