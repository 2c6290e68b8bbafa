"""What the routes about rulesets and decisions may ask for."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Query

from app.auth.access import requires
from app.auth.principals import Principal
from app.auth.roles import Permission, Role
from app.calls.decision_log import DecisionLog
from app.calls.simulation import Simulation
from app.errors import ForbiddenError
from app.rulesets.coverage import Coverage
from app.rulesets.drafting import Drafting
from app.rulesets.publish_checks import PublishChecks
from app.rulesets.publish_limits import PublishLimitsRepository
from app.rulesets.publishing import Publishing
from app.rulesets.recorded_tests import RecordedTests
from app.rulesets.replays import Replays
from app.rulesets.repository import RulesetRepository
from app.rulesets.shadow_control import ShadowControl
from app.web.state import take

__all__ = [
    "CoverageDep",
    "DecisionLogDep",
    "DecisionReaderDep",
    "DraftingDep",
    "EditorDep",
    "GatesDep",
    "LimitsDep",
    "PublisherDep",
    "PublishingDep",
    "RecordedTestsDep",
    "ReplaysDep",
    "RepositoryDep",
    "RevealDep",
    "RulesReaderDep",
    "ShadowControlDep",
    "ShadowEditorDep",
    "SimulationDep",
    "SimulatorDep",
    "WallClockDep",
]

DecisionReaderDep = Annotated[Principal, requires(Permission.READ_DECISIONS)]
SimulatorDep = Annotated[Principal, requires(Permission.SIMULATE)]
RulesReaderDep = Annotated[Principal, requires(Permission.READ_RULES)]
EditorDep = Annotated[Principal, requires(Permission.EDIT_RULES)]
ShadowEditorDep = Annotated[Principal, requires(Permission.PUBLISH_RULES)]
PublisherDep = Annotated[Principal, requires(Permission.PUBLISH_RULES)]


def _require_reveal(
    reader: DecisionReaderDep,
    *,
    reveal: Annotated[bool, Query(description="Show the full number and the name; leaves an audit record.")] = False,
) -> Principal | None:
    """Return who may see the full number, `None` when nobody asked for it; raises ForbiddenError."""
    if reveal and not reader.may(Permission.REVEAL_NUMBERS):
        raise ForbiddenError(f"Revealing numbers needs the role {Role.VOICE_ADMIN_USER}; yours is {reader.role}.")
    return reader if reveal else None


RevealDep = Annotated[Principal | None, Depends(_require_reveal)]

DecisionLogDep = Annotated[DecisionLog, take("decision_log")]
SimulationDep = Annotated[Simulation, take("simulation")]
RepositoryDep = Annotated[RulesetRepository, take("library")]
DraftingDep = Annotated[Drafting, take("drafting")]
GatesDep = Annotated[PublishChecks, take("gates")]
PublishingDep = Annotated[Publishing, take("publishing")]
LimitsDep = Annotated[PublishLimitsRepository, take("limits")]
CoverageDep = Annotated[Coverage, take("coverage")]
ReplaysDep = Annotated[Replays, take("replays")]
ShadowControlDep = Annotated[ShadowControl, take("shadow")]
RecordedTestsDep = Annotated[RecordedTests, take("recorded_tests")]
WallClockDep = Annotated[Callable[[], float], take("clock")]
"""Seconds since the epoch."""
