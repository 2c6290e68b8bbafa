"""The settings tree as a whole, and what its parts must agree on."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from app.settings.admin import AdminSettings
from app.settings.alerts import AlertsSettings
from app.settings.callers import CacheSettings, PhoneSettings, VipSettings
from app.settings.dataverse import DataverseSettings
from app.settings.deployment import LogSettings, RulesSettings, StoreSettings
from app.settings.group import PREFIX
from app.settings.response import ResponseSettings
from app.settings.voice import EnreachSettings, VoiceSettings
from app.settings.webhook import WebhookSettings

__all__ = ["Settings"]


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )
    host: str = Field(default="127.0.0.1", description="Where to listen.")
    port: int = Field(default=8000, ge=0, le=65535, description="Where to listen.")
    demo: bool = Field(default=False, description="Embedded systems, sample data, generated keys; loopback only.")
    webhook: WebhookSettings = WebhookSettings()
    phone: PhoneSettings = PhoneSettings()
    dataverse: DataverseSettings = DataverseSettings()
    vip: VipSettings = VipSettings()
    cache: CacheSettings = CacheSettings()
    enreach: EnreachSettings = EnreachSettings()
    voice: VoiceSettings = VoiceSettings()
    store: StoreSettings = StoreSettings()
    rules: RulesSettings = RulesSettings()
    admin: AdminSettings = AdminSettings()
    alerts: AlertsSettings = AlertsSettings()
    response: ResponseSettings = ResponseSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _refuse_half_a_deployment(self) -> Self:
        if self.demo:
            if self.host not in {"127.0.0.1", "::1", "localhost"}:
                raise ValueError(f"{PREFIX}DEMO listens on loopback only; unset {PREFIX}HOST")
            return self
        if not self.webhook.api_keys and not self.webhook.basic_users:
            raise ValueError(
                f"set {PREFIX}WEBHOOK__API_KEYS or {PREFIX}WEBHOOK__BASIC_USERS: nobody could call the webhook"
            )
        if not self.dataverse.url:
            raise ValueError(f"set {PREFIX}DATAVERSE__URL, or {PREFIX}DEMO=1 for the embedded emulator")
        if self.dataverse.emulator_data:
            raise ValueError(f"{PREFIX}DATAVERSE__EMULATOR_DATA is for {PREFIX}DEMO=1 only")
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
