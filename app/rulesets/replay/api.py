"""`/admin/replays`: recorded calls decided again; `/admin/rulesets/{ref}/shadow`: a draft beside live calls."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Self, TypeVar

from fastapi import APIRouter, Depends, Query, Response, status
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from app.auth.access import DecisionReaderDep, RulesPublisherDep, RulesReaderDep, SimulatorDep
from app.auth.principals import Permission, Principal
from app.calls.redaction import redact_trace
from app.operations.store import Job, JobState
from app.rulesets.api import RulesetsDep
from app.rulesets.redaction import redact_texts
from app.rulesets.replay.jobs import ExplainedCall, list_diffs
from app.rulesets.replay.result import ReplayPlan, summarise
from app.rulesets.replay.shadow import ShadowMark
from app.store.settings_documents import Versioned
from app.web.limits import HeavyRoute, StreamDep
from app.web.parameters import (
    AnyMoment,
    DecisionId,
    IfMatchDep,
    JobId,
    RulesetRef,
    StrictBody,
    WholeList,
    show_time,
    tag,
)
from app.web.problems import problems

__all__ = ["router", "shadow_router"]

router = APIRouter(prefix="/admin", tags=["Replays"], route_class=HeavyRoute)
shadow_router = APIRouter(prefix="/admin/rulesets/{ref}/shadow", tags=["Rulesets"], route_class=HeavyRoute)

T = TypeVar("T")
_UNSHOWN = ("document", "diffs")
"""Members of a result that have no place in the state of a replay."""


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
    def of(cls, job: Job, reader: Principal) -> Self:
        """Take a job, without numbers in names unless the reader may see them."""
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
            result=None if result is None else _show(reader, _write_result(result)),
        )


class DiffPage(BaseModel):
    """Some calls that would be decided otherwise."""

    total: int = Field(description="Calls kept; a replay keeps the first 2,000.")
    items: list[dict[str, Any]]
    next: str | None = Field(description="Pass as `offset` for the next page; null on the last one.")


class DiffDetail(BaseModel):
    """One call, explained by the rules that decided it and by those of the replay. Numbers and names are hidden."""

    decision: str
    at: datetime
    before: dict[str, Any] | None = Field(description="The trace; null when its revision can no longer be read.")
    after: dict[str, Any]

    @classmethod
    def of(cls, call: ExplainedCall, reader: Principal) -> Self:
        """Take a call with both explanations, without numbers in names unless the reader may see them."""
        return cls(
            decision=call.record.id,
            at=show_time(call.record.at),
            before=None if call.before is None else _show(reader, redact_trace(call.before.document())),
            after=_show(reader, redact_trace(call.after.document())),
        )


class ShadowBody(BaseModel):
    """Where the shadow falls."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"queues": ["1a89fc22-517a-e611-80c9-00505689257e"]}]}
    )

    queues: list[str] = Field(default=[], max_length=200, description="Ids of queues; empty for every call.")


class ShadowState(BaseModel):
    """Whether the draft is in the shadow, and what it would have done with the calls since."""

    active: bool
    queues: list[str]
    since: datetime | None = Field(description="The first call that was looked at in this version of the draft.")
    summary: str | None
    calls: int = 0
    diverged: int = 0
    dropped: int = Field(default=0, description="Calls left out because too many came at once.")
    groups: list[dict[str, Any]] = []
    missing_facts: dict[str, int] = Field(
        default={}, description="Facts the draft reads that no published rule asks for, by calls without them."
    )
    diffs: list[dict[str, Any]] = Field(default=[], description="The latest 500 calls decided otherwise.")


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
    body: StrictBody[ReplayBody],
    who: SimulatorDep,
    _reader: DecisionReaderDep,
    rulesets: RulesetsDep,
    response: Response,
) -> ReplayState:
    """Decide recorded calls again by a draft or a revision, with the facts as they were. Runs in the background."""
    job = await rulesets.replays.start(ref, body.make_plan(), author=who.name, role=who.role)
    response.headers["Location"] = f"/admin/replays/{job.id}"
    return ReplayState.of(job, who)


