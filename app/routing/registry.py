"""The closed vocabulary of facts: their names, types and meaning."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "AGENTS",
    "COLUMN_TABLES",
    "FACTS",
    "FAMILIES",
    "QUEUES",
    "RECENT_CALLS",
    "ROTAS",
    "FactSource",
    "FactSpec",
    "FactType",
    "find_fact",
    "is_related",
    "suggest",
]


class FactType(StrEnum):
    """What values a fact can have, apart from none."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    """A time of day, `HH:MM` on a 24-hour clock."""
    ANY = "any"
    """Whatever the column or the parameter holds."""


class FactSource(StrEnum):
    """Who tells a fact."""

    CALL = "call"
    """The queue: always known."""
    CALLER = "caller"
    """The CRM: unknown when it does not answer."""
    CLOCK = "clock"
    """The moment of the call: always known."""
    CALENDAR = "calendar"
    """The opening hours and rotas in the ruleset: unknown without such a one."""
    SWITCH = "switch"
    """Administrators: unknown while there is no such switch."""
    TABLE = "table"
    """Administrators: unknown while there is no such table or column, and like the fact that finds the row."""
    LOG = "log"
    """Our own decision log: unknown while it cannot be read."""
    QUEUE = "queue"
    """Enreach, asked beside calls: unknown when that is off, or too long ago."""


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact a rule may test, or a family of facts when the name ends with a dot."""

    name: str
    type: FactType
    source: FactSource
    label: str
    description: str
    values: tuple[str, ...] = ()
    """The only values it can have, when they are few."""
    agent: bool = False
    """Whether it can hold an Enreach user id."""
    personal: bool = False
    """Whether its value may tell who somebody is, so that explanations leave it out."""
    many: bool = False
    """Whether it holds a value of each record, so that a comparison is true when it is of one of them."""
    related: bool = False
    """Whether it is about what belongs to the caller, and read only while a published rule asks for it."""


