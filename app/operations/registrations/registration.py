"""An app registration: as it is entered, as Microsoft Graph tells of it, and how its secret is renewed."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.operations.registrations.store import Reading

__all__ = [
    "DAY_SECONDS",
    "AppRegistration",
    "KnownCredential",
    "KnownRegistration",
    "Noted",
    "RegisteredCredential",
    "Renewal",
    "TokenProof",
    "count_days",
]

DAY_SECONDS: Final = 86_400.0
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$")]
_Guid = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RegisteredCredential(_Part):
    """A client secret or certificate of a registration: when it ends, never what it is."""

    label: _Label = Field(description="Its description in Entra ID.", examples=["production 2026"])
    kind: Literal["secret", "certificate"] = "secret"
    expires_at: AwareDatetime = Field(description="`Expires` in Entra ID.", examples=["2030-03-01T00:00:00Z"])
    in_use: bool | None = Field(default=None, description="Whether something signs in with it; null: not known.")


class AppRegistration(_Part):
    """An app registration that Voice for Dynamics 365 signs in with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "used_by": "routing",
                    "application_id": "11111111-2222-3333-4444-555555555555",
                    "environment": "production",
                    "credentials": [{"label": "production 2028", "expires_at": "2098-03-01T00:00:00Z"}],
                }
            ]
        }
    )

    used_by: Literal["routing", "enreach-back-end", "sign-in"] = Field(
        description="This service, Enreach's back end, or people who sign in to this service."
    )
    application_id: _Guid = Field(
        description="Application (client) id.", examples=["11111111-2222-3333-4444-555555555555"]
    )
    environment: _Text | None = Field(
        default=None, description="The Dynamics environment it is for.", examples=["production"]
    )
    credentials: tuple[RegisteredCredential, ...] = Field(default=(), max_length=20)

    @field_validator("credentials")
    @classmethod
    def _require_own_labels(cls, credentials: tuple[RegisteredCredential, ...]) -> tuple[RegisteredCredential, ...]:
        if len({credential.label for credential in credentials}) < len(credentials):
            raise ValueError("must give each credential a label of its own")
        return credentials


class KnownCredential(BaseModel):
    """A credential as it was entered, or as Microsoft Graph tells of it."""

    label: str
    kind: Literal["secret", "certificate"]
    source: Literal["graph", "entered"] = Field(description="Where this is known from.")
    key_id: str | None = Field(default=None, description="`Secret ID` in Entra ID, which is not the secret.")
    starts_at: datetime | None = None
    expires_at: datetime | None = Field(description="Null: never.")
    in_use: bool | None = Field(description="Whether something signs in with it; null: not known.")


class Noted(_Part):
    """Something that was done, on a day, and who said so."""

    on: date
    who: str
    """The administrator's name."""


class TokenProof(_Part):
    """A token was obtained with a secret."""

    label: str
    """Of that secret."""
    at: AwareDatetime
    who: str


class Renewal(_Part):
    """What is known of replacing one credential by a new one, beyond what the list of credentials shows."""

    replaces: str
    """The label of the old one."""
    expires_at: AwareDatetime | None
    """When the old one ends."""
    environments: tuple[str, ...]
    """In which Enreach's back end signs in with it; empty: in none."""
    begun: Noted
    sent: Noted | None = None
    updated: dict[str, Noted] = {}
    """By environment."""
    token: TokenProof | None = None


@dataclass(frozen=True, slots=True)
class KnownRegistration:
    """A registration as it was entered, and what Microsoft Graph told of it, if anything."""

    entered: AppRegistration
    reading: Reading | None
    renewal: Renewal | None = None

    @property
    def application_id(self) -> str:
        """The application (client) id in small letters."""
        return self.entered.application_id.casefold()

    @property
    def credentials(self) -> list[KnownCredential]:
        """What both know, the one that expires first first; where both know a label, Graph's day counts."""
        entered = {each.label: each for each in self.entered.credentials}
        found: list[KnownCredential] = []
        for read in self.reading.credentials if self.reading else ():
            same = entered.pop(read.label, None)
            in_use = read.in_use or (same.in_use if same else None)
            found.append(KnownCredential(**read.model_dump(exclude={"in_use"}), in_use=in_use, source="graph"))
        found += [KnownCredential(**each.model_dump(), source="entered") for each in entered.values()]
        return sorted(found, key=lambda each: (each.expires_at is None, each.expires_at, each.label))


def count_days(credential: KnownCredential, now: float) -> int | None:
    """Return how many whole days are left; negative after the expiry, and `None` for one that never expires."""
    if credential.expires_at is None:
        return None
    return math.floor((credential.expires_at.timestamp() - now) / DAY_SECONDS)
