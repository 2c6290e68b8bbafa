"""Users, queues, directory entries and calls, as the Enreach API tells them.

Each field names its key on the wire (Enreach contract, section 4.2). Keys that are not named here are ignored, absent
optional keys are None. Names, addresses and numbers stay out of `repr`, so that they stay out of logs.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field

from app.enreach.codes import (
    CallDirection,
    OpenStatus,
    QueueKind,
    assume_utc,
    read_answered,
    read_direction,
    read_open_status,
    read_queue_kind,
    read_text,
    read_texts,
)

__all__ = ["CallRecord", "DirectoryEntry", "DirectoryRef", "EnreachQueue", "EnreachUser", "QueueStatus"]

_Text = Annotated[str | None, BeforeValidator(read_text)]
_Texts = Annotated[tuple[str, ...], BeforeValidator(read_texts)]
_Id = Annotated[str, BeforeValidator(read_text), Field(min_length=1)]
_Moment = Annotated[datetime, AfterValidator(assume_utc)]


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

    open_status: Annotated[OpenStatus, BeforeValidator(read_open_status), Field(validation_alias="OpenStatus")]
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
    kind: Annotated[QueueKind, BeforeValidator(read_queue_kind), Field(validation_alias="TypeId")] = QueueKind.OTHER
    name: Annotated[_Text, Field(validation_alias="Name")] = None
    numbers: Annotated[_Texts, Field(validation_alias="Numbers")] = field(default=(), repr=False)
    status: Annotated[QueueStatus | None, Field(validation_alias="Status")] = None
    """None for queues that have no live state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRef:
    """One directory of the organisation, to list entries from."""

    id: Annotated[_Id, Field(validation_alias="ID")]
    name: Annotated[_Text, Field(validation_alias="Name")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """A person or a queue in a directory, with the numbers calls can go to."""

    id: Annotated[_Id, Field(validation_alias="Id")]
    first_name: Annotated[_Text, Field(validation_alias="FirstName")] = field(default=None, repr=False)
    last_name: Annotated[_Text, Field(validation_alias="LastName")] = field(default=None, repr=False)
    email: Annotated[_Text, Field(validation_alias="Email")] = field(default=None, repr=False)
    work_number: Annotated[_Text, Field(validation_alias="WorkNumber")] = field(default=None, repr=False)
    mobile_number: Annotated[_Text, Field(validation_alias="MobileNumber")] = field(default=None, repr=False)
    other_number: Annotated[_Text, Field(validation_alias="OtherNumber")] = field(default=None, repr=False)
    description: Annotated[_Text, Field(validation_alias="Description")] = field(default=None, repr=False)
    company: Annotated[_Text, Field(validation_alias="Company")] = None
    subcompany: Annotated[_Text, Field(validation_alias="Subcompany")] = None
    location: Annotated[_Text, Field(validation_alias="Location")] = None
    department: Annotated[_Text, Field(validation_alias="Department")] = None
    queue_id: Annotated[_Text, Field(validation_alias="QueueId")] = None
    """Set when the entry is a queue."""


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
    direction: Annotated[CallDirection | None, BeforeValidator(read_direction), Field(validation_alias="Direction")] = (
        None
    )
    duration_seconds: Annotated[float | None, Field(validation_alias="Duration", ge=0)] = None
    """The unit is taken from how public clients use it; no source states it."""
    answered: Annotated[bool | None, BeforeValidator(read_answered), Field(validation_alias="EndResult")] = None
    recording_ids: Annotated[_Texts, Field(validation_alias="RecordingIds")] = ()
    answer_queue_id: Annotated[_Text, Field(validation_alias="AnswerQueueId")] = None
