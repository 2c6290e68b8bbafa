"""How events, their rows and their runs look in JSON."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from app.configurator.events.administration import RowChange
from app.configurator.events.catalogue import Event, RowStatus
from app.configurator.events.context import dump_context
from app.configurator.events.plugin import InstalledPlugin
from app.configurator.events.run import EventRun
from app.observability.redaction import redact_identifier, redact_number
from app.store.event_runs import EventRunRecord
from app.store.pages import Page
from app.web.parameters import show_time

__all__ = [
    "EventBody",
    "EventDetail",
    "EventList",
    "NumbersBody",
    "RowBody",
    "RowPatch",
    "RunAnswer",
    "RunPage",
    "ShownRow",
    "TestReport",
]

_Order = Annotated[int | None, Field(ge=1, le=10_000, description="Rows run one by one, the lowest first.")]
_Timeout = Annotated[int | None, Field(ge=50, le=30_000, description="How long the row may take, in milliseconds.")]
_Stop = Annotated[bool | None, Field(description="Whether the rows after it do not run when it fails.")]
_Parameters = Annotated[dict[str, Any] | None, Field(description="What the plugin takes, see `plugins` of the list.")]


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    order: _Order = None
    status: RowStatus | None = None
    parameters: _Parameters = None
    timeout_ms: _Timeout = None
    stop_on_error: _Stop = None

    def make_change(self) -> RowChange:
        """Translate it."""
        return RowChange(**{name: getattr(self, name) for name in RowChange.__dataclass_fields__})


class RowBody(_Change):
    """A row to add."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"number": 1, "plugin": "https-hook", "parameters": {"url": "https://hooks.example.com/calls"}}
            ]
        }
    )

    plugin: str = Field(max_length=100)
    number: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="In each hundred 1 to 50 are for custom rows, 51 to 100 for built-in ones; absent: the first free.",
    )


class RowPatch(_Change):
    """What is to be different about a row; parameters are merged (RFC 7396)."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"timeout_ms": 1000, "stop_on_error": True}]})


class NumbersBody(BaseModel):
    """Some rows."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"numbers": [55]}]})

    numbers: list[int] = Field(min_length=1, max_length=100)


class EventBody(BaseModel):
    """An event to add."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": "call-ringing", "name": "Call ringing"}]}
    )

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$", description="As the phone client calls it.")
    name: str = Field(min_length=1, max_length=100)


class ShownRow(_Shown):
    """One row."""

    number: int
    plugin: str
    built_in: bool
    order: int
    status: RowStatus
    parameters: dict[str, Any] = Field(
        description="Secrets show as asterisks; one that was made for a hook is shown by the answer that made it."
    )
    timeout_ms: int
    stop_on_error: bool


class EventDetail(_Shown):
    """An event with its rows, in the order in which they run."""

    id: str = Field(examples=["call-ended"])
    name: str
    version: int = Field(description="0 while nobody has changed it; also the `ETag`.")
    plugins: list[ShownRow] = Field(validation_alias="rows")


class EventSummary(_Shown):
    """One event."""

    id: str
    name: str
    version: int
    active: list[int] = Field(description="The numbers of the rows that run, in their order.")


class PluginBody(BaseModel):
    """A plugin that rows can name."""

    id: str
    built_in: bool
    description: str
    parameters: dict[str, Any] = Field(description="JSON Schema.")


class EventList(BaseModel):
    """The events, and what can run."""

    items: list[EventSummary]
    next: str | None = None
    plugins: list[PluginBody]

    @classmethod
    def of(cls, events: Iterable[Event], plugins: Iterable[InstalledPlugin]) -> Self:
        """Show them."""
        return cls(
            items=[
                EventSummary(
                    id=event.id,
                    name=event.name,
                    version=event.version,
                    active=[row.number for row in event.rows if row.status is RowStatus.ACTIVE],
                )
                for event in events
            ],
            plugins=[
                PluginBody(
                    id=each.plugin.id,
                    built_in=each.built_in,
                    description=each.plugin.description,
                    parameters=each.plugin.parameters.model_json_schema(),
                )
                for each in plugins
            ],
        )


class TraceEntry(_Shown):
    """What became of one row."""

    number: int
    plugin: str
    ms: float = Field(description="Milliseconds.")
    changed: list[str] = Field(description="Keys of the context that it changed.")
    error: str | None = Field(description="Why it did not do its work.")


class RunAnswer(BaseModel):
    """The context after the last row, and what became of each."""

    context: dict[str, Any]
    trace: list[TraceEntry]

    @classmethod
    def of(cls, run: EventRun) -> Self:
        """Show it."""
        trace = [TraceEntry.model_validate(result) for result in run.trace]
        return cls(context=dump_context(run.context), trace=trace)


class TestEntry(TraceEntry):
    """What became of one row on the test bench."""

    would: str | None = Field(description="What it would have done to other systems; null for one that only reads.")


class TestReport(BaseModel):
    """What the rows did with a made-up context, or would have done."""

    context: dict[str, Any]
    trace: list[TestEntry]

    @classmethod
    def of(cls, run: EventRun) -> Self:
        """Show it."""
        return cls(context=dump_context(run.context), trace=[TestEntry.model_validate(each) for each in run.trace])


class ShownRun(BaseModel):
    """One run of an event; numbers are masked."""

    id: str
    at: datetime
    version: int = Field(description="Of the rows that ran.")
    request_id: str
    credential: str
    call_id: str | None
    phone_number: str | None
    user_id: str | None
    customer: dict[str, Any] | None
    trace: list[dict[str, Any]]
    ms: float


class RunPage(BaseModel):
    """Some runs of an event, the newest first."""

    items: list[ShownRun]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")

    @classmethod
    def of(cls, page: Page[EventRunRecord]) -> Self:
        """Show them."""
        return cls(items=[_show_run(record) for record in page.items], next=page.next)


def _show_run(record: EventRunRecord) -> ShownRun:
    return ShownRun(
        id=record.id,
        at=show_time(record.at),
        version=record.version,
        request_id=record.request_id,
        credential=record.credential,
        call_id=record.call_id and redact_identifier(record.call_id),
        phone_number=record.phone_raw and redact_number(record.phone_raw),
        user_id=record.user_id and redact_identifier(record.user_id),
        customer=None if record.customer is None else dict(record.customer),
        trace=[dict(entry) for entry in record.trace],
        ms=record.ms,
    )
