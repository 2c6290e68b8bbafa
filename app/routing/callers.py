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
    "OpenCase",
    "PhoneCalls",
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
    LEAD = "lead"
    """Only where leads are looked up, and neither a contact nor an account has the number."""


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
    related: Mapping[str, Scalar] = field(default_factory=dict)
    """Facts about what belongs to the caller, by name: those that the rules asked for and Dataverse told."""
    related_causes: Mapping[str, Cause] = field(default_factory=dict)
    """Why the others that the rules asked for are not known."""
    case_since: float | None = None
    """When the newest open case was created, in seconds since the epoch; `None` without one, or when nobody asked."""
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
    users: Mapping[str, str] = field(default_factory=dict)
    """Columns that look up a user, with the `systemuserid`; in `columns` they are empty."""
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
    users: Mapping[str, str] = field(default_factory=dict)
    account: AccountRecord | None = None
    """A contact's company; for a match of kind `account` the account itself."""
    modified_at: float = 0.0
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase:
    """A case that is active."""

    created_at: float
    """Seconds since the epoch."""
    priority: int | None = None
    """`prioritycode`: 1 high, 2 normal, 3 low, unless the organisation has its own."""
    escalated: bool = False
    owner_id: str | None = None
    owner_agent: str | None = None
    columns: Mapping[str, Scalar] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCalls:
    """What the phone-call activities about one contact or account say."""

    last_owner_id: str | None = None
    """The user who owns the one that ended last."""
    pending: bool = False
    """Whether one is open: somebody is to call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a look-up must bring along beyond what it always does; follows from the published rules."""

    contact_columns: frozenset[str] = frozenset()
    account_columns: frozenset[str] = frozenset()
    """Of the company and of those above it."""
    case_columns: frozenset[str] = frozenset()
    """Of the newest open case."""
    open_cases: bool = False
    related: frozenset[str] = frozenset()
    """Facts about what belongs to the caller, by name."""

    @property
    def parents(self) -> int:
        """How many accounts above the caller's company the rules read."""
        return int(any(name.startswith("account.parent.") for name in self.related))

    @property
    def newest_case(self) -> bool:
        """Whether the newest open case is read, and not only how many there are."""
        return any(name.startswith("caller.case.") for name in self.related)

    @property
    def phone_calls(self) -> bool:
        """Whether phone-call activities are read."""
        return not self.related.isdisjoint({"caller.last_agent", "caller.callback_pending"})

    @property
    def users(self) -> bool:
        """Whether the rules read users besides owners, whose Enreach ids no question brings along."""
        columns = self.contact_columns | self.account_columns | self.case_columns
        return "caller.last_agent" in self.related or any(column.startswith("_") for column in columns)

    def covers(self, other: "Selection") -> bool:
        """Tell whether what was read by this selection has everything that the other one names."""
        return (
            self.contact_columns >= other.contact_columns
            and self.account_columns >= other.account_columns
            and self.case_columns >= other.case_columns
            and self.open_cases >= other.open_cases
            and self.related >= other.related
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Everything Dataverse said about one number."""

    matches: tuple[Match, ...]
    block: NumberBlock | None = None
    """What the matches carry in the place of the number, when no record carries the number itself."""
    open_cases: Mapping[str, int] | None = None
    """Active cases by contact or account id; `None` when not asked for, or when they could not be had."""
    open_cases_failed: bool = False
    newest_cases: Mapping[str, OpenCase] = field(default_factory=dict)
    """The active case that was created last, by contact or account id."""
    phone_calls: Mapping[str, PhoneCalls] | None = None
    """By contact or account id; `None` when not asked for, or when they could not be had."""
    failure: Cause = Cause.ERROR
    """Why cases or phone calls could not be had, when they could not."""
