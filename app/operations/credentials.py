"""The webhook's credentials: when each was last used, and which is about to go."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from app.operations.alert_rules import FiringAlert

__all__ = ["Credential", "CredentialKind", "Credentials"]

_WARNED_BEFORE = timedelta(days=14)
"""How long before its last day the use of a credential fires an alert."""
_STILL_USED = timedelta(days=3)
"""A credential used within this time is in use; queues that call less often than weekly are not met."""


class CredentialKind(StrEnum):
    """How it is presented."""

    API_KEY = "api_key"
    BASIC = "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One key or Basic user; the secret is not here."""

    label: str
    kind: CredentialKind
    last_used: float | None
    """Seconds since the epoch; `None` for never, as far as is remembered."""
    retiring: date | None
    """The day it is to be removed."""


class Credentials:
    """Tells which credentials are used, so that an old one can be removed once nobody uses it any more."""

    def __init__(
        self,
        *,
        kinds: Mapping[str, CredentialKind],
        retiring: Mapping[str, date],
        load: Callable[[], Awaitable[Mapping[str, float]]],
        read_own: Callable[[], Mapping[str, float]],
        clock: Callable[[], float],
    ) -> None:
        """`load` reads the uses that all processes have noted, `read_own` those of this one up to this moment."""
        self._kinds = dict(kinds)
        self._retiring = dict(retiring)
        self._load = load
        self._read_own = read_own
        self._clock = clock

    async def list_all(self) -> list[Credential]:
        """List every credential of the settings by label. Raises StoreError."""
        noted, own = await self._load(), self._read_own()
        return [
            Credential(
                label=label,
                kind=kind,
                last_used=max((uses[label] for uses in (noted, own) if label in uses), default=None),
                retiring=self._retiring.get(label),
            )
            for label, kind in sorted(self._kinds.items())
        ]

    async def find_retiring_in_use(self) -> Sequence[FiringAlert]:
        """Find credentials about to be removed, or overdue, that somebody still uses. Raises StoreError."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return [
            _describe(credential, credential.retiring, datetime.fromtimestamp(credential.last_used, UTC))
            for credential in await self.list_all()
            if credential.retiring is not None
            and credential.last_used is not None
            and now.date() >= credential.retiring - _WARNED_BEFORE
            and credential.last_used >= (now - _STILL_USED).timestamp()
        ]


def _describe(credential: Credential, day: date, used: datetime) -> FiringAlert:
    message = f"The credential {credential.label} is to be removed on {day} and was used on {used:%Y-%m-%d %H:%M} UTC."
    facts = {"label": credential.label, "retiring": day.isoformat(), "last_used": used.isoformat()}
    return FiringAlert(subject=credential.label, message=message, facts=facts)
