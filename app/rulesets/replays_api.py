"""`/admin/replays`: what a draft would have done with calls that were recorded."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Query, Response, status
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.auth.requirements import DecisionReaderDep, SimulatorDep
from app.calls.redaction import redact_trace
from app.operations.store import Job, JobState
from app.routing.trace import Trace
from app.rulesets.deps import RulesetsDep
from app.rulesets.replay import ReplayPlan
from app.rulesets.replays import ComparedCall, list_diffs
from app.rulesets.schemas import write_diff
from app.web.paths import DecisionId, JobId, RulesetRef
from app.web.problems import problems
from app.web.times import AnyMoment, show_time

__all__ = ["router"]

router = APIRouter(prefix="/admin", tags=["Replays"])

_HIDDEN = ("document", "diffs")


class ReplayBody(BaseModel):
    """Which recorded calls; all given conditions hold together."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"since": "2026-03-03T00:00:00Z", "sample": 5000}]}
    )

    since: AnyMoment | None = Field(default=None, description="Inclusive; with a time zone.")
    until: AnyMoment | None = Field(default=None, description="Exclusive; with a time zone.")
    queue_id: str | None = Field(default=None, max_length=200, description="Calls in this queue only.")
    sample: int | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="So many calls, spread evenly over all that fit: those whose ids have the smallest random parts. "
        "The same calls each time, and part of every larger sample; null for all.",
    )

    def make_plan(self) -> ReplayPlan:
        """Turn the body into the plan."""
        return ReplayPlan(
            since=self.since.timestamp() if self.since else None,
            until=self.until.timestamp() if self.until else None,
            queue_id=self.queue_id,
            sample=self.sample,
        )


class ReplayState(BaseModel):
    """A replay and how far it is."""

    id: str
    state: JobState
    done: int = Field(description="Calls looked at.")
    total: int | None
    percent: float | None
    author: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None = Field(description="Why it failed.")
    result: dict[str, Any] | None = Field(
        description="Once it has ended: summary, counts, groups of changes, and facts nobody had fetched."
    )

    @classmethod
    def of(cls, job: Job) -> Self:
        """Take a job."""
        result = job.result if isinstance(job.result, Mapping) else None
        return cls(
            id=job.id,
            state=job.state,
            done=job.done,
            total=job.total,
            percent=job.percent,
            author=job.author,
            started_at=show_time(job.created_at),
            finished_at=show_time(job.finished_at),
            error=job.error,
            result=None if result is None else _write_result(result),
        )


class DiffPage(BaseModel):
    """Some calls that would be decided otherwise."""

    total: int = Field(description="Calls kept; a replay keeps the first 2,000.")
    items: list[dict[str, Any]]


class DiffDetail(BaseModel):
    """One call, explained by the rules that decided it and by those of the replay. Numbers and names are hidden."""

    decision: str
    at: datetime
    before: dict[str, Any] | None = Field(description="The trace; null when its revision can no longer be read.")
    after: dict[str, Any]

    @classmethod
    def of(cls, call: ComparedCall) -> Self:
        """Take a call with both explanations."""
        return cls(
            decision=call.record.id,
            at=show_time(call.record.at),
            before=None if call.before is None else _write(call.before),
            after=_write(call.after),
        )


async def _find_job(job_id: JobId, _reader: DecisionReaderDep, rulesets: RulesetsDep) -> Job:
    """Find the replay before anything is answered."""
    return await rulesets.replays.find(job_id)


@router.post(
    "/rulesets/{ref}/replay",
    summary="Replay recorded calls",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(404, 409, 422, 503),
)
async def start_replay(
    ref: RulesetRef,
    body: ReplayBody,
    who: SimulatorDep,
    _reader: DecisionReaderDep,
    rulesets: RulesetsDep,
    response: Response,
) -> ReplayState:
    """Decide recorded calls again by a draft or a revision, with the facts as they were. Runs in the background."""
    job = await rulesets.replays.start(ref, body.make_plan(), author=who.name)
    response.headers["Location"] = f"/admin/replays/{job.id}"
    return ReplayState.of(job)


@router.get("/replays", summary="List replays", responses=problems(503))
async def list_replays(
    _reader: DecisionReaderDep, rulesets: RulesetsDep, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[ReplayState]:
    """List replays, the newest first."""
    return [ReplayState.of(job) for job in await rulesets.replays.list_recent(limit=limit)]


@router.get("/replays/{job_id}", summary="Show a replay", responses=problems(404, 503))
async def show_replay(job: Annotated[Job, Depends(_find_job)]) -> ReplayState:
    """Show how far a replay is, and its result once it has ended."""
    return ReplayState.of(job)


@router.get(
    "/replays/{job_id}/events",
    summary="Follow a replay",
    responses=problems(404, 503),
    response_class=EventSourceResponse,
)
async def follow_replay(
    job: Annotated[Job, Depends(_find_job)], rulesets: RulesetsDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream the progress as server-sent events: `progress`, and at the end `done`, `failed` or `cancelled`."""
    async for latest in rulesets.replays.follow(job.id):
        event = "progress" if latest.state is JobState.RUNNING else latest.state.value
        yield ServerSentEvent(event=event, data=ReplayState.of(latest).model_dump(mode="json"))


@router.post("/replays/{job_id}/cancel", summary="Cancel a replay", responses=problems(404, 409, 503))
async def cancel_replay(job_id: JobId, _who: SimulatorDep, rulesets: RulesetsDep) -> ReplayState:
    """Stop a replay within a second; what it found so far stays."""
    return ReplayState.of(await rulesets.replays.cancel(job_id))


@router.get("/replays/{job_id}/diffs", summary="List changed calls", responses=problems(404, 422, 503))
async def show_diffs(
    job: Annotated[Job, Depends(_find_job)],
    group: Annotated[int | None, Query(ge=0, description="A place in `groups` of the result, from 0.")] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> DiffPage:
    """List calls that would be decided otherwise."""
    result = job.result if isinstance(job.result, Mapping) else {"diffs": [], "groups": []}
    diffs = list_diffs(result, group=group)
    return DiffPage(total=len(diffs), items=[write_diff(diff) for diff in diffs[offset : offset + limit]])


@router.get("/replays/{job_id}/diffs/{decision_id}", summary="Explain a changed call", responses=problems(404, 503))
async def explain_diff(
    job: Annotated[Job, Depends(_find_job)], decision_id: DecisionId, rulesets: RulesetsDep
) -> DiffDetail:
    """Explain one recorded call twice: why it was decided so, and why it would be decided otherwise."""
    return DiffDetail.of(await rulesets.replays.explain(job.id, decision_id))


def _write_result(result: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in result.items() if name not in _HIDDEN}
    times = {name: result["plan"][name] for name in ("since", "until")}
    plan = {name: show_time(at) for name, at in times.items()}
    return {**shown, "plan": {**result["plan"], **plan}}


def _write(trace: Trace) -> dict[str, Any]:
    return redact_trace(trace.document())
