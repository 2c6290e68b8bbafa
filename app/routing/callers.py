"""Who is calling: the CRM records that carry a number, and what is concluded from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.routing.calls import Scalar
from app.routing.number_blocks import NumberBlock

__all__ = [
    "Account",
    "AccountRecord",
    "Caller",
    "CallerKind",
    "CallerStatus",
    "Cause",
    "LookUp",
    "Match",
    "MatchKind",
    "Selection",
]


class CallerStatus(StrEnum):
    """How far the look-up came."""

    IDENTIFIED = "identified"
    """One person or company; or several records that agree."""
    AMBIGUOUS = "ambiguous"
    """Several records share the number and disagree."""
    UNKNOWN = "unknown"
    """The CRM answered: nobody has this number. Also callers whose number cannot be looked up."""
    WITHHELD = "withheld"
    """The number was hidden, so nobody was asked."""
    UNAVAILABLE = "unavailable"
    """The CRM did not answer; the cause says why."""


class Cause(StrEnum):
    """Why something is not known."""

    TIMEOUT = "timeout"
    ERROR = "error"
    THROTTLED = "throttled"
    CIRCUIT_OPEN = "circuit_open"
    NOT_CONFIGURED = "not_configured"
    AMBIGUOUS = "ambiguous"
    """Several records match and the customer chose not to guess (facts only, never a caller's cause)."""
    NOT_FETCHED = "not_fetched"
    """The record was read before a rule asked for this column (facts only)."""


class CallerKind(StrEnum):
    """Which table the caller was found in."""

    CONTACT = "contact"
    ACCOUNT = "account"


class MatchKind(StrEnum):
    """How the caller's number led to the record."""

    EXACT = "exact"
    """The record carries the number."""
    BLOCK = "block"
    """An account carries the head of the number: a switchboard, behind which the caller has an extension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The company the caller belongs to, or is."""

    id: str
    name: str | None = None
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    """Values by logical name, as far as they were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The answer of a directory for one number."""

    status: CallerStatus
    cause: Cause | None = None
    """Set for status `unavailable` only."""
    detail: str = ""
    """What happened, or how several records became one caller: `Dataverse timed out at 1.2 s`. Nothing personal."""
    kind: CallerKind | None = None
    id: str | None = None
    name: str | None = None
    vip: bool | None = False
    """`None` when the records disagree and the customer chose not to guess."""
    vip_reason: str | None = None
    owner_agent: str | None = None
    """The Enreach user id of the Dynamics user who owns the record, or else its account."""
    owner_agent_cause: Cause | None = None
    """Why the owner's Enreach id is not known, when nothing tells it."""
    match: MatchKind = MatchKind.EXACT
    """Of a caller who was found."""
    confidence: float = 1.0
    """How much of the number led to the caller, 0 to 1: 1 for an exact match, less for a number block."""
    matches: int = 0
    """How many active records carry the number, or the block."""
    open_cases: int | None = None
    """`None` when no rule asks for it, so that it was not counted."""
    open_cases_cause: Cause | None = None
    """Why the cases are not known although a rule asked."""
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    """Of an ambiguous caller those on which all records agree."""
    any_columns: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """Of an ambiguous caller, each column with its values, one of each record that has the column."""
    account: Account | None = None
    as_of: float | None = None
    """When Dataverse said so, in seconds since the epoch; `None` when nobody was asked."""


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
    active: bool = True
    """Whether its state is active: one that is not makes nobody a VIP."""
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
    block: NumberBlock | None = None
    """What the matches carry in the place of the number, when no record carries the number itself."""
    open_cases: Mapping[str, int] | None = None
    """Active cases by contact or account id; `None` when not asked for, or when they could not be had."""
    open_cases_failed: bool = False
