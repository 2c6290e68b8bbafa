"""Users, queues and calls, as the Enreach API tells them.

Each field names its key on the wire (Enreach contract, section 4.2). Keys that are not named here are ignored, absent
optional keys are None. Names, addresses and numbers stay out of `repr`, so that they stay out of logs.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

__all__ = [
    "CallDirection",
    "CallRecord",
    "ClassifiedCall",
    "EnreachQueue",
    "EnreachUser",
    "OpenStatus",
    "QueueKind",
    "QueueStatus",
]


class QueueKind(StrEnum):
    """What a queue is for, by its `TypeId`."""

    USER_DIRECT = "user_direct"
    PERSONAL_WORK = "personal_work"
    SERVICE = "service"
    IVR = "ivr"
    SHORT_NUMBER = "short_number"
    TECHNICAL = "technical"
    OTHER = "other"
    """A number this service does not know."""


class OpenStatus(StrEnum):
    """Whether a queue takes calls, by its `OpenStatus`."""

    OPEN = "open"
    CLOSED = "closed"
    DYNAMIC = "dynamic"
    """Decided call by call, e.g. by opening hours or by who is there."""
    OTHER = "other"
    """A number this service does not know."""


class CallDirection(StrEnum):
    """Who began the call, seen from the user."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


_QUEUE_KINDS = {
    1: QueueKind.USER_DIRECT,
    2: QueueKind.PERSONAL_WORK,
    4: QueueKind.SERVICE,
    5: QueueKind.IVR,
    6: QueueKind.SHORT_NUMBER,
    7: QueueKind.TECHNICAL,
}
_OPEN_STATUSES = {
    0: OpenStatus.DYNAMIC,
    1: OpenStatus.CLOSED,
    2: OpenStatus.DYNAMIC,
    3: OpenStatus.CLOSED,
    4: OpenStatus.DYNAMIC,
    5: OpenStatus.OPEN,
    6: OpenStatus.DYNAMIC,
}


def _read_queue_kind(value: object) -> QueueKind:
    """Map a `TypeId`; whatever is not in the contract is `other`."""
    return _QUEUE_KINDS.get(_read_code(value), QueueKind.OTHER)


def _read_open_status(value: object) -> OpenStatus:
    """Map an `OpenStatus`; whatever is not in the contract is `other`."""
    return _OPEN_STATUSES.get(_read_code(value), OpenStatus.OTHER)


def _read_direction(value: object) -> CallDirection | None:
    """Map a `Direction`: 0 is inbound, anything else outbound, nothing is None."""
    if value is None:
        return None
    return CallDirection.INBOUND if _read_code(value) == 0 else CallDirection.OUTBOUND


def _read_answered(value: object) -> bool | None:
    """Map an `EndResult`: 0 is answered, anything else not, nothing is None."""
    return None if value is None else _read_code(value) == 0


def _read_text(value: object) -> object:
    """Trim text and take blank text for absent; numbers become their digits, other values are left to be refused."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (value.strip() or None) if isinstance(value, str) else value


def _read_texts(value: object) -> object:
    """Keep the non-blank texts of a list; an absent list is empty."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        return value
    return tuple(text for text in map(_read_text, value) if isinstance(text, str))


def _assume_utc(moment: datetime) -> datetime:
    """Give a time its zone: the API speaks UTC even where it does not say so (Enreach contract, section 4.5)."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read_code(value: object) -> int:
    """Read a code, also from text such as "4"; -1, which no table holds, for anything else."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


_Text = Annotated[str | None, BeforeValidator(_read_text)]
_Texts = Annotated[tuple[str, ...], BeforeValidator(_read_texts)]
_Id = Annotated[str, BeforeValidator(_read_text), Field(min_length=1)]
_Moment = Annotated[datetime, AfterValidator(_assume_utc)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnreachUser:
    """A user of Enreach Voice, the other half of a Dynamics user."""

    id: Annotated[_Id, Field(validation_alias="Id")]
    """The GUID that Dynamics keeps as the Enreach User Id."""
    email: Annotated[_Text, Field(validation_alias="UserName")] = field(default=None, repr=False)
    """The user name, which is the e-mail address to match by; its case is as it was typed."""
    organization_id: Annotated[_Text, Field(validation_alias="OrganizationID")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """How busy a queue was at the moment of asking. The wait is in seconds, by its magnitude; no source says so."""

    open_status: Annotated[OpenStatus, BeforeValidator(_read_open_status), Field(validation_alias="OpenStatus")]
    max_wait_seconds: Annotated[int | None, Field(validation_alias="MaxWaitTime")] = None
    queue_length: Annotated[int | None, Field(validation_alias="QueueLength")] = None
    """Callers waiting."""
    ongoing_calls: Annotated[int | None, Field(validation_alias="OngoingCalls")] = None
    agents_on_wrap_up: Annotated[int | None, Field(validation_alias="AgentsOnWrapUp")] = None
    free_agents: Annotated[int | None, Field(validation_alias="FreeAgents")] = None
    serving_agents: Annotated[int | None, Field(validation_alias="ServingAgents")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnreachQueue:
    """A place calls wait in, or a technical one of that shape; what rules call a queue destination."""

    id: Annotated[_Id, Field(validation_alias="Id")]
    kind: Annotated[QueueKind, BeforeValidator(_read_queue_kind), Field(validation_alias="TypeId")] = QueueKind.OTHER
    name: Annotated[_Text, Field(validation_alias="Name")] = None
    numbers: Annotated[_Texts, Field(validation_alias="Numbers")] = field(default=(), repr=False)
    status: Annotated[QueueStatus | None, Field(validation_alias="Status")] = None
    """None for queues that have no live state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One user's part in one call. Several records may share a `call_id` (Enreach contract, section 4.3)."""

    call_id: Annotated[_Id, Field(validation_alias=AliasChoices("CallId", "CallID"))]
    recorded_at: Annotated[_Moment | None, Field(validation_alias="TimeStamp")] = None
    started_at: Annotated[_Moment | None, Field(validation_alias="StartTime")] = None
    caller_number: Annotated[_Text, Field(validation_alias="ANum")] = field(default=None, repr=False)
    called_number: Annotated[_Text, Field(validation_alias="BNum")] = field(default=None, repr=False)
    user_name: Annotated[_Text, Field(validation_alias="UserName")] = field(default=None, repr=False)
    call_type: Annotated[_Text, Field(validation_alias="CallTypeString")] = None
    direction: Annotated[
        CallDirection | None, BeforeValidator(_read_direction), Field(validation_alias="Direction")
    ] = None
    duration_seconds: Annotated[float | None, Field(validation_alias="Duration", ge=0)] = None
    """The unit is taken from how public clients use it; no source states it."""
    answered: Annotated[bool | None, BeforeValidator(_read_answered), Field(validation_alias="EndResult")] = None
    recording_ids: Annotated[_Texts, Field(validation_alias="RecordingIds")] = ()
    answer_queue_id: Annotated[_Text, Field(validation_alias="AnswerQueueId")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedCall:
    """One user's part in one call, and what it is classified as."""

    record: CallRecord
    classification: str | None
    """`None` when the row says nothing; the key is not public, so it is asked for by name."""
