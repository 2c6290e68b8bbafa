"""JSON bodies of the operators' endpoints."""

from datetime import date
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from app.auth.api_keys import NewKey
from app.operations.credentials import CredentialKind
from app.operations.store import AlertState, JobState
from app.settings import Role
from app.web.parameters import ShownTime

__all__ = [
    "AlertBody",
    "AuditPage",
    "AuditQuery",
    "CredentialBody",
    "ErasureBody",
    "ErasureReport",
    "JobBody",
    "JobSummary",
    "KeyBody",
    "KeyRequest",
    "NewKeyBody",
    "PurgeBody",
    "Purged",
    "ReceiverBody",
    "ReceiverList",
    "ReceiverTest",
    "RotationBody",
]

_MAX_OVERLAP = 30 * 86_400


class AlertBody(BaseModel):
    """Something that is or was wrong, from its beginning to its end."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    key: str = Field(description="What it is about; at most one alert of a key is open.", examples=["silence:SALES"])
    kind: str
    state: AlertState
    detail: dict[str, Any] = Field(description="`message` for people, and the numbers behind it.")
    opened_at: ShownTime
    acknowledged_by: str | None
    acknowledged_at: ShownTime | None
    cleared_at: ShownTime | None


class ReceiverBody(BaseModel):
    """Somebody who is told of alerts, and how that goes."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["night-shift"])
    kind: str = Field(description="`webhook`, `email`, `teams` or `slack`.")
    since: ShownTime | None = Field(description="Since when it is told; null until the next round, within seconds.")
    waiting: int = Field(description="Messages it has not taken yet; they are tried again for 30 days.")
    delivered_at: ShownTime | None
    failed_at: ShownTime | None
    error: str | None = Field(description="Why the last attempt failed; null when it did not.")


class ReceiverList(BaseModel):
    """All receivers, by name."""

    items: list[ReceiverBody]
    next: None = None


class ReceiverTest(BaseModel):
    """What came of a test message."""

    model_config = ConfigDict(from_attributes=True)

    receiver: str
    delivered: bool
    error: str | None


class JobSummary(BaseModel):
    """A piece of work, and how far it is."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str = Field(examples=["enreach-ids"])
    state: JobState
    author: str
    done: int
    total: int | None
    percent: float | None
    error: str | None
    created_at: ShownTime
    finished_at: ShownTime | None


class JobBody(JobSummary):
    """A piece of work, and what came of it."""

    result: JsonValue = Field(description="Null until it has ended.")


class AuditQuery(BaseModel):
    """Which records to list; all given conditions hold together."""

    model_config = ConfigDict(extra="forbid")

    who: str | None = Field(default=None, max_length=200)
    what: str | None = Field(default=None, max_length=100, examples=["role.assigned"])
    target: str | None = Field(default=None, max_length=200, examples=["user/50000000-0000-4000-8000-000000000001"])
    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, max_length=64, description="`next` of the page before.")


class AuditRecord(BaseModel):
    """One thing somebody did."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: ShownTime
    who: str = Field(description="The label of a key, or the subject of a token.")
    what: str
    target: str
    before: JsonValue
    after: JsonValue


class AuditPage(BaseModel):
    """Some records, newest first."""

    model_config = ConfigDict(from_attributes=True)

    items: list[AuditRecord]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")


class CredentialBody(BaseModel):
    """One key or Basic user, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    label: str
    kind: CredentialKind
    last_used: ShownTime | None = Field(description="Null: never, as far as is remembered.")
    retiring: date | None = Field(description="The day it is to be removed (SMARTROUTING_WEBHOOK__RETIRING).")


class PurgeBody(BaseModel):
    """Whom to look up anew. The number is in the body, since paths end up in logs."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"number": "+358501234567"}]})

    number: str | None = Field(default=None, max_length=50, description="One caller's full number.")
    all: bool = Field(default=False, description="Every caller; Dataverse will be asked for each of them again.")

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if self.all == (self.number is not None):
            raise ValueError("say either a number or all")
        return self


class Purged(BaseModel):
    """What is gone."""

    callers: int = Field(description="Entries removed from memory and from the last known callers of the store.")


class ErasureBody(BaseModel):
    """Whom to forget."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"number": "+358501234567"}]})

    number: str = Field(max_length=50, description="The full number.")


class ErasureReport(BaseModel):
    """What is gone."""

    number: str = Field(description="Masked.", examples=["+35850*****67"])
    erased: dict[str, int] = Field(
        description="Entries by place: drafts, revisions, results of jobs, audit, notes of confirmations, hand-off, "
        "calls of the shadow, decisions, rejected journal lines, remembered callers."
    )


class KeyBody(BaseModel):
    """A key without its text."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    label: str
    role: Role
    created_by: str
    created_at: ShownTime
    expires_at: ShownTime | None
    revoked_at: ShownTime | None
    last_used: ShownTime | None = Field(description="To the minute.")


class NewKeyBody(KeyBody):
    """A key at the only moment it can be seen."""

    key: str = Field(description="Keep it now: it is not shown again.")

    @classmethod
    def show(cls, made: NewKey) -> Self:
        """Take a new key."""
        return cls(**KeyBody.model_validate(made.kept).model_dump(), key=made.text)


class KeyRequest(BaseModel):
    """The key to make."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"label": "ci", "role": "Voice ApiUser"}]}
    )

    label: str = Field(min_length=1, max_length=60, pattern=r"^[\w .@-]+$", description="Who will use it.")
    role: Role
    expires_at: AwareDatetime | None = Field(default=None, description="With a time zone; null for never.")


class RotationBody(BaseModel):
    """How long the old key goes on working."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    overlap_seconds: int = Field(default=86_400, ge=0, le=_MAX_OVERLAP)