@router.get("/replays", summary="List replays", responses=problems(503))
async def list_replays(
    reader: DecisionReaderDep, rulesets: RulesetsDep, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> WholeList[ReplayState]:
    """List replays, the newest first."""
    found = await rulesets.replays.list_recent(limit=limit)
    return WholeList(items=[ReplayState.of(job, reader) for job in found])


@router.get("/replays/{job_id}", summary="Show a replay", responses=problems(404, 503))
async def show_replay(job: Annotated[Job, Depends(_find_job)], reader: DecisionReaderDep) -> ReplayState:
    """Show how far a replay is, and its result once it has ended."""
    return ReplayState.of(job, reader)


@router.get(
    "/replays/{job_id}/events",
    summary="Follow a replay",
    responses=problems(404, 503),
    response_class=EventSourceResponse,
)
async def follow_replay(
    job: Annotated[Job, Depends(_find_job)], reader: DecisionReaderDep, rulesets: RulesetsDep, _open: StreamDep
) -> AsyncIterator[ServerSentEvent]:
    """Stream the progress as server-sent events: `progress`, and at the end `done`, `failed` or `cancelled`."""
    async for latest in rulesets.replays.follow(job.id):
        event = "progress" if latest.state is JobState.RUNNING else latest.state.value
        yield ServerSentEvent(event=event, data=ReplayState.of(latest, reader).model_dump(mode="json"))


@router.post("/replays/{job_id}/cancel", summary="Cancel a replay", responses=problems(404, 409, 503))
async def cancel_replay(job_id: JobId, who: SimulatorDep, rulesets: RulesetsDep) -> ReplayState:
    """Stop a replay within a second; what it found so far stays."""
    return ReplayState.of(await rulesets.replays.cancel(job_id), who)


@router.get("/replays/{job_id}/diffs", summary="List changed calls", responses=problems(404, 422, 503))
async def show_diffs(
    job: Annotated[Job, Depends(_find_job)],
    reader: DecisionReaderDep,
    group: Annotated[int | None, Query(ge=0, description="A place in `groups` of the result, from 0.")] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> DiffPage:
    """List calls that would be decided otherwise."""
    result = job.result if isinstance(job.result, Mapping) else {"diffs": [], "groups": []}
    diffs = list_diffs(result, group=group)
    end = offset + limit
    items = [_show(reader, _write_diff(diff)) for diff in diffs[offset:end]]
    return DiffPage(total=len(diffs), items=items, next=str(end) if end < len(diffs) else None)


@router.get("/replays/{job_id}/diffs/{decision_id}", summary="Explain a changed call", responses=problems(404, 503))
async def explain_diff(
    job: Annotated[Job, Depends(_find_job)],
    decision_id: DecisionId,
    reader: DecisionReaderDep,
    rulesets: RulesetsDep,
) -> DiffDetail:
    """Explain one recorded call twice: why it was decided so, and why it would be decided otherwise."""
    return DiffDetail.of(await rulesets.replays.explain(job.id, decision_id), reader)


@router.get("/decisions/{decision_id}/replay", summary="Replay one call", responses=problems(404, 422, 503))
async def replay_one(
    decision_id: DecisionId,
    ref: Annotated[
        str,
        Query(max_length=200, description="`current`, a revision's number, or a draft's id.", examples=["current"]),
    ],
    who: SimulatorDep,
    _reader: DecisionReaderDep,
    rulesets: RulesetsDep,
) -> DiffDetail:
    """Explain one recorded call twice: why it was decided so, and how a draft or a revision would decide it."""
    return DiffDetail.of(await rulesets.replays.explain_one(ref, decision_id), who)


@shadow_router.get("", summary="Show the shadow of a draft", responses=problems(404, 503))
async def show_shadow(ref: RulesetRef, who: RulesReaderDep, rulesets: RulesetsDep, response: Response) -> ShadowState:
    """Show divergence so far; a few seconds old at most. The ETag is that of the one shadow of the installation."""
    await rulesets.repository.find_draft(ref)
    return await _show_shadow(ref, await rulesets.shadow.show(), rulesets, response, who)


@shadow_router.put("", summary="Put a draft into the shadow", responses=problems(404, 412, 422, 428, 503))
async def put_into_shadow(
    *,
    ref: RulesetRef,
    body: StrictBody[ShadowBody],
    who: RulesPublisherDep,
    version: IfMatchDep,
    rulesets: RulesetsDep,
    response: Response,
) -> ShadowState:
    """Let the draft decide live calls after they were answered; it takes the place of another draft there."""
    mark = await rulesets.shadow.enter(ref, tuple(body.queues), version=version, author=who.name)
    return await _show_shadow(ref, mark, rulesets, response, who)


@shadow_router.delete("", summary="Take a draft out of the shadow", responses=problems(404, 409, 412, 428, 503))
async def take_out_of_shadow(
    ref: RulesetRef, who: RulesPublisherDep, version: IfMatchDep, rulesets: RulesetsDep, response: Response
) -> ShadowState:
    """Stop; what was found stays, for as long as recorded calls are kept."""
    mark = await rulesets.shadow.leave(ref, version=version, author=who.name)
    return await _show_shadow(ref, mark, rulesets, response, who)


async def _show_shadow(
    draft: str, mark: Versioned[ShadowMark], rulesets: RulesetsDep, response: Response, reader: Principal
) -> ShadowState:
    tag(response, mark.version)
    active = mark.value.draft == draft
    queues = list(mark.value.queues) if active else []
    found = await rulesets.shadow.read_results(draft)
    if found is None:
        return ShadowState(active=active, queues=queues, since=None, summary=None)
    counts = found.counts
    return ShadowState(
        active=active,
        queues=queues,
        since=show_time(found.since),
        summary=_show(reader, summarise(counts.calls, counts.changed, counts.groups)),
        calls=counts.calls,
        diverged=counts.changed,
        dropped=counts.dropped,
        groups=[_show(reader, dict(group)) for group in counts.groups],
        missing_facts=dict(counts.missing_facts),
        diffs=[_show(reader, _write_diff(diff)) for diff in found.diffs],
    )


def _write_result(result: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in result.items() if name not in _UNSHOWN}
    times = {name: result["plan"][name] for name in ("since", "until")}
    plan = {name: show_time(at) for name, at in times.items()}
    return {**shown, "plan": {**result["plan"], **plan}}


def _show(reader: Principal, value: T) -> T:
    """Hide numbers in the names of rules, places and drafts from whoever may not see them."""
    return value if reader.may(Permission.REVEAL_NUMBERS) else redact_texts(value)


def _write_diff(diff: Mapping[str, Any]) -> dict[str, Any]:
    return {**diff, "at": show_time(diff["at"])}
