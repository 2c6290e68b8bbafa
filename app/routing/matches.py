"""CRM records that carry a caller's number, before anybody judged who is calling."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.routing.callers import CallerKind
from app.routing.calls import Scalar

__all__ = ["AccountRecord", "LookUp", "Match", "Selection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """An account with its chain of parents, as far as it was read."""

    id: str
    name: str | None = None
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    owner_id: str | None = None
    """The `systemuserid` of the owner; `None` when a team owns it."""
    owner_agent: str | None = None
    """The owner's Enreach user id, when a column of the user record holds it."""
    parent: "AccountRecord | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One active record with the caller's number; every phone value was compared as E.164."""

    kind: CallerKind
    id: str
    name: str | None = None
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    owner_id: str | None = None
    owner_agent: str | None = None
    account: AccountRecord | None = None
    """A contact's company; for a match of kind `account` the account itself."""
    modified_at: float = 0.0
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a look-up must bring along beyond what it always does; follows from the published rules."""

    contact_columns: frozenset[str] = frozenset()
    account_columns: frozenset[str] = frozenset()
    open_cases: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Everything Dataverse said about one number."""

    matches: tuple[Match, ...]
    open_cases: Mapping[str, int] | None = None
    """Active cases by contact or account id; `None` when not asked for, or when they could not be had."""
    open_cases_failed: bool = False
