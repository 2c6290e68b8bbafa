"""`/admin/drills`: what happens to a call when the CRM is in trouble, before it is."""

from typing import Any, Self

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.auth.access import OperatorDep
from app.calls.deps import CallsDep
from app.calls.drills import Drill, DrillScenario
from app.routing.callers import CallerStatus, Cause
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/drills", tags=["Operations"])

_EXAMPLES: list[JsonValue] = [
    {"call": {"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"}, "pretend": "down"}
]


class DrillBody(BaseModel):
    """A test call, and what the CRM is to pretend."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": _EXAMPLES})

    call: dict[str, JsonValue] = Field(description="The call as the queue posts it.")
    pretend: DrillScenario


class DrillAnswer(BaseModel):
    """What the queue would have been answered."""

    status: int
    body: dict[str, Any] | None = Field(description="Null when the answer is empty.")


class DrillReport(BaseModel):
    """What happened."""

    decision_id: str = Field(description="The drill in the decision log, a moment later.")
    pretend: DrillScenario
    caller_status: CallerStatus
    caller_cause: Cause | None
    revision: int | None
    decision: dict[str, Any]
    answer: DrillAnswer
    waterfall: dict[str, float] = Field(description="Milliseconds by stage.")
    facts: dict[str, Any]
    trace: dict[str, Any]

    @classmethod
    def of(cls, drill: Drill, pretend: DrillScenario) -> Self:
        """Take what a drill gave."""
        record = drill.record
        return cls(
            decision_id=record.id,
            pretend=pretend,
            caller_status=record.caller_status,
            caller_cause=record.caller_cause,
            revision=record.revision,
            decision=dict(record.decision),
            answer=DrillAnswer(status=record.status, body=None if record.body is None else orjson.loads(record.body)),
            waterfall=dict(record.waterfall),
            facts=drill.facts,
            trace=drill.trace,
        )


@router.post("", summary="Hold a fire drill", responses=problems(422))
async def hold_drill(body: DrillBody, who: OperatorDep, calls: CallsDep) -> DrillReport:
    """Decide one marked test call by the live rules while the CRM pretends to be in trouble.

    Other calls notice nothing; the decision is recorded with `drill` set and counts in no report.
    """
    return DrillReport.of(await calls.fire_drill.run(body.call, body.pretend, who=who.name), body.pretend)
