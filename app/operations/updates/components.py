"""What the routes of updates use."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from app.operations.updates.plans import UpdatePlans
from app.operations.updates.releases import SolutionReader

__all__ = ["UpdateComponents", "UpdatesState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateComponents:
    """What the routes use."""

    solutions: SolutionReader
    plans: UpdatePlans
    releases_file: Path | None
    version: str
    """Of this service."""


class UpdatesState(TypedDict):
    """Its place in the lifespan state."""

    updates: UpdateComponents
