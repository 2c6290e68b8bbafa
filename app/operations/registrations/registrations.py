"""Keeps app registrations and what is being renewed of them, and tells when their credentials expire."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import Final, TypeVar

from pydantic import BaseModel

from app.errors import NotFoundError
from app.operations.alert_rules import FiringAlert
from app.operations.registrations.registration import (
    DAY_SECONDS,
    AppRegistration,
    KnownCredential,
    KnownRegistration,
    Renewal,
)
from app.operations.registrations.store import ReadingStore
from app.store.settings_documents import SettingsDocumentStore, Versioned, VersionedDocument

__all__ = ["WARNING_DAYS", "AppRegistrations"]

WARNING_DAYS: Final = (90, 60, 30, 14, 7, 3, 1)
"""So many days before the expiry of a credential there is an alert, and one more after it."""
Value = TypeVar("Value")


class _Document(BaseModel):
    """All registrations and what is being renewed of them, by name."""

    registrations: dict[str, AppRegistration] = {}
    renewals: dict[str, Renewal] = {}


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
        renewals = found.value.renewals
        known = {
            name: KnownRegistration(each, readings.get(each.application_id.casefold()), renewals.get(name))
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
        changed = {"registrations": found.value.registrations | {name: registration}}
        return await self._write(found, changed, version, who)

    async def put_renewal(self, name: str, renewal: Renewal | None, *, version: str | None, who: str) -> str:
        """Keep what is known of a renewal, or forget it; the same as for `put`."""
        found = await self._document.read()
        others = _leave_out(found.value.renewals, name)
        changed = {"renewals": others if renewal is None else others | {name: renewal}}
        return await self._write(found, changed, version, who)

    async def remove(self, name: str, *, version: str, who: str) -> None:
        """Remove one, which ends its alerts; raises NotFoundError and PreconditionFailedError."""
        found = await self._document.read()
        _require(found.value.registrations, name)
        changed = {
            "registrations": _leave_out(found.value.registrations, name),
            "renewals": _leave_out(found.value.renewals, name),
        }
        await self._write(found, changed, version, who)

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

    async def _write(
        self, found: Versioned[_Document], changed: Mapping[str, object], version: str | None, who: str
    ) -> str:
        document = found.value.model_copy(update=changed)
        written = await self._document.write(
            document, version=found.version if version is None else version, author=who, now=self._clock()
        )
        return written.version


def _leave_out(some: Mapping[str, Value], name: str) -> dict[str, Value]:
    return {key: value for key, value in some.items() if key != name}


def _require(registrations: Mapping[str, Value], name: str) -> Value:
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
            passed = [days for days in WARNING_DAYS if left <= days * DAY_SECONDS]
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
