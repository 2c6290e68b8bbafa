"""The Enreach API, and what this customer calls the roles and profiles of Voice."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from app.settings.addresses import ServiceUrl
from app.settings.group import PREFIX, Group

__all__ = ["EnreachSettings", "VoiceSettings"]


class EnreachSettings(Group):
    """The Enreach API; absent means not configured."""

    url: ServiceUrl | None = Field(default=None, description="The API endpoint of the customer's silo.")
    user: str | None = Field(default=None, description="The e-mail address of the API user.")
    secret: SecretStr | None = Field(default=None, description="Its secret key.")

    @model_validator(mode="after")
    def _require_all(self) -> Self:
        if self.url and not (self.user and self.secret):
            raise ValueError(f"a URL needs {PREFIX}ENREACH__USER and {PREFIX}ENREACH__SECRET")
        return self


class VoiceSettings(Group):
    """What this customer calls the roles and profiles that carry Voice."""

    equivalent_roles: tuple[str, ...] = Field(
        default=(), max_length=20, description="Further Dynamics roles that carry the privileges of Voice User."
    )
    agent_profiles: tuple[str, ...] = Field(
        default=(), max_length=20, description="Agent experience profiles with the Voice channel; empty = all of them."
    )
