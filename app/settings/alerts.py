"""Where alerts go."""

import binascii
from base64 import b64decode
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from app.settings.addresses import ServiceUrl
from app.settings.group import PREFIX, Group

__all__ = ["AlertsSettings"]


class AlertsSettings(Group):
    """Where alerts are sent, signed as Standard Webhooks say; absent means that they are only listed."""

    url: ServiceUrl | None = Field(default=None, description="Gets a POST when an alert opens and when it clears.")
    secret: SecretStr | None = Field(default=None, description="Signs them: whsec_ and 24 to 64 bytes in base64.")

    @field_validator("secret")
    @classmethod
    def _require_strength(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not _is_signing_secret(secret.get_secret_value()):
            raise ValueError("must be whsec_ followed by 24 to 64 bytes in base64 (openssl rand -base64 32)")
        return secret

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        if (self.url is None) != (self.secret is None):
            raise ValueError(f"{PREFIX}ALERTS__URL and {PREFIX}ALERTS__SECRET come together")
        return self


def _is_signing_secret(secret: str) -> bool:
    """Tell whether it is one as the Standard Webhooks specification has it ("Symmetric")."""
    try:
        return 24 <= len(b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64  # noqa: PLR2004 - as specified
    except binascii.Error:
        return False
