"""JSON bodies of `/admin/enterprise-calls`."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.enterprise_calls.call_log import ShownCall, show_number
from app.enterprise_calls.rules import Reason, SyncOutcome
from app.enterprise_calls.store import StoredCall
from app.store.pages import Page
from app.users.readiness import ItemState
from app.web.parameters import AnyMoment, ShownTime

__all__ = ["CallDetailBody", "CallPage", "CallQuery", "ChecklistBody", "PendingQuery", "RunBody", "StatusBody"]


class StatusBody(BaseModel):
    """How the synchronisation goes."""

    model_config = ConfigDict(from_attributes=True)

    state: str = Field(description="`running`, `stopped` by settings, or `failing`.", examples=["running"])
    reason: str = Field(description="Why it is not running; empty when it is.")
    position: ShownTime | None = Field(description="Until when every change of a call was read from Enreach.")
    lag_seconds: float | None = Field(description="The time since then.")
    next_run_at: ShownTime | None
    counts: dict[str, dict[str, int]] = Field(description="Outcome -> reason -> calls that are kept.")
    pending: int = Field(description="Calls that wait for the overnight run.")
    runs: list[dict[str, Any]] = Field(
        description="The latest runs. `left_in_dynamics` are activities of calls that are not work any more."
    )


class RunBody(BaseModel):
    """Which calls to read, by when they began; without `from`, what has changed since the last time."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"from": "2026-11-26T00:00:00Z", "until": "2026-11-27T00:00:00Z", "dry_run": True}]
        },
    )

    since: AnyMoment | None = Field(default=None, alias="from")
    until: AnyMoment | None = Field(default=None, description="Now, unless it is said.")
    dry_run: bool = Field(default=False, description="Only tell what would become of the calls.")

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.since is None and self.until is not None:
            raise ValueError("`until` needs `from`")
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError("`from` must not be after `until`")
        return self


class PendingQuery(BaseModel):
    """A page."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, max_length=100, description="The `next` of the page before.")


class CallQuery(PendingQuery):
    """Which calls to list; all given conditions hold together."""

    outcome: SyncOutcome | None = None
    user_id: str | None = Field(default=None, max_length=100, description="The `systemuserid` of the user.")
    since: AnyMoment | None = Field(default=None, description="Calls that began then or later.")


class RuleStep(BaseModel):
    """What one rule saw and decided."""

    model_config = ConfigDict(from_attributes=True)

    rule: str
    passed: bool = Field(description="False where the rule decided; the last one then.")
    saw: dict[str, Any]
    explanation: str


class EnterpriseCall(BaseModel):
    """One user's part in one work call, and what became of it."""

    call_id: str
    activity_id: str = Field(description="The id that its activity in Dynamics has, or would have.")
    user_id: str | None = Field(description="The user of Dynamics; null when Dynamics does not know them.")
    number: str | None = Field(description="The other party's; masked.")
    direction: str
    started_at: ShownTime | None
    seconds: float
    answered: bool
    outcome: SyncOutcome
    reason: Reason
    explanation: str
    updated_at: ShownTime


class PartBody(EnterpriseCall):
    """The same with every rule that was asked."""

    rules: list[RuleStep] = Field(description="In the order in which they were asked.")


class CallDetailBody(PartBody):
    """One work call: the latest part of a user in it, and those of others."""

    others: list[PartBody] = Field(description="The parts of other users in the same call.")

    @classmethod
    def of(cls, shown: ShownCall) -> Self:
        """Show a call."""
        first, *others = (_show(call, revealed=shown.revealed) for call in (shown.call, *shown.others))
        return cls.model_validate({**first, "others": others})


class CallPage(BaseModel):
    """Some calls, the latest first."""

    items: list[EnterpriseCall]
    next: str | None

    @classmethod
    def of(cls, page: Page[StoredCall]) -> Self:
        """Show a page."""
        return cls.model_validate({"items": [_show(call) for call in page.items], "next": page.next})


class ChecklistItemBody(BaseModel):
    """One line of the administrator guide's checklist."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    state: ItemState
    reason: str
    what_to_do: str
    users: list[str] = Field(description="Users whom it concerns, at most twenty; see /admin/users/{id}.")


class ChecklistBody(BaseModel):
    """The checklist of the organisation."""

    items: list[ChecklistItemBody]
    next: None = None


def _show(call: StoredCall, *, revealed: bool = False) -> dict[str, Any]:
    event = call.event
    return {
        "call_id": event.call_id,
        "activity_id": event.id,
        "user_id": call.user_id,
        "number": show_number(call, revealed=revealed),
        "direction": "outbound" if event.outgoing else "inbound",
        "started_at": event.started_at,
        "seconds": event.seconds,
        "answered": event.answered,
        "outcome": call.outcome,
        "reason": call.reason,
        "explanation": call.steps[-1].explanation if call.steps else "",
        "updated_at": call.updated_at,
        "rules": call.steps,
    }
