"""Which settings can be changed while the service runs, in which groups, and what is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from app.errors import NotFoundError
from app.settings import Settings
from app.settings.base import PREFIX

__all__ = ["GROUPS", "SMART_ROUTING", "SettingKey", "SettingsGroup", "find_group"]


@dataclass(frozen=True, slots=True)
class SettingKey:
    """One setting: a field of the settings tree, so that type, limits, default and meaning are said once."""

    section: str
    name: str
    """The field of the section, and the key in JSON."""
    unit: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that pins it."""
        return f"{PREFIX}{self.section}__{self.name}".upper()

    @property
    def field(self) -> FieldInfo:
        """Its type, limits, default and meaning."""
        return self.model.model_fields[self.name]

    @property
    def model(self) -> type[BaseModel]:
        """The section of the settings tree."""
        section = Settings.model_fields[self.section].annotation
        assert isinstance(section, type)  # noqa: S101 - the tree is ours
        assert issubclass(section, BaseModel)  # noqa: S101 - see above
        return section

    @property
    def is_secret(self) -> bool:
        """Whether it is written and never shown."""
        return "SecretStr" in str(self.field.annotation)

    def is_pinned(self, base: Settings) -> bool:
        """Tell whether the environment sets it."""
        return self.name in getattr(base, self.section).model_fields_set


@dataclass(frozen=True, slots=True)
class SettingsGroup:
    """Settings that are shown, changed and restored together."""

    name: str
    description: str
    keys: tuple[SettingKey, ...]

    @property
    def document(self) -> str:
        """The name of its document in the store."""
        return f"settings/{self.name}"

    def find(self, name: str) -> SettingKey | None:
        """Return a key of the group."""
        return next((key for key in self.keys if key.name == name), None)

    def select(self, values: Mapping[str, object]) -> dict[str, object]:
        """Leave out what the group does not have: a later version of the program may have written it."""
        return {name: value for name, value in values.items() if self.find(name) is not None}

    def make_schema(self) -> dict[str, Any]:
        """Write the JSON Schema of the values, from which a client can draw a form."""
        fields: Any = {key.name: (key.field.annotation, key.field) for key in self.keys}
        model = create_model(self.name, __config__=ConfigDict(extra="forbid"), **fields)
        schema = model.model_json_schema()
        for key in self.keys:
            if key.unit:
                schema["properties"][key.name]["unit"] = key.unit
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "description": self.description}


SMART_ROUTING: Final = SettingsGroup(
    "smart-routing",
    "How calls are read, callers found and decisions spelled; used by the next call.",
    (
        SettingKey("webhook", "deadline_ms", "milliseconds"),
        SettingKey("phone", "default_region"),
        SettingKey("phone", "patterns"),
        SettingKey("phone", "number_blocks"),
        SettingKey("phone", "correct_numbers"),
        SettingKey("dataverse", "contact_phone_columns"),
        SettingKey("dataverse", "account_phone_columns"),
        SettingKey("dataverse", "lead_phone_columns"),
        SettingKey("dataverse", "typed_lookup"),
        SettingKey("vip", "criteria"),
        SettingKey("vip", "account_depth", "accounts"),
        SettingKey("vip", "ambiguous"),
        SettingKey("response", "no_change_status"),
        SettingKey("response", "fields"),
        SettingKey("response", "targets"),
    ),
)
_GROUPS: Final = (
    SMART_ROUTING,
    SettingsGroup(
        "channel-provider",
        "Which integration framework the users' app has; used when users are enabled, disabled and judged.",
        (SettingKey("voice", "framework"), SettingKey("voice", "agent_profiles")),
    ),
    SettingsGroup(
        "phone-call-sync",
        "How calls become phone-call activities (administrator guide, Enterprise Calls).",
        (
            SettingKey("phone_call_sync", "enabled"),
            SettingKey("phone_call_sync", "privacy_field"),
            SettingKey("phone_call_sync", "privacy_work_values"),
            SettingKey("phone_call_sync", "call_duration_limit_s", "seconds"),
            SettingKey("phone_call_sync", "call_start_margin_s", "seconds"),
            SettingKey("phone_call_sync", "default_crm_assignee"),
            SettingKey("phone_call_sync", "time_zone"),
            SettingKey("phone_call_sync", "office_hours"),
            SettingKey("phone_call_sync", "overnight_from"),
            SettingKey("phone_call_sync", "overnight_until"),
        ),
    ),
    SettingsGroup(
        "general",
        "Who runs this, where and in which language: told in everything that is written for people.",
        (
            SettingKey("general", "organisation"),
            SettingKey("general", "time_zone"),
            SettingKey("general", "languages"),
        ),
    ),
    SettingsGroup(
        "alerts",
        "Who is told of alerts, and from when on something is one; used within seconds.",
        (
            SettingKey("alerts", "receivers"),
            SettingKey("alerts", "receiver_secrets"),
            SettingKey("alerts", "smtp_host"),
            SettingKey("alerts", "smtp_port"),
            SettingKey("alerts", "smtp_security"),
            SettingKey("alerts", "smtp_user"),
            SettingKey("alerts", "smtp_password"),
            SettingKey("alerts", "smtp_from"),
            SettingKey("alerts", "late_answers_percent", "percent"),
            SettingKey("alerts", "journal_backlog", "decisions"),
        ),
    ),
    SettingsGroup(
        "retention",
        "How long records are kept; used by the next daily purge.",
        (
            SettingKey("store", "retention_days", "days"),
            SettingKey("retention", "decisions_days", "days"),
            SettingKey("retention", "callers_days", "days"),
            SettingKey("retention", "alerts_days", "days"),
            SettingKey("retention", "shadow_days", "days"),
            SettingKey("retention", "event_runs_days", "days"),
            SettingKey("retention", "jobs_days", "days"),
            SettingKey("retention", "enterprise_calls_days", "days"),
            SettingKey("retention", "rejected_lines_days", "days"),
            SettingKey("retention", "reports_days", "days"),
        ),
    ),
    SettingsGroup(
        "reports",
        "Links that stand beside the reports.",
        (SettingKey("reports", "enreach_reports_url"), SettingKey("reports", "dynamics_dashboard_url")),
    ),
)
GROUPS: Final[Mapping[str, SettingsGroup]] = {group.name: group for group in _GROUPS}


def find_group(name: str) -> SettingsGroup:
    """Return a group; raises NotFoundError."""
    if name not in GROUPS:
        raise NotFoundError(f"there is no such group of settings; the groups are {', '.join(GROUPS)}")
    return GROUPS[name]
