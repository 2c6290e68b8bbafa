"""Who may call the webhook, and how soon it answers."""

from datetime import date
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from app.settings.addresses import Network
from app.settings.group import PREFIX, Group
from app.settings.labels import refuse_placeholders, require_different

__all__ = ["WebhookSettings"]


class WebhookSettings(Group):
    """Who may call the webhook, and how long an answer may take."""

    api_keys: dict[str, SecretStr] = Field(default={}, description="Label -> key of header X-Benemen-APIKey.")
    basic_users: dict[str, SecretStr] = Field(default={}, description="User -> password of HTTP Basic.")
    allowed_networks: tuple[Network, ...] = Field(default=(), description="Source networks; empty allows any.")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Networks of proxies whose X-Forwarded-For is believed."
    )
    deadline_ms: int = Field(default=1500, ge=50, le=4900, description="Total time for one answer, in milliseconds.")
    max_body_bytes: int = Field(default=65536, ge=1024, le=1048576, description="Largest request body, in bytes.")
    retiring: dict[str, date] = Field(
        default={}, description="Label of a key or Basic user -> the day it is to be removed; use near it is an alarm."
    )

    @field_validator("api_keys", "basic_users")
    @classmethod
    def _refuse_empty_secrets(cls, secrets: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if not all(label.strip() and secret.get_secret_value().strip() for label, secret in secrets.items()):
            raise ValueError("every label and every secret needs at least one character")
        refuse_placeholders(secrets.values())
        return secrets

    @field_validator("api_keys")
    @classmethod
    def _refuse_shared_keys(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return require_different(keys)

    @field_validator("basic_users")
    @classmethod
    def _refuse_colons(cls, users: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if any(":" in user for user in users):
            raise ValueError("HTTP Basic knows no user with a colon in the name (RFC 7617, section 2)")
        return users

    @model_validator(mode="after")
    def _refuse_strange_labels(self) -> Self:
        if strange := sorted(self.retiring.keys() - self.api_keys.keys() - self.basic_users.keys()):
            raise ValueError(f"{PREFIX}WEBHOOK__RETIRING names {', '.join(strange)}, which is no key and no Basic user")
        return self

    @model_validator(mode="after")
    def _refuse_shared_labels(self) -> Self:
        if shared := sorted(self.api_keys.keys() & self.basic_users.keys()):
            raise ValueError(
                f"{', '.join(shared)} labels both an API key and a Basic user; reports could not tell them"
            )
        return self
