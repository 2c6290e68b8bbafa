"""Who may call: the queue at the webhook, administrators at their endpoints."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from app.settings.base import PREFIX, Group, Network, refuse_placeholders, require_different, require_https

__all__ = ["MIN_WEBHOOK_SECRET", "AdminKey", "AdminSettings", "Role", "WebhookSettings"]

_MIN_ADMIN_KEY = 8


MIN_WEBHOOK_SECRET = 16
"""Characters of a webhook key or Basic password outside the demo: a shorter one can be guessed."""


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
        default={},
        description="Label of a key or Basic user -> the day it is to be removed; use near it raises an alert.",
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

    def list_short_secrets(self) -> Iterator[str]:
        """List the labels of secrets that can be guessed, each behind the name of its setting."""
        for name, secrets in (("API_KEYS", self.api_keys), ("BASIC_USERS", self.basic_users)):
            for label, secret in secrets.items():
                if len(secret.get_secret_value().strip()) < MIN_WEBHOOK_SECRET:
                    yield f"{PREFIX}WEBHOOK__{name}.{label}"

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


class Role(StrEnum):
    """The roles of Voice for Dynamics 365 (administrator guide, "Required User Roles & Privileges")."""

    VOICE_ADMIN_USER = "Voice Admin User"
    """Configures Voice: may read and change everything here."""
    VOICE_API_USER = "Voice ApiUser"
    """A program: may read and simulate."""
    VOICE_USER = "Voice User"
    """An end user: sees only their own readiness."""


class AdminKey(Group):
    """A key for scripts and first set-up."""

    key: SecretStr
    role: Role

    @field_validator("key")
    @classmethod
    def _refuse_short_key(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value().strip()) < _MIN_ADMIN_KEY:
            raise ValueError(f"a key needs at least {_MIN_ADMIN_KEY} characters")
        return key


class AdminSettings(Group):
    """Who may use the administrators' endpoints."""

    api_keys: dict[str, AdminKey] = Field(default={}, description="Label -> key and role.")
    oidc_issuer: str | None = Field(default=None, description="Issuer of OpenID Connect access tokens.")
    oidc_audience: str | None = Field(default=None, description="The audience our tokens name.")
    oidc_role_claim: str = Field(default="roles", description="The claim that carries roles; dots descend.")
    oidc_roles: dict[str, Role] = Field(
        default={}, description="Value of the claim -> role, for values that are no names of Voice roles."
    )
    oidc_client_id: str | None = Field(
        default=None, description="The public client that people sign in with at Swagger UI and the console."
    )
    oidc_scopes: tuple[str, ...] = Field(default=("openid",), description="What both ask for.")

    @field_validator("oidc_issuer")
    @classmethod
    def _require_https_issuer(cls, issuer: str | None) -> str | None:
        # The text stays as it is: tokens name their issuer letter by letter, a trailing slash included.
        if issuer is not None:
            require_https(issuer)
        return issuer

    @field_validator("api_keys")
    @classmethod
    def _refuse_shared_keys(cls, keys: dict[str, AdminKey]) -> dict[str, AdminKey]:
        require_different({label: entry.key for label, entry in keys.items()})
        refuse_placeholders(entry.key for entry in keys.values())
        return keys

    @model_validator(mode="after")
    def _require_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError(f"an issuer needs {PREFIX}ADMIN__OIDC_AUDIENCE")
        return self
