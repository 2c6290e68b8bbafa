"""What a plugin sees of an event, and what it may change (Enreach contract, section 3.8)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

__all__ = [
    "SESSION_EVENT",
    "Customer",
    "EventContext",
    "ForbiddenChangeError",
    "SearchResultRow",
    "SearchResults",
    "accept_changes",
    "dump_context",
    "read_record_id",
]

SESSION_EVENT: Final = "beforeCreateInboundCallSession"
"""The one event whose plugins may change what session the client opens."""
_SESSION_KEYS: Final = frozenset({"sessionParameters", "sessionTemplateId"})
_CHANGEABLE: Final = frozenset({"customer", "customerSearchResults"})
_CALL_ID: Final = "serverSideCallId"
_MAX_CALL_ID: Final = 200


class ForbiddenChangeError(ValueError):
    """A plugin changed what no plugin may change; the message names the place."""


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


def read_record_id(text: str) -> str:
    """Return the id of a row of Dataverse, without braces around it; raises ValueError."""
    try:
        return str(UUID(text.strip()))
    except ValueError as error:
        raise ValueError("is no GUID") from error


RecordId = Annotated[str, AfterValidator(read_record_id)]
_Text = Annotated[str, Field(max_length=200)]


class Customer(_Part):
    """The customer of the call."""

    logical_name: Literal["contact", "account"]
    id: RecordId
    name: _Text | None = None


class SearchResultRow(_Part):
    """One of several records that carry the number."""

    id: RecordId
    name: _Text | None = None
    type: Literal["contact", "account"]
    field_values: tuple[_Text | None, ...] = ()
    """One for each column header."""
    icon_path: _Text | None = None
    hidden: bool = False
    """Not offered to the agent; one visible row that is left counts as a single match."""


class SearchResults(_Part):
    """What the client lists when several records carry the number."""

    column_headers: Annotated[tuple[_Text, ...], Field(max_length=2)] = ()
    """In the place of the client's columns Address and City."""
    rows: Annotated[tuple[SearchResultRow, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _require_equal_columns(self) -> Self:
        if any(len(row.field_values) != len(self.column_headers) for row in self.rows):
            raise ValueError("every row needs as many fieldValues as there are columnHeaders")
        return self


class EventContext(_Part):
    """The plugin context. Keys that are not known here are handed on as they came."""

    model_config = ConfigDict(extra="allow")

    event_id: _Text = ""
    call_started: bool = False
    call_in_progress: bool = False
    customer: Customer | None = None
    direction: Literal[0, 1] = 0
    """0 for an incoming call, 1 for an outgoing one."""
    user_id: _Text | None = None
    """The agent's id in Enreach."""
    crm_user_id: _Text | None = None
    """The agent's id in Dynamics."""
    phone_number: _Text | None = None
    """The other party's."""
    is_dirty: bool = False
    call_initiated_from: dict[str, JsonValue] | None = None
    customer_search_results: SearchResults | None = None
    event_data: dict[str, JsonValue] = {}
    """The client's call object; `serverSideCallId` is Enreach's id of the whole call."""
    results: dict[str, JsonValue] = {}
    """Of this service: what plugins found, by the id of the plugin."""

    @property
    def call_id(self) -> str | None:
        """Enreach's id of the whole call (Enreach contract, section 4.3)."""
        found = self.event_data.get(_CALL_ID)
        return found if isinstance(found, str) and 0 < len(found) <= _MAX_CALL_ID else None

    def with_result(self, plugin: str, found: Mapping[str, JsonValue]) -> Self:
        """Return a copy with what a plugin found."""
        return self.model_copy(update={"results": {**self.results, plugin: dict(found)}})


def dump_context(context: EventContext) -> dict[str, Any]:
    """Write a context as JSON values: what came, and what plugins set."""
    return context.model_dump(mode="json", by_alias=True, exclude_unset=True)


def accept_changes(before: EventContext, after: EventContext, plugin: str) -> tuple[EventContext, list[str]]:
    """Return the context after a plugin, and the keys it changed.

    Raises ForbiddenChangeError when it changed anything but the customer, the search results, its own results and,
    before a session is made, the session.
    """
    old, new = (context.model_dump(mode="json", by_alias=True) for context in (before, after))
    changed = [key for key, value in new.items() if value != old.get(key)]
    for key in changed:
        if not _may_change(key, old.get(key), new[key], event=before.event_id, plugin=plugin):
            raise ForbiddenChangeError(f"changed /{key}, which it may not")
    attributes = [name for name in EventContext.model_fields if to_camel(name) in changed]
    return before.model_copy(update={name: getattr(after, name) for name in attributes}), changed


def _may_change(key: str, old: Any, new: Any, *, event: str, plugin: str) -> bool:
    if key == "results":
        return _leave_out(old, {plugin}) == _leave_out(new, {plugin})
    if key == "eventData":
        return event == SESSION_EVENT and _leave_out(old, _SESSION_KEYS) == _leave_out(new, _SESSION_KEYS)
    return key in _CHANGEABLE


def _leave_out(members: Mapping[str, Any] | None, names: frozenset[str] | set[str]) -> dict[str, Any]:
    return {name: value for name, value in (members or {}).items() if name not in names}
