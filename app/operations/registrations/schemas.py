"""What routes show of app registrations."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.operations.registrations.registration import KnownCredential, KnownRegistration, Renewal, count_days
from app.operations.registrations.renewals import RenewalStep, list_steps
from app.web.parameters import show_time

__all__ = [
    "CredentialState",
    "GraphState",
    "NewSecret",
    "RegistrationBody",
    "RenewalBody",
    "RenewalPlan",
    "SentNote",
    "UpdatedNote",
]

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


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RenewalPlan(_Sent):
    """What is to be renewed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"replaces": "production 2028", "environments": ["production"]}]}
    )
    replaces: str = Field(min_length=1, max_length=120, description="The label of the old one.")
    environments: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default=[],
        max_length=20,
        description="Those in which Enreach's back end signs in with it; left out: the registration's own, where "
        "`used_by` is `enreach-back-end`, else none.",
    )


class SentNote(_Sent):
    """The new secret was sent to Enreach."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"on": "2026-03-01"}]})
    on: date | None = Field(default=None, description="The day, in UTC; left out: today.")


class UpdatedNote(SentNote):
    """Enreach has updated its back end."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"environment": "production", "on": "2026-03-02"}]})
    environment: str = Field(min_length=1, max_length=200)


class NewSecret(_Sent):
    """A secret to try."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"secret": "the-new-secret"}]})
    secret: SecretStr | None = Field(
        default=None,
        max_length=200,
        description="The new one, which is tried and forgotten; left out: the one this service signs in with.",
    )


class RenewalBody(BaseModel):
    """A renewal as a checklist."""

    name: str
    replaces: str
    expires_at: datetime | None = Field(description="When the old one ends.")
    begun_on: date
    closed: bool = Field(description="Whether there is proof of every step.")
    steps: list[RenewalStep]

    @classmethod
    def of(cls, name: str, known: KnownRegistration, renewal: Renewal) -> "RenewalBody":
        """Show one."""
        steps = list_steps(known, renewal)
        return cls(
            name=name,
            replaces=renewal.replaces,
            expires_at=renewal.expires_at,
            begun_on=renewal.begun.on,
            closed=all(step.state != "open" for step in steps),
            steps=steps,
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
