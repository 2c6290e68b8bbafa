"""`/admin/simulate`: what would happen to a made-up call."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from app.auth.access import SimulatorDep
from app.calls.deps import CallsDep
from app.calls.simulation import Question
from app.errors import InvalidInputError
from app.routing.expectations import CallerStub
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin", tags=["Rules"])

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(3000, 1, 1, tzinfo=UTC)
_EXAMPLES: list[JsonValue] = [
    {"call": {"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"}},
    {"call": {"anum": "+358401112233"}, "caller": {"status": "unavailable", "cause": "timeout"}},
]


class SimulationBody(BaseModel):
    """A made-up call, and what to pretend."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": _EXAMPLES})

    call: dict[str, JsonValue] = Field(description="The call as the queue posts it.")
    caller: CallerStub | None = Field(
        default=None, description="Pretend the CRM says this; without it the caller is looked up for real."
    )
    at: AwareDatetime | None = Field(
        default=None, ge=_EARLIEST, lt=_LATEST, description="Pretend it is then (1970 to 2999); without it: now."
    )
    ruleset: dict[str, JsonValue] | None = Field(
        default=None, description="Decide by this ruleset file; without it by the published one."
    )


class WireBody(BaseModel):
    """The answer of the webhook."""

    status: int
    body: dict[str, Any] | None = Field(description="Null when the answer is empty.")


class SimulationResult(BaseModel):
    """What would happen, and why."""

    caller: dict[str, Any] = Field(description="Who the CRM says is calling, without the name.")
    source: str = Field(description="Where the caller came from; `given` when the request said it.")
    decision: dict[str, Any]
    summary: str = Field(description="The decision in one line.")
    answer: WireBody
    facts: dict[str, Any]
    trace: dict[str, Any]


@router.post("/simulate", summary="Simulate a call", responses=problems(422))
async def simulate_call(body: SimulationBody, _who: SimulatorDep, calls: CallsDep) -> SimulationResult:
    """Decide a made-up call without answering anybody: decision, trace and wire answer. Nothing is logged."""
    question = Question(call=body.call, caller=body.caller, at=body.at, ruleset=body.ruleset)
    try:
        result = await calls.simulation.ask(question)
    except InvalidInputError as error:
        findings = [replace(finding, pointer=f"/ruleset{finding.pointer}") for finding in error.findings]
        raise InvalidInputError(error.detail, findings=findings) from error
    return SimulationResult.model_validate(result)