_TEXT, _NUMBER, _BOOLEAN, _TIME, _ANY = FactType
_CALL, _CALLER, _CLOCK, _CALENDAR, _SWITCH, _TABLE, _LOG, _QUEUE = FactSource
COLUMN_TABLES = {
    "caller.columns.": "contact",
    "caller.any.columns.": "contact",
    "account.columns.": "account",
    "account.parent.columns.": "account",
    "caller.case.columns.": "incident",
}
"""The table of each family of facts that are columns, as Dataverse calls it."""
RECENT_CALLS = frozenset({"caller.calls.last_hour", "caller.calls.last_day", "caller.last_destination"})
"""The facts that the decision log tells."""
AGENTS = "agent.available."
"""The prefix of facts that tell whether an agent takes calls; the fact that holds the agent follows."""
QUEUES = "queue."
"""The prefix of facts that tell how busy the queue of a destination is."""
ROTAS = "rota."
"""The prefix of facts that tell who is on call."""
TABLES, MEMBERS = "table.", "in_table."
"""The prefixes of facts that tell a column of a row, and whether there is a row; no rule names the second."""
SWITCHES = "switch."
"""The prefix of facts that tell whether a switch is on."""
_STATUSES = ("identified", "ambiguous", "unknown", "withheld", "unavailable")
_KINDS = ("contact", "account", "lead")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_SPECS = (
    FactSpec("call.caller", _TEXT, _CALL, "Caller's number", "In E.164, or a short internal number.", personal=True),
    FactSpec("call.called", _TEXT, _CALL, "Called number", "In E.164, or a short internal number."),
    FactSpec("call.country", _TEXT, _CALL, "Caller's country", "ISO 3166-1 code of the caller's number, e.g. FI."),
    FactSpec("call.id", _TEXT, _CALL, "Call id", "The platform-wide id of the call."),
    FactSpec("call.target_id", _TEXT, _CALL, "Target id", "The tag agreed with Enreach, e.g. SALES_QUEUE."),
    FactSpec("call.queue_id", _TEXT, _CALL, "Queue id", "The queue the call is in now."),
    FactSpec("call.user_id", _TEXT, _CALL, "User id", "The user the call is with now.", agent=True),
    FactSpec("call.culture", _TEXT, _CALL, "Language", "The caller's language as the queue sends it, e.g. en-GB."),
    FactSpec("call.internal", _BOOLEAN, _CALL, "Internal call", "Whether a colleague is calling."),
    FactSpec("call.withheld", _BOOLEAN, _CALL, "Number withheld", "Whether the caller's number is hidden."),
    FactSpec("caller.status", _TEXT, _CALLER, "Caller status", "How far the look-up came.", values=_STATUSES),
    FactSpec("caller.kind", _TEXT, _CALLER, "Caller kind", "Where it was found.", values=_KINDS),
    FactSpec("caller.id", _TEXT, _CALLER, "Caller id", "The id of the contact or account.", personal=True),
    FactSpec("caller.name", _TEXT, _CALLER, "Caller name", "The name of the contact or account.", personal=True),
    FactSpec("caller.vip", _BOOLEAN, _CALLER, "VIP", "Whether the caller is a VIP by the configured criteria."),
    FactSpec("caller.vip_reason", _TEXT, _CALLER, "VIP reason", "Which criterion makes the caller a VIP."),
    FactSpec(
        "caller.owner_agent",
        _TEXT,
        _CALLER,
        "Account manager",
        "The Enreach user id of the Dynamics user who owns the caller's record.",
        agent=True,
    ),
    FactSpec(
        "caller.match",
        _TEXT,
        _CALLER,
        "Match",
        "Whether a record carries the number itself, or a company the number block it lies in.",
        values=("exact", "block"),
    ),
    FactSpec(
        "caller.confidence",
        _NUMBER,
        _CALLER,
        "Confidence",
        "How much of the number led to the caller: 1 for an exact match, less for a number block, 0 for nobody.",
    ),
    FactSpec("caller.matches", _NUMBER, _CALLER, "Matches", "How many active records carry the number, or the block."),
    FactSpec(
        "caller.explanation",
        _TEXT,
        _CALLER,
        "Explanation",
        "How several records became one caller, and which inactive account does not count.",
    ),
    FactSpec("caller.age_seconds", _NUMBER, _CALLER, "Age of the answer", "Seconds since the CRM told it."),
    FactSpec("caller.open_cases", _NUMBER, _CALLER, "Open cases", "How many active cases the caller has."),
    FactSpec(
        "caller.preferred_agent",
        _TEXT,
        _CALLER,
        "Preferred agent",
        "The Enreach user id of the caller's preferred user, else of the company's.",
        agent=True,
        related=True,
    ),
    FactSpec(
        "caller.case.owner_agent",
        _TEXT,
        _CALLER,
        "Case owner",
        "The Enreach user id of the user who owns the newest open case.",
        agent=True,
        related=True,
    ),
    FactSpec(
        "caller.case.priority",
        _NUMBER,
        _CALLER,
        "Case priority",
        "Of the newest open case: 1 high, 2 normal, 3 low.",
        related=True,
    ),
    FactSpec(
        "caller.case.escalated",
        _BOOLEAN,
        _CALLER,
        "Case escalated",
        "Whether the newest open case is escalated.",
        related=True,
    ),
    FactSpec(
        "caller.case.age_hours",
        _NUMBER,
        _CALLER,
        "Case age",
        "Hours since the newest open case was created.",
        related=True,
    ),
    FactSpec(
        "caller.last_agent",
        _TEXT,
        _CALLER,
        "Last agent",
        "The Enreach user id of the user who owns the caller's last completed phone call.",
        agent=True,
        related=True,
    ),
    FactSpec(
        "caller.callback_pending",
        _BOOLEAN,
        _CALLER,
        "Callback pending",
        "Whether a phone call to the caller is open, so that somebody is to call back.",
        related=True,
    ),
    FactSpec(
        "caller.calls.last_hour",
        _NUMBER,
        _LOG,
        "Calls in the last hour",
        "How many calls of the number this service decided in the hour before this one, at most 100.",
    ),
    FactSpec(
        "caller.calls.last_day",
        _NUMBER,
        _LOG,
        "Calls in the last day",
        "The same for 24 hours.",
    ),
    FactSpec(
        "caller.last_destination",
        _TEXT,
        _LOG,
        "Last destination",
        "The name of the destination to which the number's latest redirected call of the last day went.",
    ),
    FactSpec("account.id", _TEXT, _CALLER, "Account id", "The id of the caller's company.", personal=True),
    FactSpec("account.name", _TEXT, _CALLER, "Account name", "The name of the caller's company.", personal=True),
    FactSpec(
        "account.owner_agent",
        _TEXT,
        _CALLER,
        "Account owner",
        "The Enreach user id of the Dynamics user who owns the caller's company.",
        agent=True,
        related=True,
    ),
    FactSpec(
        "account.parent.vip",
        _BOOLEAN,
        _CALLER,
        "Parent is a VIP",
        "Whether the account above the caller's company is a VIP by the configured criteria.",
        related=True,
    ),
    FactSpec("time.local", _TIME, _CLOCK, "Time of day", "HH:MM in the ruleset's time zone, else UTC."),
    FactSpec("time.weekday", _TEXT, _CLOCK, "Day of the week", "In the same time zone.", values=_WEEKDAYS),
    FactSpec("time.open", _BOOLEAN, _CALENDAR, "Open", "Whether the default calendar is open."),
)
_FAMILY_SPECS = (
    FactSpec("call.parameters.", _ANY, _CALL, "Call parameter", "A DYN_* parameter of the queue.", agent=True),
    FactSpec(
        "caller.columns.",
        _ANY,
        _CALLER,
        "Caller column",
        "A column of the caller's record, by logical name.",
        agent=True,
        personal=True,
    ),
    FactSpec(
        "caller.any.columns.",
        _ANY,
        _CALLER,
        "Column of any caller",
        "The same column of each record that carries the number; true when it is of one of them.",
        personal=True,
        many=True,
    ),
    FactSpec(
        "account.columns.",
        _ANY,
        _CALLER,
        "Account column",
        "A column of the caller's company, by logical name.",
        agent=True,
        personal=True,
    ),
    FactSpec(
        "account.parent.columns.",
        _ANY,
        _CALLER,
        "Parent's column",
        "A column of the account above the caller's company, by logical name.",
        agent=True,
        personal=True,
        related=True,
    ),
    FactSpec(
        "caller.case.columns.",
        _ANY,
        _CALLER,
        "Case column",
        "A column of the newest open case, by logical name.",
        agent=True,
        personal=True,
        related=True,
    ),
    FactSpec("time.open.", _BOOLEAN, _CALENDAR, "Open by calendar", "Whether the named calendar is open."),
    FactSpec(
        AGENTS,
        _BOOLEAN,
        _QUEUE,
        "Agent available",
        "Whether the agent that a fact holds takes calls, as `agent.available.caller.owner_agent`.",
    ),
    FactSpec(
        QUEUES,
        _ANY,
        _QUEUE,
        "Queue state",
        "`open`, `length`, `longest_wait`, `free_agents` or `age_seconds` of a queue destination, "
        "as `queue.sales.length`.",
    ),
    FactSpec(
        ROTAS,
        _TEXT,
        _CALENDAR,
        "On call",
        "The name of the destination that is on call by the named rota.",
        agent=True,
    ),
    FactSpec(
        TABLES,
        _ANY,
        _TABLE,
        "Table column",
        "A column of the row that the table's key finds, as `table.<name>.<column>` (`/admin/tables`).",
        agent=True,
        personal=True,
    ),
    FactSpec(SWITCHES, _BOOLEAN, _SWITCH, "Switch", "Whether the switch of this name is on (`/admin/switches`)."),
)

FACTS = {spec.name: spec for spec in _SPECS}
"""Every single fact by name."""
FAMILIES = {spec.name: spec for spec in _FAMILY_SPECS}
"""Every family of facts by prefix; the member's own name follows the last dot of the prefix."""


def find_fact(name: str) -> FactSpec | None:
    """Return what a fact name means, or `None` when it is no fact's name."""
    if found := FACTS.get(name):
        return found
    if name.startswith(TABLES) and not name.removeprefix(TABLES).partition(".")[2]:
        return None
    return next((spec for prefix, spec in FAMILIES.items() if name.startswith(prefix) and name != prefix), None)


def is_related(name: str) -> bool:
    """Tell whether a fact is about what belongs to the caller."""
    spec = find_fact(name)
    return spec is not None and spec.related


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the most similar known word, or an empty text when none is similar."""
    close = difflib.get_close_matches(word[:200], list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""
