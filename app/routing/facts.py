"""What the rules may test about one call: facts gathered from the call, the caller and the moment.

A fact that is known to be absent is `None`; a fact whose source did not answer is `Unknown` and carries the cause.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

import msgspec

from app.routing.calendars import WEEKDAYS, Calendar, OpeningHours
from app.routing.callers import Caller, CallerKind, CallerStatus, Cause
from app.routing.calls import Call, Scalar
from app.routing.numbers import NumberKind, PhoneNumber
from app.routing.registry import AGENTS, MEMBERS, QUEUES, RECENT_CALLS, ROTAS, SWITCHES, TABLES
from app.routing.rotas import Rota, find_turn

__all__ = [
    "ClockFacts",
    "FactValue",
    "Moment",
    "Unknown",
    "caller_facts",
    "complete_facts",
    "decode_facts",
    "encode_facts",
    "gather_facts",
]


class Unknown(msgspec.Struct, frozen=True, rename={"cause": "unknown"}):
    """The value of a fact whose source did not tell it; as JSON `{"unknown": cause, "detail": text}`."""

    cause: Cause
    detail: str = ""
    """For people: what happened. Holds nothing personal."""


FactValue = Scalar | Unknown | tuple[Scalar, ...]
"""Several values are those of several records (`caller.any.columns.*`)."""


class Moment(msgspec.Struct, frozen=True):
    """When a call is decided, and what calendars and rotas say about it."""

    at: float
    """Seconds since the epoch."""
    facts: Mapping[str, FactValue]
    """The `time.*` and `rota.*` facts."""


_NOT_FETCHED = Unknown(Cause.NOT_FETCHED, "the column was not read with the record")
_NOT_COUNTED = Unknown(Cause.NOT_FETCHED, "the cases were not counted")
_NOT_LOGGED = Unknown(Cause.NOT_FETCHED, "the calls before were not counted")
_NO_CALENDAR = Unknown(Cause.NOT_CONFIGURED, "the ruleset has no such calendar")
_NO_ROTA = Unknown(Cause.NOT_CONFIGURED, "the ruleset has no such rota")
_NO_DEFAULT_CALENDAR = Unknown(Cause.NOT_CONFIGURED, "the ruleset has no default calendar")
_MINUTE = 60
_HOUR = 3600
_MINUTES_KEPT = 1024
"""Moments remembered: those of replays lie apart."""
_NOT_LOOKED_UP = Unknown(Cause.NOT_FETCHED, "no rule read it when the call was decided")
_DISAGREE = Unknown(Cause.AMBIGUOUS, "several records carry the number and disagree")
_NOT_HAD = {
    Cause.AMBIGUOUS: _DISAGREE.detail,
    Cause.NOT_CONFIGURED: "nothing tells the user's Enreach user id",
    Cause.NOT_FETCHED: _NOT_FETCHED.detail,
}
_NOBODY = (CallerStatus.UNKNOWN, CallerStatus.WITHHELD)
_FROM_CRM = (
    "caller.kind",
    "caller.id",
    "caller.name",
    "caller.vip",
    "caller.vip_reason",
    "caller.owner_agent",
    "caller.match",
    "caller.confidence",
    "caller.matches",
    "caller.explanation",
    "caller.open_cases",
    "account.id",
    "account.name",
)
_COLUMNS, _ANY_COLUMNS = "caller.columns.", "caller.any.columns."
_WHEN_MISSING: Mapping[str, FactValue] = {
    "call.": None,
    "time.": _NO_CALENDAR,
    ROTAS: _NO_ROTA,
    **dict.fromkeys((SWITCHES, TABLES, MEMBERS, QUEUES, AGENTS), _NOT_LOOKED_UP),
}
"""What a fact is that nobody has told, by the beginning of its name."""
_HOLDERS = {"caller.": "caller.id", "account.": "account.id"}
"""By the id of which it is known whether there is somebody to tell something of."""
_FALSE_OF_NOBODY = frozenset({"caller.callback_pending", "account.parent.vip"})


class ClockFacts:
    """Tells the `time.*` and `rota.*` facts of a moment, worked out once a minute, since none changes within one."""

    def __init__(
        self, calendars: Mapping[str, Calendar], main: str | None, zone: tzinfo, rotas: Mapping[str, Rota]
    ) -> None:
        """`main` names the default calendar; `zone` is that of the clock on the wall."""
        self._zone = zone
        self._hours = {name: OpeningHours(calendar) for name, calendar in calendars.items()}
        self._main = None if main is None else self._hours.get(main)
        self._rotas = rotas
        self._facts_of = lru_cache(maxsize=_MINUTES_KEPT)(self._tell_minute)

    def tell(self, now: float) -> Moment:
        """Describe a moment, given in seconds since the epoch."""
        return Moment(now, self._facts_of(int(now // _MINUTE)))

    def _tell_minute(self, minute: int) -> Mapping[str, FactValue]:
        now = datetime.fromtimestamp(minute * _MINUTE, UTC)
        local = now.astimezone(self._zone)
        facts: dict[str, FactValue] = {
            "time.local": f"{local:%H:%M}",
            "time.weekday": WEEKDAYS[local.weekday()],
            "time.open": _NO_DEFAULT_CALENDAR if self._main is None else self._main.is_open(now),
        }
        facts |= {f"time.open.{name}": hours.is_open(now) for name, hours in self._hours.items()}
        turns = {name: find_turn(rota, now) for name, rota in self._rotas.items()}
        return facts | {ROTAS + name: None if turn is None else turn.member for name, turn in turns.items()}


def gather_facts(
    call: Call, caller: Caller, moment: Moment, *, known: Mapping[str, FactValue] | None = None
) -> dict[str, FactValue]:
    """Gather every fact of one call; families as far as they are present.

    `known` are the results of `caller_facts(caller)`, when they are at hand. Families a rule asks for and nobody has
    are added by `complete_facts`.
    """
    facts: dict[str, FactValue] = {
        "call.caller": _read_digits(call.caller),
        "call.called": _read_digits(call.called),
        "call.country": call.caller.country,
        "call.id": call.call_id,
        "call.target_id": call.target_id,
        "call.queue_id": call.queue_id,
        "call.user_id": call.user_id,
        "call.culture": call.culture,
        "call.internal": call.internal,
        "call.withheld": call.caller.kind is NumberKind.WITHHELD,
    }
    for name, value in call.parameters.items():
        facts["call.parameters." + name] = value
    facts.update(caller_facts(caller) if known is None else known)
    facts["caller.age_seconds"] = _tell_age(caller, moment)
    if caller.case_since is not None:
        facts["caller.case.age_hours"] = max(0.0, moment.at - caller.case_since) / _HOUR
    facts.update(moment.facts)
    return facts


def caller_facts(caller: Caller) -> dict[str, FactValue]:
    """Tell every fact that follows from the caller alone, so that it can be kept with a cached caller."""
    if caller.status is CallerStatus.UNAVAILABLE:
        facts: dict[str, FactValue] = dict.fromkeys(_FROM_CRM, _silence(caller))
    elif caller.status in _NOBODY:
        facts = dict.fromkeys(_FROM_CRM)
        facts |= {"caller.vip": False, "caller.confidence": 0.0, "caller.matches": 0, "caller.open_cases": 0}
    else:
        facts = _describe_somebody(caller)
    facts["caller.status"] = caller.status.value
    return facts


def complete_facts(facts: Mapping[str, FactValue], names: Iterable[str]) -> Mapping[str, FactValue]:
    """Add the named facts that are missing, each as absent or as unknown; returns the same mapping when none is.

    What was not read is unknown for a caller who is known, and absent for nobody and for a caller who is an account
    or a lead, which have no columns of a contact. A missing parameter is absent, a missing calendar unknown.
    """
    missing = [name for name in names if name not in facts]
    return {**facts, **{name: _judge_missing(facts, name) for name in missing}} if missing else facts


def encode_facts(facts: Mapping[str, FactValue]) -> dict[str, object]:
    """Spell facts as JSON values; an unknown one as `{"unknown": cause, "detail": text}`."""
    return {
        name: {"unknown": value.cause.value, "detail": value.detail} if isinstance(value, Unknown) else value
        for name, value in facts.items()
    }


def decode_facts(document: Mapping[str, object]) -> dict[str, FactValue]:
    """Read facts back from `encode_facts`; raises ValueError for anything it cannot have written."""
    return {name: _decode_fact(name, value) for name, value in document.items()}


def _read_digits(number: PhoneNumber) -> str | None:
    if number.e164 is not None:
        return number.e164
    return number.raw.strip() if number.kind is NumberKind.SHORT and number.raw else None


def _tell_age(caller: Caller, moment: Moment) -> FactValue:
    if caller.as_of is not None:
        return max(0.0, moment.at - caller.as_of)
    return _silence(caller) if caller.status is CallerStatus.UNAVAILABLE else None


def _silence(caller: Caller) -> Unknown:
    return Unknown(caller.cause or Cause.ERROR, caller.detail)


def _describe_somebody(caller: Caller) -> dict[str, FactValue]:
    account = caller.account
    absent = _DISAGREE if caller.status is CallerStatus.AMBIGUOUS else None
    facts: dict[str, FactValue] = {
        "caller.kind": absent if caller.kind is None else caller.kind.value,
        "caller.id": absent if caller.id is None else caller.id,
        "caller.name": absent if caller.name is None else caller.name,
        "caller.vip": _DISAGREE if caller.vip is None else caller.vip,
        "caller.vip_reason": _DISAGREE if caller.vip is None else caller.vip_reason,
        "caller.owner_agent": _tell_owner(caller),
        "caller.match": caller.match.value,
        "caller.confidence": caller.confidence,
        "caller.matches": caller.matches,
        "caller.explanation": caller.detail or None,
        "caller.open_cases": _tell_cases(caller),
        "account.id": absent if account is None else account.id,
        "account.name": absent if account is None else account.name,
    }
    for name, value in caller.columns.items():
        facts[_COLUMNS + name] = value
    for name, values in caller.any_columns.items():
        facts[_ANY_COLUMNS + name] = values
    if account is not None:
        for name, value in account.columns.items():
            facts["account.columns." + name] = value
    facts.update(caller.related)
    for name, cause in caller.related_causes.items():
        facts[name] = Unknown(cause, _NOT_HAD.get(cause, "this could not be had"))
    return facts


def _tell_owner(caller: Caller) -> FactValue:
    if caller.owner_agent is None and caller.owner_agent_cause is not None:
        return Unknown(caller.owner_agent_cause, "nothing tells the owner's Enreach user id")
    return caller.owner_agent


def _tell_cases(caller: Caller) -> FactValue:
    if caller.open_cases is not None:
        return caller.open_cases
    return Unknown(caller.open_cases_cause, "the cases could not be had") if caller.open_cases_cause else _NOT_COUNTED


def _judge_missing(facts: Mapping[str, FactValue], name: str) -> FactValue:
    if name.startswith(_ANY_COLUMNS):
        column = _COLUMNS + name.removeprefix(_ANY_COLUMNS)
        value = facts[column] if column in facts else _judge_missing(facts, column)
        return value if value is None or isinstance(value, Unknown | tuple) else (value,)
    if name.startswith(_COLUMNS) and facts.get("caller.kind") in {CallerKind.ACCOUNT.value, CallerKind.LEAD.value}:
        return None
    if name in RECENT_CALLS:
        return _NOT_LOGGED
    for prefix, owner in _HOLDERS.items():
        if name.startswith(prefix):
            return _judge_holder(facts.get(owner, _NOT_FETCHED), name)
    return next((value for prefix, value in _WHEN_MISSING.items() if name.startswith(prefix)), _NOT_FETCHED)


def _judge_holder(holder: FactValue, name: str) -> FactValue:
    """Whoever does not exist has nothing, and of whom nothing is known, this is not known either."""
    if holder is None:
        return False if name in _FALSE_OF_NOBODY else None
    return holder if isinstance(holder, Unknown) else _NOT_FETCHED


def _decode_fact(name: str, value: object) -> FactValue:
    if value is None or isinstance(value, str | int | float | bool | Unknown):
        return value
    if isinstance(value, list | tuple) and all(item is None or isinstance(item, str | int | float) for item in value):
        return tuple(value)
    if isinstance(value, Mapping) and "unknown" in value:
        return Unknown(Cause(value["unknown"]), str(value.get("detail", "")))
    raise ValueError(f"fact {name} holds neither a plain value nor a cause")
