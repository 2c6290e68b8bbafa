"""`/admin/decisions`: what was answered to which call, and why."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from app.auth.access import DecisionReaderDep
from app.calls.decision_filter import DecisionFilter
from app.calls.decision_log import ShownDecision
from app.calls.deps import CallsDep, RevealDep
from app.routing.callers import CallerStatus, Cause
from app.routing.decision_record import DecisionRecord
from app.routing.decisions import Outcome
from app.store.pages import Page
from app.web.parameters import DecisionId, show_time
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/decisions", tags=["Decisions"])


class DecisionHead(BaseModel):
    """One answered call; numbers are masked, also where one came in place of an identifier."""

    id: str
    at: datetime
    call_id: str | None
    caller: str | None = Field(description="Masked.", examples=["+35850*****67"])
    called: str | None
    target_id: str | None
    queue_id: str | None
    caller_status: CallerStatus
    caller_cause: Cause | None
    caller_age_seconds: float | None = Field(description="How old the knowledge about the caller was.")
    caller_source: str = Field(description="live, fresh, stale, negative, snapshot or none.")
    revision: int | None
    rule: str | None
    outcome: Outcome
    status: int = Field(description="HTTP status of the answer.")
    milliseconds: float | None
    credential: str = Field(description="Label of the key that was used.")
    drill: str | None

    @classmethod
    def of(cls, record: DecisionRecord) -> Self:
        """Take the head of a record."""
        return cls(**_read_head(record))


class DecisionPage(BaseModel):
    """Some decisions, newest first."""

    items: list[DecisionHead]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")

    @classmethod
    def of(cls, page: Page[DecisionRecord]) -> Self:
        """Take a page of records."""
        return cls(items=[DecisionHead.of(record) for record in page.items], next=page.next)


class DecisionDetail(DecisionHead):
    """One answered call with everything that explains it."""

    request_id: str
    caller_raw: str | None = Field(description="The number as the queue sent it; masked unless revealed.")
    called_raw: str | None
    facts: dict[str, Any] = Field(description="Every fact as the rules saw it.")
    decision: dict[str, Any]
    body: str | None = Field(description="The answer as it went out; null for an empty one.")
    waterfall: dict[str, float] = Field(
        description=(
            "Milliseconds by stage: `receive`, `look_up`, `rules`, `record`, `total`. `record` is missing, also from "
            "the total, when the process ended before it could be told. When a look-up was waited for, "
            "`look_up.turn`, `look_up.token` and `look_up.dataverse` tell how it spent its time, which may have begun "
            "before this call."
        )
    )
    hops: int
    trace: dict[str, Any] | None = Field(description="Every rule and condition with expected and actual value.")
    trace_agrees: bool = Field(description="Whether the rules, asked again with these facts, decide the same.")
    revealed: bool

    @classmethod
    def show(cls, shown: ShownDecision) -> Self:
        """Take a decision with its explanation."""
        record = shown.record
        return cls(
            **_read_head(record),
            request_id=record.request_id,
            caller_raw=record.caller_raw,
            called_raw=record.called_raw,
            facts=dict(record.facts),
            decision=dict(record.decision),
            body=record.body,
            waterfall=dict(record.waterfall),
            hops=record.hops,
            trace=shown.trace,
            trace_agrees=shown.trace_agrees,
            revealed=shown.revealed,
        )


class DecisionQuery(BaseModel):
    """Which decisions to list; all given conditions hold together."""

    model_config = {"extra": "forbid"}

    since: AwareDatetime | None = Field(default=None, description="Inclusive; with a time zone.")
    until: AwareDatetime | None = Field(default=None, description="Exclusive; with a time zone.")
    queue_id: str | None = None
    target_id: str | None = None
    outcome: Outcome | None = None
    rule: str | None = None
    caller_status: CallerStatus | None = None
    caller_cause: Cause | None = None
    revision: int | None = Field(default=None, ge=1, le=2**31 - 1)
    call_id: str | None = None
    caller: str | None = Field(default=None, pattern=r"^\+[0-9]{3,15}$", description="The exact number, E.164.")
    drill: bool | None = Field(default=None, description="True for fire drills only, false for real calls only.")
    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, pattern=r"^[0-9a-f-]{36}$", description="`next` of the page before.")

    def make_filter(self) -> DecisionFilter:
        """Turn the query into the store's words."""
        return DecisionFilter(
            since=self.since.timestamp() if self.since else None,
            until=self.until.timestamp() if self.until else None,
            queue_id=self.queue_id,
            target_id=self.target_id,
            outcome=self.outcome,
            rule=self.rule,
            caller_status=self.caller_status,
            caller_cause=self.caller_cause,
            revision=self.revision,
            call_id=self.call_id,
            caller_e164=self.caller,
            drill=self.drill,
        )


@router.get("", summary="List decisions", responses=problems(422, 503))
async def list_decisions(
    _reader: DecisionReaderDep, calls: CallsDep, query: Annotated[DecisionQuery, Query()]
) -> DecisionPage:
    """List answered calls, newest first. Numbers are masked."""
    return DecisionPage.of(await calls.decision_log.page(query.make_filter(), limit=query.limit, after=query.after))


@router.get("/{decision_id}", summary="Explain a decision", responses=problems(404, 422, 503))
async def show_decision(decision_id: DecisionId, calls: CallsDep, reveal_to: RevealDep) -> DecisionDetail:
    """Show one decision with its trace and waterfall.

    With `reveal=true` the full number and the name are shown; that needs the role Voice Admin User and leaves an
    audit record.
    """
    return DecisionDetail.show(await calls.decision_log.show(decision_id, reveal_to=reveal_to))


def _read_head(record: DecisionRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "at": show_time(record.at),
        "call_id": record.call_id,
        "caller": record.caller_e164 or record.caller_raw or None,
        "called": record.called_e164 or record.called_raw or None,
        "target_id": record.target_id,
        "queue_id": record.queue_id,
        "caller_status": record.caller_status,
        "caller_cause": record.caller_cause,
        "caller_age_seconds": record.caller_age_seconds,
        "caller_source": record.caller_source,
        "revision": record.revision,
        "rule": record.rule,
        "outcome": record.outcome,
        "status": record.status,
        "milliseconds": record.waterfall.get("total"),
        "credential": record.credential,
        "drill": record.drill,
    }
