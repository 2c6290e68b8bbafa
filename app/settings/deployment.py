"""What belongs to the deployment: its store, its ruleset file, its log, and where its alerts go."""

import binascii
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from app.settings.base import PREFIX, Group, Network, ServiceUrl

__all__ = [
    "AlertsSettings",
    "LogSettings",
    "PluginsSettings",
    "RetentionSettings",
    "RulesSettings",
    "StoreSettings",
    "require_signing_secret",
]


class StoreSettings(Group):
    """Where rulesets, decisions and the audit live."""

    url: str = Field(
        default="sqlite:///data/smartrouting.db",
        pattern=r"^(sqlite:///.+|postgresql://.+)$",
        description="sqlite:///path or postgresql://user:password@host/database.",
    )
    journal: Path = Field(default=Path("data/journal"), description="Folder of the journal that survives a crash.")
    retention_days: int = Field(default=90, ge=1, le=3650, description="How long records are kept.")


_Days = Annotated[int | None, Field(ge=1, le=3650)]


class RetentionSettings(Group):
    """How long records of one kind are kept, where it differs from `SMARTROUTING_STORE__RETENTION_DAYS`."""

    decisions_days: _Days = Field(default=None, description="Decisions of calls.")
    callers_days: _Days = Field(default=None, description="Callers as the CRM last described them.")
    alerts_days: _Days = Field(default=None, description="Alerts that are over.")
    shadow_days: _Days = Field(default=None, description="What drafts would have decided otherwise.")
    event_runs_days: _Days = Field(default=None, description="Runs of events of the phone client.")
    jobs_days: _Days = Field(default=None, description="Jobs that have ended, with their results.")
    enterprise_calls_days: _Days = Field(default=None, description="Calls that were synchronised, or why not.")
    rejected_lines_days: _Days = Field(default=None, description="Lines of the journal that no database took.")


class RulesSettings(Group):
    """Rules that travel with the deployment."""

    file: Path | None = Field(
        default=None,
        description="Ruleset file; every start publishes it where it differs from what is live, by whomever.",
    )


class LogSettings(Group):
    """What is written to standard output."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level written.")
    format: Literal["json", "console"] = Field(default="json", description="`json` for machines.")


def require_signing_secret(secret: SecretStr) -> SecretStr:
    """Return the secret; raises ValueError unless it is as strong as Standard Webhooks demand."""
    if not _is_signing_secret(secret.get_secret_value()):
        raise ValueError("must be whsec_ followed by 24 to 64 bytes in base64 (openssl rand -base64 32)")
    return secret


def _is_signing_secret(secret: str) -> bool:
    """Tell whether it is one as the Standard Webhooks specification has it ("Symmetric")."""
    try:
        return 24 <= len(b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64  # noqa: PLR2004 - as specified
    except binascii.Error:
        return False


class PluginsSettings(Group):
    """The plugins that run when something happens in the phone client."""

    allowed_networks: tuple[Network, ...] = Field(
        default=(), description="Private networks that hooks may reach; without it they reach public addresses only."
    )
    event_timeout_ms: int = Field(
        default=8000, ge=100, le=30000, description="Total time for all rows of one event, in milliseconds."
    )


class AlertsSettings(Group):
    """Where alerts are sent, signed as Standard Webhooks say; absent means that they are only listed."""

    url: ServiceUrl | None = Field(default=None, description="Gets a POST when an alert opens and when it clears.")
    secret: Annotated[SecretStr, AfterValidator(require_signing_secret)] | None = Field(
        default=None, description="Signs them: whsec_ and 24 to 64 bytes in base64."
    )

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        if (self.url is None) != (self.secret is None):
            raise ValueError(f"{PREFIX}ALERTS__URL and {PREFIX}ALERTS__SECRET come together")
        return self
