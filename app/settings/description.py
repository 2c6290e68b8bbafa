"""Describes every setting, for the console and for the documentation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_json

from app.settings.group import PREFIX
from app.settings.tree import Settings

__all__ = ["SettingDescription", "list_settings"]


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One variable."""

    variable: str
    default: str
    """As it would be written in the environment; empty for none."""
    meaning: str


def list_settings() -> Iterator[SettingDescription]:
    """List every variable in the order of the tree."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            for inner, inner_field in group.model_fields.items():
                yield _describe(f"{PREFIX}{name}__{inner}".upper(), inner_field)
        else:
            yield _describe(f"{PREFIX}{name}".upper(), field)


def _describe(variable: str, field: FieldInfo) -> SettingDescription:
    return SettingDescription(variable, _spell(field.default), (field.description or "").strip())


def _spell(default: Any) -> str:
    if default is None or default is PydanticUndefined or default in ({}, ()):
        return ""
    text = to_json(default, exclude_none=True).decode()
    return text.strip('"')
