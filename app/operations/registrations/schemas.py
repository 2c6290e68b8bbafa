"""What routes show of app registrations."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.operations.registrations.registrations import KnownCredential, KnownRegistration, count_days
from app.web.parameters import show_time

__all__ = ["CredentialState", "GraphState", "RegistrationBody"]

_ENTER = "set SMARTROUTING_GRAPH__URL, or enter the days by hand"


class CredentialState(KnownCredential):
    """A secret or certificate, and how long it lasts."""

    days_left: int | None = Field(description="Whole days; negative after the expiry, null for one that never ends.")


class GraphState(BaseModel):
    """What became of reading it from Microsoft Graph."""

    state: Literal["read", "failed", "waiting", "not-configured"]
    read_at: datetime | None = Field(description="Since when this is what Graph told; null: it has told nothing.")
    name: str | None = Field(description="What the app registration is called in Entra ID.")
    reason: str | None = Field(description="Why it was not read.")
    remedy: str | None


class RegistrationBody(BaseModel):
    """An app registration, and how long its credentials last."""

    name: str
    used_by: str
    application_id: str
    environment: str | None
    credentials: list[CredentialState] = Field(description="What expires first comes first.")
    graph: GraphState

    @classmethod
    def of(cls, name: str, known: KnownRegistration, now: float, *, reads: bool) -> "RegistrationBody":
        """Show one; `reads` tells whether anything is read from Graph."""
        return cls(
            name=name,
            **known.entered.model_dump(exclude={"credentials"}),
            credentials=[
                CredentialState(**each.model_dump(), days_left=count_days(each, now)) for each in known.credentials
            ],
            graph=_describe_reading(known, reads=reads),
        )


def _describe_reading(known: KnownRegistration, *, reads: bool) -> GraphState:
    reading = known.reading
    read_at, name = (show_time(reading.read_at), reading.name or None) if reading else (None, None)
    if not reads:
        reason = "Microsoft Graph is not asked"
        return GraphState(state="not-configured", read_at=read_at, name=name, reason=reason, remedy=_ENTER)
    if reading is None:
        return GraphState(state="waiting", read_at=None, name=None, reason="it is read within a minute", remedy=None)
    return GraphState(
        state="failed" if reading.reason else "read",
        read_at=read_at,
        name=name,
        reason=reading.reason or None,
        remedy=reading.remedy or None,
    )
