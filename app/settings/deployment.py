"""What belongs to the deployment: who runs it, its store, its ruleset file, its log and what hooks may reach."""

import binascii
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from app.settings.base import Group, Network, ServiceUrl, require_zone

__all__ = [
    "GeneralSettings",
    "LogSettings",
    "PluginsSettings",
    "RetentionSettings",
    "RulesSettings",
    "StoreSettings",
    "UpdatesSettings",
    "require_signing_secret",
]


class GeneralSettings(Group):
    """Who runs this, where and in which language: told in everything that is written for people."""

    organisation: str | None = Field(
        default=None, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Name of the customer."
    )
    time_zone: Annotated[str, AfterValidator(require_zone)] = Field(
        default="UTC", max_length=60, description="IANA name; the times in messages for people are told in it."
    )
    languages: tuple[Literal["en", "fi"], ...] = Field(
        default=("en",), min_length=1, max_length=2, description="Messages for people are written in the first one."
    )


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
    reports_days: int = Field(default=1100, ge=1, le=3650, description="Figures of reports, which name nobody.")


class RulesSettings(Group):
    """Rules that travel with the deployment."""

    file: Path | None = Field(
        default=None,
        description="Ruleset file; every start publishes it where it differs from what is live, by whomever.",
    )


_EnvironmentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")]


class UpdatesSettings(Group):
    """Where Voice for Dynamics 365 is installed, and which releases there are."""

    environment: _EnvironmentName = Field(
        default="production", description="How the environment of `SMARTROUTING_DATAVERSE__URL` is called."
    )
    other_environments: dict[_EnvironmentName, ServiceUrl] = Field(
        default={},
        max_length=20,
        description="Name -> URL of others whose versions are read, with the same app registration.",
    )
    solution: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,64}$",
        description="Unique name of Voice's solution; absent: the one that is shown as Voice for Dynamics 365.",
    )
    releases_file: Path | None = Field(
        default=None, description="JSON file of releases and their notes, besides those that this version knows."
    )

    @model_validator(mode="after")
    def _require_own_name(self) -> Self:
        if self.environment in self.other_environments:
            raise ValueError(f"OTHER_ENVIRONMENTS holds {self.environment}, which is what ENVIRONMENT says")
        return self


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
