"""JSON bodies of go-live readiness and the hand-off."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from app.operations.golive.handoff import Contact, HandoffQueue
from app.operations.golive.readiness import Item, ReadinessState, is_ready
from app.operations.golive.sheet import Sheet
from app.web.parameters import ShownTime

__all__ = ["HandoffBody", "KeyChoice", "ReadinessBody", "ShownKeyBody"]


class ReadinessItem(BaseModel):
    """One thing that must be right before the first real call."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(examples=["public-url"])
    state: ReadinessState
    reason: str
    remedy: str = Field(description="What to do; empty when nothing is.")
    looked_at: ShownTime


class ReadinessBody(BaseModel):
    """Whether real calls may come."""

    ready: bool = Field(description="Every item is `ok` or `not-needed`.")
    items: list[ReadinessItem]
    next: None = None

    @classmethod
    def of(cls, items: tuple[Item, ...]) -> "ReadinessBody":
        """Show what was found."""
        return cls(ready=is_ready(items), items=[ReadinessItem.model_validate(item) for item in items])


class HandoffWebhook(BaseModel):
    """How this service is called."""

    model_config = ConfigDict(from_attributes=True)

    method: str
    url: str | None
    content_type: str
    authentication: list[str] = Field(description="Each way, with the label of the key; never the key.")
    deadline_ms: int
    queue_timeout_seconds: int
    no_change_status: int
    response_keys: list[str]
    networks: list[str] = Field(description="Requests from elsewhere are refused; empty: from anywhere.")


class HandoffBody(BaseModel):
    """What Enreach needs to set the queues up, and what to ask them."""

    complete: bool = Field(description="Nothing that a set-up of queues needs is blank.")
    missing: list[str] = Field(description="What is blank.")
    public_url: str | None
    queues: list[HandoffQueue]
    contacts: list[Contact]
    test_numbers: list[str]
    agreed_date: date | None
    confirmed_response_keys: list[str]
    webhook: HandoffWebhook
    questions: list[str]

    @classmethod
    def of(cls, sheet: Sheet) -> "HandoffBody":
        """Show a sheet."""
        return cls(
            **sheet.handoff.model_dump(),
            complete=not sheet.missing,
            missing=list(sheet.missing),
            webhook=HandoffWebhook.model_validate(sheet.webhook),
            questions=list(sheet.questions),
        )


class KeyChoice(BaseModel):
    """Which key of the webhook to show."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"label": "demo"}]})

    label: str = Field(max_length=200, description="Its label in SMARTROUTING_WEBHOOK__API_KEYS.")


class ShownKeyBody(BaseModel):
    """A key at the only moment it can be seen."""

    model_config = ConfigDict(from_attributes=True)

    label: str
    key: str = Field(description="Hand it over now, by a safe way: it is not shown again.")
