"""`/admin/rulesets/{ref}/shadow`: a draft beside live calls, without effect."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.auth.access import RulesPublisherDep, RulesReaderDep
from app.rulesets.deps import RulesetsDep
from app.rulesets.difference_counts import summarise
from app.rulesets.schemas import write_diff
from app.rulesets.shadow_repository import VersionedMark
from app.web.parameters import IfMatchDep, RulesetRef, show_time, tag
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/rulesets/{ref}/shadow", tags=["Rulesets"])


class ShadowBody(BaseModel):
    """Where the shadow falls."""

    model_config = ConfigDict(extra="forbid")

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


@router.get("", summary="Show the shadow of a draft", responses=problems(404, 503))
async def show_shadow(ref: RulesetRef, _who: RulesReaderDep, rulesets: RulesetsDep, response: Response) -> ShadowState:
    """Show divergence so far; a few seconds old at most. The ETag is that of the one shadow of the installation."""
    await rulesets.repository.find_draft(ref)
    return await _show(ref, await rulesets.shadow.read(), rulesets, response)


@router.put("", summary="Put a draft into the shadow", responses=problems(404, 412, 422, 428, 503))
async def put_into_shadow(
    *,
    ref: RulesetRef,
    body: ShadowBody,
    who: RulesPublisherDep,
    version: IfMatchDep,
    rulesets: RulesetsDep,
    response: Response,
) -> ShadowState:
    """Let the draft decide live calls after they were answered; it takes the place of another draft there."""
    mark = await rulesets.shadow.enter(ref, tuple(body.queues), version=version, author=who.name)
    return await _show(ref, mark, rulesets, response)


@router.delete("", summary="Take a draft out of the shadow", responses=problems(404, 409, 412, 428, 503))
async def take_out_of_shadow(
    ref: RulesetRef, who: RulesPublisherDep, version: IfMatchDep, rulesets: RulesetsDep, response: Response
) -> ShadowState:
    """Stop; what was found stays, for as long as recorded calls are kept."""
    mark = await rulesets.shadow.leave(ref, version=version, author=who.name)
    return await _show(ref, mark, rulesets, response)


async def _show(draft: str, mark: VersionedMark, rulesets: RulesetsDep, response: Response) -> ShadowState:
    tag(response, mark.version)
    active = mark.mark.draft == draft
    queues = list(mark.mark.queues) if active else []
    found = await rulesets.shadow.read_results(draft)
    if found is None:
        return ShadowState(active=active, queues=queues, since=None, summary=None)
    counts = found.counts
    return ShadowState(
        active=active,
        queues=queues,
        since=show_time(found.since),
        summary=summarise(counts.calls, counts.changed, counts.groups),
        calls=counts.calls,
        diverged=counts.changed,
        dropped=counts.dropped,
        groups=[dict(group) for group in counts.groups],
        missing_facts=dict(counts.missing_facts),
        diffs=[write_diff(diff) for diff in found.diffs],
    )
