"""The events, and the rows of each: which plugin runs when, with what.

In each hundred the numbers 1 to 50 are for custom rows, and 51 to 100 for built-in ones (Enreach contract, section
3.8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from app.configurator.events.context import SESSION_EVENT

__all__ = [
    "DEFAULT_ROW_MS",
    "Event",
    "EventDocument",
    "EventRow",
    "RowStatus",
    "find_event",
    "is_built_in",
    "list_event_ids",
    "make_event",
]

_BUILT_IN: Final = (
    "identify-customer",
    "open-cases",
    "vip-check",
    "routing-explanation",
    "create-phone-call",
    "signed-webhook",
)
"""Every event has a row of each, from 51 on; the explanation comes before the activity that it is written to."""
_FIRST_BUILT_IN: Final = 51
_CUSTOM_HALF: Final = 50
DEFAULT_ROW_MS: Final = 2000
"""How long a row may take, in milliseconds."""
_EVENTS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "onclicktoact": ("Click-to-dial", frozenset({"open-cases", "vip-check"})),
    "customerSelected": ("Customer selected manually", frozenset({"open-cases", "vip-check"})),
    "call-incoming": ("Incoming call", frozenset({"identify-customer", "open-cases", "vip-check"})),
    "call-answered": ("Incoming call answered", frozenset()),
    "call-ended": ("Phone call ended", frozenset({"identify-customer", "routing-explanation", "create-phone-call"})),
    SESSION_EVENT: ("Before the session of an incoming call is made", frozenset()),
    "user-login": ("User login", frozenset()),
}
"""The vendor's ids, with what they are called and which built-in rows are active until somebody says otherwise."""


class RowStatus(StrEnum):
    """Whether a row runs."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class EventRow(BaseModel):
    """One row of an event."""

    model_config = ConfigDict(frozen=True)

    number: int
    plugin: str
    order: int
    """Rows run one by one, the lowest first; equal ones by number."""
    status: RowStatus
    parameters: dict[str, Any] = {}
    timeout_ms: int = DEFAULT_ROW_MS
    stop_on_error: bool = False

    @property
    def built_in(self) -> bool:
        """Whether the number is one of a built-in row."""
        return is_built_in(self.number)


class EventDocument(BaseModel):
    """What is kept of an event."""

    name: str = Field(max_length=100)
    rows: tuple[EventRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as it is now."""

    id: str
    name: str
    version: int
    """0 while nobody has changed it."""
    rows: tuple[EventRow, ...]
    """In the order in which they run."""

    @property
    def document(self) -> EventDocument:
        """What is kept of it."""
        return EventDocument(name=self.name, rows=self.rows)


def is_built_in(number: int) -> bool:
    """Tell on which side of its hundred a number is."""
    return (number - 1) % 100 >= _CUSTOM_HALF


def find_event(event_id: str) -> Event | None:
    """Return an event of the catalogue as it is before anybody changes it."""
    if event_id not in _EVENTS:
        return None
    return make_event(event_id, EventDocument(name=_EVENTS[event_id][0], rows=()), version=0)


def list_event_ids() -> list[str]:
    """List the events of the catalogue."""
    return list(_EVENTS)


def make_event(event_id: str, document: EventDocument, *, version: int) -> Event:
    """Make an event of what was kept, with the built-in rows that a later version of the program brought."""
    active = _EVENTS[event_id][1] if event_id in _EVENTS else frozenset()
    present = {row.number for row in document.rows}
    built_in = [
        EventRow(
            number=number,
            plugin=plugin,
            order=number,
            status=RowStatus.ACTIVE if plugin in active else RowStatus.INACTIVE,
        )
        for number, plugin in enumerate(_BUILT_IN, _FIRST_BUILT_IN)
        if number not in present
    ]
    rows = sorted((*document.rows, *built_in), key=lambda row: (row.order, row.number))
    return Event(id=event_id, name=document.name, version=version, rows=tuple(rows))
