"""Where alerts are sent, which of them, and from when on something is one."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator

from app.settings.base import PREFIX, Group, ServiceUrl, require_https
from app.settings.deployment import require_signing_secret

__all__ = ["ALERT_KINDS", "AlertReceiver", "AlertsSettings"]

ALERT_KINDS = (
    "alert_receiver_gone",
    "alert_undelivered",
    "app_registration_expiring",
    "breaker_open",
    "credential_guessing",
    "credential_retiring",
    "enterprise_calls_behind",
    "enterprise_calls_nothing_synced",
    "enterprise_calls_stopped",
    "journal_backlog",
    "journal_unwritable",
    "late_answers",
    "mirror_behind",
    "silence",
    "store_away",
    "store_unwritable",
    "switch_on",
    "update_due",
)
"""What alerts there are; docs/operations.md says what to do about each."""

_Mailbox = Annotated[str, Field(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$", max_length=254)]
_ReceiverName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]


def _require_known_kinds(kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if unknown := sorted(set(kinds or ()) - set(ALERT_KINDS)):
        raise ValueError(f"there are no alerts {', '.join(unknown)}; there are {', '.join(ALERT_KINDS)}")
    return kinds


class AlertReceiver(Group):
    """Somebody who is told when an alert opens and when it is over."""

    kind: Literal["webhook", "email", "teams", "slack"] = Field(
        description="A signed webhook (Standard Webhooks), e-mail, or a chat that takes messages at a secret URL."
    )
    url: ServiceUrl | None = Field(default=None, description="Of a webhook; a chat's URL is its secret.")
    to: tuple[_Mailbox, ...] = Field(default=(), max_length=20, description="Addresses of an e-mail receiver.")
    alerts: Annotated[tuple[str, ...] | None, AfterValidator(_require_known_kinds)] = Field(
        default=None, description="Kinds of alerts it gets; absent: all."
    )
    digest: bool = Field(default=False, description="Gets the weekly summary of the calls as well.")

    @model_validator(mode="after")
    def _require_address(self) -> Self:
        if (self.kind == "webhook") != (self.url is not None):
            raise ValueError("url is for a webhook, which needs one; the URL of a chat belongs in receiver_secrets")
        if (self.kind == "email") != bool(self.to):
            raise ValueError("to is for e-mail, which needs an address at least")
        return self


class AlertsSettings(Group):
    """Where alerts are sent; without a receiver they are only listed."""

    url: ServiceUrl | None = Field(default=None, description="Gets a POST when an alert opens and when it clears.")
    secret: Annotated[SecretStr, AfterValidator(require_signing_secret)] | None = Field(
        default=None, description="Signs them: whsec_ and 24 to 64 bytes in base64."
    )
    late_answers_percent: float = Field(
        default=1.0, ge=0.1, le=50, description="Share of late answers within five minutes that is an alert."
    )
    journal_backlog: int = Field(
        default=1000, ge=10, le=1_000_000, description="Decisions waiting for the database that are an alert."
    )
    smtp_host: str | None = Field(default=None, min_length=1, max_length=253, description="Mail server for e-mail.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="`none` is for a server on the same machine or in the same cluster only."
    )
    smtp_user: str | None = Field(default=None, min_length=1, max_length=254, description="Absent: no sign-in.")
    smtp_password: SecretStr | None = Field(default=None, description="Of that user.")
    smtp_from: _Mailbox | None = Field(default=None, description="Address that e-mail comes from.")
    receiver_secrets: dict[_ReceiverName, SecretStr] = Field(
        default={}, max_length=20, description="Receiver -> signing secret of a webhook, or secret URL of a chat."
    )
    receivers: dict[_ReceiverName, AlertReceiver] = Field(
        default={}, max_length=20, description="Name -> who is told, how, and of what."
    )

    @field_validator("receivers")
    @classmethod
    def _require_means(cls, receivers: dict[str, AlertReceiver], info: ValidationInfo) -> dict[str, AlertReceiver]:
        """Judge after the fields above, so that the error stands at the receivers."""
        secrets: dict[str, SecretStr] = info.data.get("receiver_secrets", {})
        for name, receiver in receivers.items():
            if receiver.kind == "email":
                if not (info.data.get("smtp_host") and info.data.get("smtp_from")):
                    raise ValueError(f"{name} is told by e-mail, which needs smtp_host and smtp_from")
                continue
            if name not in secrets:
                raise ValueError(f"{name} needs its secret in receiver_secrets")
            if receiver.kind == "webhook":
                require_signing_secret(secrets[name])
            else:
                _require_chat_url(name, secrets[name])
        return receivers

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        if (self.url is None) != (self.secret is None):
            raise ValueError(f"{PREFIX}ALERTS__URL and {PREFIX}ALERTS__SECRET come together")
        return self


def _require_chat_url(name: str, secret: SecretStr) -> None:
    try:
        require_https(secret.get_secret_value().partition("?")[0])
    except ValueError as error:
        raise ValueError(f"the secret of {name} is not the https URL of a chat") from error
