"""JSON bodies of calls: what a queue posts and is answered, decisions, simulations and fire drills."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import orjson
from msgspec.structs import asdict
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, SkipValidation, StrictBool
from typing_extensions import override

from app.calls.decision_log import ShownDecision, redact_summary
from app.calls.drills import Drill, DrillScenario
from app.calls.store import DecisionFilter, DecisionSummary
from app.routing.callers import CallerStatus, Cause
from app.routing.decisions import DecisionRecord, Outcome
from app.routing.stored_tests import CallerStub
from app.store.pages import Page
from app.web.parameters import AS_SENT, show_time
from app.web.spreadsheets import write_lines

__all__ = [
    "CALL_EXAMPLES",
    "CallBody",
    "DecisionConditions",
    "DecisionDetail",
    "DecisionForm",
    "DecisionPage",
    "DecisionQuery",
    "DrillBody",
    "DrillReport",
    "Instructions",
    "SimulationBody",
    "SimulationResult",
    "write_decisions",
    "write_event",
]

CALL_EXAMPLES = {
    "vip": {
        "summary": "A VIP calls the sales line",
        "value": {
            "anum": "+358501234567",
            "bnum": "+358912345678",
            "targetid": "SALES_QUEUE",
            "extradata": {
                "CallId": "d59d7a2f-318a-469e-bdc0-b092a8fedbc1",
                "LegId": "66299cde606b3db6d413cd208f7e5cab@192.0.2.1_br1",
                "CurrQueueId": "6f3c2f6e-0d0c-4c2e-8e55-0f6f4b1c9a01",
                "CurrUserId": "",
                "IsInternalCaller": False,
                "DYN_PAR_Culture": "en-GB",
            },
        },
    },
    "short": {
        "summary": "The older payload, a caller who is no VIP",
        "value": {"anum": "+358401112233", "bnum": "+358912345678"},
    },
    "withheld": {"summary": "A withheld number", "value": {"anum": "anonymous", "bnum": "+358912345678"}},
}
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(3000, 1, 1, tzinfo=UTC)
_SIMULATION_EXAMPLES: list[JsonValue] = [
    {"call": {"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"}},
    {"call": {"anum": "+358401112233"}, "caller": {"status": "unavailable", "cause": "timeout"}},
]
_DRILL_EXAMPLES: list[JsonValue] = [
    {"call": {"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"}, "pretend": "down"}
]


class ExtraData(BaseModel):
    """Further data about the call; every key may be missing, unknown ones are ignored."""

    model_config = ConfigDict(extra="allow")

    call_id: str | None = Field(default=None, alias="CallId", description="The platform-wide id of the call.")
    leg_id: str | None = Field(default=None, alias="LegId", description="Opaque.")
    queue_id: str | None = Field(default=None, alias="CurrQueueId", description="The queue the call is in.")
    user_id: str | None = Field(default=None, alias="CurrUserId", description="Empty when no user.")
    internal: bool | None = Field(default=None, alias="IsInternalCaller")


class CallBody(BaseModel):
    """One incoming call (Enreach contract, section 1.3). Unknown keys are ignored, wrong types are taken as missing."""

    model_config = ConfigDict(extra="allow")

    anum: str | int | None = Field(
        description="The caller's number, E.164 if possible. Null, empty or `anonymous`: withheld.",
    )
    bnum: str | int | None = Field(default=None, description="The number that was called, or that of the pool.")
    targetid: str | None = Field(default=None, description="The tag agreed with Enreach, e.g. SALES_QUEUE.")
    extradata: ExtraData | None = None


class Instructions(BaseModel):
    """Where the call goes. Further keys appear when the response profile names them."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"InitialTarget": "1a89fc22-517a-e611-80c9-00505689257e", "FailTarget": "+358401234567"}]
        },
    )

    InitialTarget: str = Field(description="A target, or `DISCONNECT:`.")
    FailTarget: str | None = Field(default=None, description="Where the call goes when the target does not take it.")


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
    settings_version: int | None = Field(
        description="Version of the settings `smart-routing`; 0 before the first, null in older records."
    )
    rule: str | None
    outcome: Outcome
    status: int = Field(description="HTTP status of the answer.")
    milliseconds: float | None
    credential: str = Field(description="Label of the key that was used.")
    drill: str | None

    @classmethod
    def of_summary(cls, summary: DecisionSummary) -> Self:
        """Take what a list shows."""
        return cls(**_show(summary))


def write_event(summary: DecisionSummary) -> bytes:
    """Write a decision, with masked numbers, as a server-sent event."""
    shown = DecisionHead.of_summary(redact_summary(summary)).model_dump_json()
    return f"event: decision\nid: {summary.id}\ndata: {shown}\n\n".encode()


class DecisionPage(BaseModel):
    """Some decisions, newest first."""

    items: list[DecisionHead]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")

    @classmethod
    def of(cls, page: Page[DecisionSummary]) -> Self:
        """Take a page of summaries."""
        return cls(items=[DecisionHead.of_summary(item) for item in page.items], next=page.next)


