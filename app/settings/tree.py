"""The settings tree as a whole, what its parts must agree on, and its description."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_json
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from app.settings.access import MIN_WEBHOOK_SECRET, AdminSettings, WebhookSettings
from app.settings.alerts import AlertsSettings
from app.settings.base import PREFIX
from app.settings.dataverse import (
    CacheSettings,
    DataverseAuth,
    DataverseSettings,
    GraphSettings,
    PhoneSettings,
    VipSettings,
)
from app.settings.deployment import (
    GeneralSettings,
    LogSettings,
    PluginsSettings,
    RetentionSettings,
    RulesSettings,
    StoreSettings,
    UpdatesSettings,
)
from app.settings.enreach import EnreachSettings, ResponseSettings, VoiceSettings
from app.settings.enterprise_calls import PhoneCallSyncSettings
from app.settings.reports import ReportsSettings

__all__ = ["SettingDescription", "Settings", "list_settings"]


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )
    host: str = Field(default="127.0.0.1", description="Where to listen.")
    port: int = Field(default=8000, ge=0, le=65535, description="Where to listen.")
    drain_seconds: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="So long after SIGTERM, /health/ready says 503 and calls are answered; then the listener closes.",
    )
    secrets_dir: Path | None = Field(
        default=None,
        description="Folder of files that are named like variables and hold their values; variables win.",
    )
    demo: bool = Field(default=False, description="Embedded systems, sample data, generated keys; loopback only.")
    demo_any_host: bool = Field(
        default=False,
        description="Lets the demo listen beyond loopback. The container image sets it: nobody reaches its loopback.",
    )
    general: GeneralSettings = GeneralSettings()
    webhook: WebhookSettings = WebhookSettings()
    phone: PhoneSettings = PhoneSettings()
    dataverse: DataverseSettings = DataverseSettings()
    graph: GraphSettings = GraphSettings()
    vip: VipSettings = VipSettings()
    cache: CacheSettings = CacheSettings()
    enreach: EnreachSettings = EnreachSettings()
    voice: VoiceSettings = VoiceSettings()
    phone_call_sync: PhoneCallSyncSettings = PhoneCallSyncSettings()
    store: StoreSettings = StoreSettings()
    retention: RetentionSettings = RetentionSettings()
    rules: RulesSettings = RulesSettings()
    reports: ReportsSettings = ReportsSettings()
    admin: AdminSettings = AdminSettings()
    alerts: AlertsSettings = AlertsSettings()
    plugins: PluginsSettings = PluginsSettings()
    updates: UpdatesSettings = UpdatesSettings()
    response: ResponseSettings = ResponseSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _refuse_half_a_deployment(self) -> Self:
        if self.demo:
            if not self.demo_any_host and self.host not in {"127.0.0.1", "::1", "localhost"}:
                raise ValueError(f"{PREFIX}DEMO listens on loopback only; unset {PREFIX}HOST")
            return self
        if not self.webhook.api_keys and not self.webhook.basic_users:
            raise ValueError(
                f"set {PREFIX}WEBHOOK__API_KEYS or {PREFIX}WEBHOOK__BASIC_USERS: nobody could call the webhook"
            )
        if short := ", ".join(self.webhook.list_short_secrets()):
            raise ValueError(
                f"{short}: a webhook secret needs at least {MIN_WEBHOOK_SECRET} characters (openssl rand -hex 16)"
            )
        if not self.dataverse.url:
            raise ValueError(f"set {PREFIX}DATAVERSE__URL, or {PREFIX}DEMO=1 for the embedded emulator")
        if self.dataverse.emulator_data:
            raise ValueError(f"{PREFIX}DATAVERSE__EMULATOR_DATA is for {PREFIX}DEMO=1 only")
        return self

    @model_validator(mode="after")
    def _require_graph_token(self) -> Self:
        if self.graph.url and self.dataverse.auth is DataverseAuth.TOKEN and self.graph.token is None:
            raise ValueError(
                f"{PREFIX}GRAPH__URL needs credentials for Dataverse that obtain tokens, or {PREFIX}GRAPH__TOKEN"
            )
        return self

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take nothing but what is passed: `read_settings` is the one reader of the environment."""
        return (init_settings,)


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
