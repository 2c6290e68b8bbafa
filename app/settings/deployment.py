"""What belongs to the deployment: its store, its ruleset file, its log."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from app.settings.group import Group

__all__ = ["LogSettings", "RulesSettings", "StoreSettings"]


class StoreSettings(Group):
    """Where rulesets, decisions and the audit live."""

    url: str = Field(
        default="sqlite:///data/smartrouting.db",
        pattern=r"^(sqlite:///.+|postgresql://.+)$",
        description="sqlite:///path or postgresql://user:password@host/database.",
    )
    journal: Path = Field(default=Path("data/journal"), description="Folder of the journal that survives a crash.")
    retention_days: int = Field(default=90, ge=1, le=3650, description="How long decisions are kept.")


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
