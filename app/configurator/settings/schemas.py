"""How settings look in JSON."""

from typing import Any

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from app.configurator.settings.administration import EXPORT_SCHEMA
from app.configurator.settings.values import ValueSource
from app.web.parameters import ShownTime

__all__ = ["ExportBody", "GroupBody", "GroupSummary", "ImportReport", "RestoreBody", "SettingChangeBody", "VersionPage"]


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class GroupSummary(_Shown):
    """One group of settings."""

    group: str = Field(validation_alias=AliasPath("group", "name"), examples=["smart-routing"])
    description: str = Field(validation_alias=AliasPath("group", "description"))
    version: int = Field(description="0 while nobody has saved any of its values.")


class ValueBody(_Shown):
    """One setting."""

    value: Any = Field(description="A secret shows as asterisks, or null when there is none.")
    source: ValueSource = Field(description="What `environment` sets cannot be changed here.")
    default: Any
    unit: str = Field(description="Empty where there is none.")
    description: str


class GroupBody(_Shown):
    """A group of settings as it is now."""

    group: str = Field(validation_alias=AliasPath("group", "name"), examples=["smart-routing"])
    version: int = Field(description="0 while nobody has saved any of its values; also the `ETag`.")
    values: dict[str, ValueBody]


class VersionBody(_Shown):
    """The values that were saved at one time; what is not there had its default."""

    version: int
    author: str
    at: ShownTime
    values: dict[str, Any] = Field(validation_alias="document")


class VersionPage(_Shown):
    """Some versions of a group, the newest first."""

    items: list[VersionBody]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")


class RestoreBody(BaseModel):
    """Which version to save again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 1}]})

    version: int = Field(ge=0, le=2_000_000_000, description="0 restores what held before anybody saved.")


class ExportBody(BaseModel):
    """Saved settings, to be carried to another installation; without secrets."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"schema": EXPORT_SCHEMA, "groups": {"retention": {"decisions_days": 30}}}]},
    )

    schema_: int = Field(alias="schema", ge=1, le=EXPORT_SCHEMA, description="Of this document; 1 so far.")
    groups: dict[str, dict[str, Any]] = Field(description="Group -> its values; a group that is left out stays.")


class SettingChangeBody(_Shown):
    """One value that changes."""

    group: str
    key: str
    before: Any
    after: Any


class ImportReport(BaseModel):
    """What an import changes."""

    applied: bool = Field(description="False for a dry run.")
    changes: list[SettingChangeBody]
