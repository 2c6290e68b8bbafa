"""The tests that a ruleset carries: a call, who is calling, and what must come out; as frozen models."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AwareDatetime,
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StrictInt,
    field_validator,
)

from app.routing.callers import CallerKind, CallerStatus, Cause, MatchKind
from app.routing.calls import Scalar
from app.routing.documents import Part, refuse
from app.routing.facts import FactValue, Unknown, encode_facts
from app.routing.rule import MessageSpec, Name, TableName, check_fact

__all__ = [
    "AccountStub",
    "CallerStub",
    "CallsStub",
    "CaseStub",
    "Expectation",
    "ParentStub",
    "StoredTest",
]

_MAX_AGE_SECONDS = 100 * 366 * 86_400
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
Text = Annotated[str, Field(max_length=500)]


def _read_scalar(value: object) -> Scalar:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise refuse("wrong-value", "must be a text, a number, true, false or null")


ScalarValue = Annotated[Scalar, PlainValidator(_read_scalar, json_schema_input_type=Scalar)]


class UnknownStub(Part):
    """A fact whose source does not answer."""

    unknown: Cause
    detail: str = Field(default="", max_length=500)


class ParentStub(Part):
    """The account above the caller's company; what is not said is empty."""

    vip: StrictBool = False
    columns: dict[str, ScalarValue] = Field(default={})


class AccountStub(Part):
    """The caller's company; what is not said is empty."""

    id: Text = "00000000-0000-0000-0000-00000000000a"
    name: Text | None = None
    owner_agent: Text | None = None
    columns: dict[str, ScalarValue] = Field(default={})
    parent: ParentStub | None = None


class CaseStub(Part):
    """The caller's newest open case; what is not said is empty."""

    owner_agent: Text | None = None
    priority: StrictInt | None = None
    escalated: StrictBool = False
    age_hours: float = Field(default=0, ge=0, le=_MAX_AGE_SECONDS / 3600)
    columns: dict[str, ScalarValue] = Field(default={})


class CallsStub(Part):
    """How often the number called before."""

    last_hour: StrictInt = Field(default=0, ge=0)
    last_day: StrictInt = Field(default=0, ge=0)


class CallerStub(Part):
    """Who the CRM says is calling; what is not said is empty, so that a test needs to name only what matters."""

    status: CallerStatus = CallerStatus.IDENTIFIED
    cause: Cause | None = None
    detail: Text = ""
    kind: CallerKind = CallerKind.CONTACT
    id: Text = "00000000-0000-0000-0000-00000000000c"
    name: Text | None = None
    vip: StrictBool | None = False
    vip_reason: Text | None = None
    owner_agent: Text | None = None
    owner_agent_cause: Cause | None = None
    match: MatchKind = MatchKind.EXACT
    confidence: float | None = Field(default=None, ge=0, le=1)
    """Defaults to 1 for an exact match, and to 0.8 for a number block."""
    matches: StrictInt | None = Field(default=None, ge=0)
    """Defaults to one for a caller who was found."""
    age_seconds: float = Field(default=0, ge=0, le=_MAX_AGE_SECONDS)
    open_cases: StrictInt | None = Field(default=None, ge=0)
    open_cases_cause: Cause | None = None
    columns: dict[str, ScalarValue] = Field(default={})
    any_columns: dict[str, tuple[ScalarValue, ...]] = Field(default={})
    """Of an ambiguous caller, the values of each record."""
    account: AccountStub | None = None
    preferred_agent: Text | None = None
    case: CaseStub | None = None
    """The newest open case."""
    last_agent: Text | None = None
    callback_pending: StrictBool = False
    calls: CallsStub = CallsStub()
    last_destination: Text | None = None


class Expectation(Part):
    """What must come out; only what is said is compared, and `"rule": null` says that no rule matches."""

    rule: Text | None = None
    redirect: Text | None = None
    redirect_to_agent: Text | None = None
    """The agent's id, as the fact held it."""
    disconnect: StrictBool | None = None
    no_change: StrictBool | None = None
    on_fail: Text | None = None
    required_agent: Text | None = None
    preferred_agents: tuple[Text, ...] = ()
    priority: StrictInt | None = None
    extra_priority: StrictInt | None = None
    messages: tuple[MessageSpec, ...] = ()


def _read_fact(value: object) -> FactValue:
    if isinstance(value, dict):
        stub = UnknownStub.model_validate(value)
        return Unknown(stub.unknown, stub.detail)
    return _read_scalar(value)


def _write_fact(value: FactValue) -> object:
    return encode_facts({"": value})[""]


FactStub = Annotated[
    FactValue,
    PlainValidator(_read_fact, json_schema_input_type=Scalar | UnknownStub),
    PlainSerializer(_write_fact),
]


class StoredTest(Part):
    """One test; without `at` it happens on an ordinary Wednesday at noon in Helsinki."""

    name: str = Field(min_length=1, max_length=200)
    call: dict[str, JsonValue]
    """The call as the queue posts it."""
    caller: CallerStub | None = None
    """Without one, the CRM knows nobody with the number."""
    at: AwareDatetime | None = Field(default=None, ge=_EARLIEST, lt=_LATEST)
    """1970 to 2999, since time zones lead beyond what a machine can count near either end."""
    facts: dict[str, FactStub] = Field(default={})
    """Facts that are to be as given, whatever call, caller and clock say."""
    switches: dict[Name, StrictBool] = Field(default={})
    """The switches as they are to be; one that is not named is off."""
    tables: dict[TableName, dict[str, dict[str, ScalarValue]]] = Field(default={})
    """The rows of tables by key, each with its columns; a table that is not named is empty."""
    expect: Expectation

    @field_validator("facts")
    @classmethod
    def _check_facts(cls, facts: dict[str, FactValue]) -> dict[str, FactValue]:
        for name in facts:
            check_fact(name)
        return facts
