"""App registrations and their credentials, as they are entered and read, and the alerts before these expire."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.errors import NotFoundError
from app.operations.alert_rules import FiringAlert
from app.operations.registrations.store import Reading, ReadingStore
from app.store.settings_documents import SettingsDocumentStore, Versioned, VersionedDocument

__all__ = [
    "WARNING_DAYS",
    "AppRegistration",
    "AppRegistrations",
    "KnownCredential",
    "KnownRegistration",
    "RegisteredCredential",
    "count_days",
]

WARNING_DAYS: Final = (90, 60, 30, 14, 7, 3, 1)
"""So many days before the expiry of a credential there is an alert, and one more after it."""

_DAY: Final = 86_400.0
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


@dataclass(frozen=True, slots=True)
class KnownRegistration:
    """A registration as it was entered, and what Microsoft Graph told of it, if anything."""

    entered: AppRegistration
    reading: Reading | None

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


class _Document(BaseModel):
    """All registrations, by name."""

    registrations: dict[str, AppRegistration] = {}


class AppRegistrations:
    """Keeps the registrations with their versions. Raises StoreError."""

    def __init__(self, *, documents: SettingsDocumentStore, readings: ReadingStore, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch."""
        self._document = VersionedDocument(
            store=documents,
            name="app-registrations",
            model=_Document,
            what="app_registrations.changed",
            target="app-registrations",
        )
        self._readings = readings
        self._clock = clock
        self._expiries: Mapping[str, float] = {}

    @property
    def expiries(self) -> Mapping[str, float]:
        """When each credential expires, in seconds since the epoch, as it was read last."""
        return self._expiries

    def read_clock(self) -> float:
        """Return the time that days are counted from, in seconds since the epoch."""
        return self._clock()

    async def read(self) -> tuple[Mapping[str, KnownRegistration], str]:
        """Return all of them by name, and the version to change them from."""
        found = await self._document.read()
        readings = await self._readings.load() if found.value.registrations else {}
        known = {
            name: KnownRegistration(each, readings.get(each.application_id.casefold()))
            for name, each in found.value.registrations.items()
        }
        return known, found.version

    async def get(self, name: str) -> tuple[KnownRegistration, str]:
        """Return one, and the version to change it from; raises NotFoundError."""
        registrations, version = await self.read()
        return _require(registrations, name), version

    async def put(self, name: str, registration: AppRegistration, *, version: str | None, who: str) -> str:
        """Add or replace one, and return the new version; raises PreconditionFailedError when somebody was faster."""
        found = await self._document.read()
        changed = found.value.registrations | {name: registration}
        return (await self._write(changed, found.version if version is None else version, who)).version

    async def remove(self, name: str, *, version: str, who: str) -> None:
        """Remove one, which ends its alerts; raises NotFoundError and PreconditionFailedError."""
        registrations, _ = await self.read()
        _require(registrations, name)
        kept = {key: known.entered for key, known in registrations.items() if key != name}
        await self._write(kept, version, who)

    async def refresh(self) -> None:
        """Read anew what metrics show of them."""
        registrations, _ = await self.read()
        self._expiries = {
            f"{name}/{credential.label}": credential.expires_at.timestamp()
            for name, registration in registrations.items()
            for credential in registration.credentials
            if credential.expires_at is not None
        }

    async def find_expiring(self) -> Sequence[FiringAlert]:
        """Fire for each credential that expires within the days of the warnings, or has expired."""
        registrations, _ = await self.read()
        return tuple(_find_expiring(registrations, self._clock()))

    async def _write(self, registrations: dict[str, AppRegistration], version: str, who: str) -> Versioned[_Document]:
        document = _Document(registrations=registrations)
        return await self._document.write(document, version=version, author=who, now=self._clock())


def count_days(credential: KnownCredential, now: float) -> int | None:
    """Return how many whole days are left; negative after the expiry, and `None` for one that never expires."""
    if credential.expires_at is None:
        return None
    return math.floor((credential.expires_at.timestamp() - now) / _DAY)


def _require(registrations: Mapping[str, KnownRegistration], name: str) -> KnownRegistration:
    if name not in registrations:
        raise NotFoundError("there is no such app registration; GET /admin/app-registrations lists them")
    return registrations[name]


def _find_expiring(registrations: Mapping[str, KnownRegistration], now: float) -> Iterator[FiringAlert]:
    """Find the credentials near or past their expiry; each warning has a subject of its own, so that it is told."""
    for name, registration in registrations.items():
        for credential in registration.credentials:
            if credential.expires_at is None:
                continue
            left = credential.expires_at.timestamp() - now
            passed = [days for days in WARNING_DAYS if left <= days * _DAY]
            if passed:
                day = credential.expires_at.astimezone(UTC).date()
                yield _describe(name, registration, credential, day, min(passed) if left > 0 else 0)


def _describe(
    name: str, registration: KnownRegistration, credential: KnownCredential, day: date, days: int
) -> FiringAlert:
    when = f"expires on {day}, in {days} {'day' if days == 1 else 'days'} or less" if days else f"expired on {day}"
    return FiringAlert(
        subject=f"{name}/{credential.label}:{days or 'expired'}",
        message=f'The {credential.kind} "{credential.label}" of the app registration {name} {when}: renew it.',
        facts={
            "registration": name,
            "used_by": registration.entered.used_by,
            "credential": credential.label,
            "expires_on": day.isoformat(),
            "days": days,
        },
    )