def write_decisions(summaries: Iterable[DecisionSummary], *, header: bool) -> str:
    """Write decisions as lines of a table, with the members of the list as its columns."""
    rows = (DecisionHead(**_show(summary)).model_dump() for summary in summaries)
    return write_lines(list(DecisionHead.model_fields), rows, header=header)


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
    deadline_ms: int | None = Field(description="The deadline it was answered under; null in older records.")
    hops: int
    trace: dict[str, Any] | None = Field(description="Every rule and condition with expected and actual value.")
    trace_agrees: bool = Field(description="Whether the rules, asked again with these facts, decide the same.")
    revealed: bool

    @classmethod
    def of(cls, shown: ShownDecision) -> Self:
        """Take a decision with its explanation."""
        return cls(
            **_show(shown.record),
            trace=shown.trace,
            trace_agrees=shown.trace_agrees,
            revealed=shown.revealed,
        )


class DecisionForm(StrEnum):
    """How decisions are listed."""

    JSON = "json"
    CSV = "csv"


class DecisionConditions(BaseModel):
    """Which decisions; all given conditions hold together."""

    model_config = {"extra": "forbid"}

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

    def make_filter(self) -> DecisionFilter:
        """Turn the conditions into the store's words."""
        own = self.model_dump(include=set(DecisionConditions.model_fields) - {"caller"})
        return DecisionFilter(**own, caller_e164=self.caller)


class DecisionQuery(DecisionConditions):
    """Which decisions to list, and how."""

    since: AwareDatetime | None = Field(default=None, description="Inclusive; with a time zone.")
    until: AwareDatetime | None = Field(default=None, description="Exclusive; with a time zone.")
    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, pattern=r"^[0-9a-f-]{36}$", description="`next` of the page before.")
    reveal: bool = Field(default=False, description="Show full numbers; leaves an audit record.")
    format: DecisionForm = Field(
        default=DecisionForm.JSON, description="`csv`: all decisions at once as a table, whatever `limit` says."
    )

    @override
    def make_filter(self) -> DecisionFilter:
        """Turn the query into the store's words."""
        return replace(
            super().make_filter(),
            since=self.since.timestamp() if self.since else None,
            until=self.until.timestamp() if self.until else None,
        )


class SimulationBody(BaseModel):
    """A made-up call, and what to pretend."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": _SIMULATION_EXAMPLES})

    call: dict[str, JsonValue] = Field(description="The call as the queue posts it.")
    caller: CallerStub | None = Field(
        default=None, description="Pretend the CRM says this; without it the caller is looked up for real."
    )
    at: AwareDatetime | None = Field(
        default=None, ge=_EARLIEST, lt=_LATEST, description="Pretend it is then (1970 to 2999); without it: now."
    )
    parameters: dict[Annotated[str, Field(pattern="^DYN_")], JsonValue] = Field(
        default={}, description="Parameters of the queue, beside those in the call's `extradata`.", max_length=100
    )
    culture: str | None = Field(default=None, max_length=100, description="The caller's language, e.g. fi-FI.")
    switches: dict[str, StrictBool] = Field(
        default={}, max_length=100, description="Pretend these switches are on or off; others are as they are set."
    )
    tables: dict[str, dict[str, dict[str, str | int | float | bool | None]]] = Field(
        default={},
        max_length=50,
        description="Pretend these tables hold these rows, by key (numbers in E.164); others are as they are.",
    )
    # What is in it is judged by its own reader, beside the event loop.
    ruleset: Annotated[dict[str, SkipValidation[JsonValue]] | None, AS_SENT] = Field(
        default=None, description="Decide by this ruleset file; without it by the published one."
    )


class WireBody(BaseModel):
    """The answer of the webhook."""

    status: int
    body: dict[str, Any] | None = Field(description="Null when the answer is empty.")


class OnCall(BaseModel):
    """Who is on call by a rota."""

    member: str = Field(description="The name of a destination.")
    since: datetime
    until: datetime = Field(description="The next hand-over, or the next begin or end of a swap.")
    swapped: bool = Field(description="Whether a swap says so.")


class SimulationResult(BaseModel):
    """What would happen, and why."""

    caller: dict[str, Any] = Field(description="Who the CRM says is calling, without the name.")
    source: str = Field(description="Where the caller came from; `given` when the request said it.")
    decision: dict[str, Any]
    summary: str = Field(description="The decision in one line.")
    answer: WireBody
    on_call: dict[str, OnCall | None] = Field(
        default={}, description="Who is on call by each rota, null before its start; absent without rotas."
    )
    facts: dict[str, Any]
    labels: dict[str, Any] = Field(
        default={}, description="Labels of the choices among the facts, as the rules' own columns have them; or absent."
    )
    trace: dict[str, Any]


class DrillBody(BaseModel):
    """A test call, and what the CRM is to pretend."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": _DRILL_EXAMPLES})

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
    def of(cls, drill: Drill) -> Self:
        """Take what a drill gave."""
        record = drill.record
        answer = DrillAnswer(status=record.status, body=None if record.body is None else orjson.loads(record.body))
        own = {"decision_id": record.id, "pretend": record.drill, "answer": answer}
        return cls(**{**asdict(record), **own, "facts": drill.facts, "trace": drill.trace})


def _show(record: DecisionRecord | DecisionSummary) -> dict[str, Any]:
    return {
        **asdict(record),
        "at": show_time(record.at),
        "caller": record.caller_e164 or record.caller_raw or None,
        "called": record.called_e164 or record.called_raw or None,
        "milliseconds": record.waterfall.get("total"),
    }
