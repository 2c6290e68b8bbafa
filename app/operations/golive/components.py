"""What the routes of go-live use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.operations.golive.contract_job import ContractTests
from app.operations.golive.handoff import Handoffs
from app.operations.golive.readiness import Readiness
from app.settings import Settings

__all__ = ["GoLiveComponents", "GoLiveState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoLiveComponents:
    """What the routes use."""

    readiness: Readiness
    handoffs: Handoffs
    contract_tests: ContractTests
    read_settings: Callable[[], Settings]


class GoLiveState(TypedDict):
    """Its place in the lifespan state."""

    golive: GoLiveComponents
