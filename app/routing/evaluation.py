"""Conditions compiled into tests, in Kleene's logic of three values: true, unknown, false.

`all` is the least of its parts, `any` the greatest, `not` the opposite. Tests read values from places in a list, ready
for comparison by `fold`: texts trimmed and without regard to case (Dataverse compares alike), truth values apart from
the numbers 0 and 1, facts nobody told as one mark.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from app.routing.facts import FactValue, Unknown
from app.routing.registry import FactType
from app.routing.rule import DATED, TEXTUAL, Leaf, Operator

__all__ = [
    "FALSE",
    "NOW",
    "TRUE",
    "UNKNOWN",
    "UNTOLD",
    "Test",
    "all_of",
    "any_of",
    "compile_leaf",
    "compile_predicate",
    "fold",
    "list_members",
    "not_of",
    "read_date",
]

TRUE, UNKNOWN, FALSE = 1, 0, -1
NOW = 0
"""The place of the moment, in seconds since the epoch, in a list of values."""
UNTOLD = object()
"""Stands in a list of values for a fact that is unknown."""


class Several(tuple[object, ...]):
    """The folded values of several records."""

    __slots__ = ()


Test = Callable[[Sequence[object]], int]
"""Tells the verdict for a list of values (or of verdicts, where parts were judged before)."""
Predicate = Callable[[object], bool]

_COMPARISONS: Mapping[Operator, Callable[..., bool]] = {
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
    Operator.STARTS_WITH: str.startswith,
    Operator.ENDS_WITH: str.endswith,
    Operator.CONTAINS: operator.contains,
}


_QUARTER = 900.0


def fold(value: FactValue) -> object:
    """Bring a fact or an expected value into the form in which values are compared."""
    kind = value.__class__
    if kind is str:
        return value.strip().casefold()  # type: ignore[union-attr] # told by the class, faster than isinstance
    if kind is bool:
        return (value,)
    if kind is tuple:
        return Several(fold(item) for item in value)  # type: ignore[union-attr] # as above
    return UNTOLD if kind is Unknown else value


def all_of(tests: Sequence[Test]) -> Test:
    """Join tests: the least verdict, true for none."""
    if len(tests) == 1:
        return tests[0]

    def judge(values: Sequence[object]) -> int:
        least = TRUE
        for test in tests:
            verdict = test(values)
            if verdict < least:
                if verdict == FALSE:
                    return FALSE
                least = verdict
        return least

    return judge


def any_of(tests: Sequence[Test]) -> Test:
    """Join tests: the greatest verdict, false for none."""
    if len(tests) == 1:
        return tests[0]

    def judge(values: Sequence[object]) -> int:
        greatest = FALSE
        for test in tests:
            verdict = test(values)
            if verdict > greatest:
                if verdict == TRUE:
                    return TRUE
                greatest = verdict
        return greatest

    return judge


def not_of(test: Test) -> Test:
    """Turn a test round: unknown stays unknown."""
    return lambda values: -test(values)


def compile_leaf(leaf: Leaf, place: int, zone: tzinfo = UTC) -> Test:
    """Compile a comparison that reads its fact at a place in the list of values; `zone` tells what day it is.

    The place of `in_table` is that of the fact which tells whether there is a row.
    """
    if leaf.spec.many:
        one, several = _compile_single(leaf, place, zone), _compile_single(leaf, 1, zone)
        return lambda values: (
            max(several((values[NOW], value)) for value in found)
            if isinstance(found := values[place], Several)
            else one(values)
        )
    return _compile_single(leaf, place, zone)


def _compile_single(leaf: Leaf, place: int, zone: tzinfo) -> Test:
    if leaf.op is Operator.IS_UNKNOWN:
        return lambda values: TRUE if values[place] is UNTOLD else FALSE
    if leaf.op is Operator.IN_TABLE:
        return _compile_membership(frozenset({fold(True)}), place)
    if leaf.op in {Operator.IS, Operator.IN}:
        return _compile_membership(frozenset(list_members(leaf)), place)
    if leaf.op in DATED:
        return _compile_date(leaf, place, zone)
    predicate = compile_predicate(leaf)

    def judge(values: Sequence[object]) -> int:
        value = values[place]
        if value is UNTOLD:
            return UNKNOWN
        return TRUE if predicate(value) else FALSE

    return judge


def compile_predicate(leaf: Leaf) -> Predicate:
    """Compile what a leaf asks of a folded value that is known, for any operator but `is_unknown` and those on dates.

    A value of another type than the one compared with never fits; nothing raises.
    """
    match leaf.op:
        case Operator.IS | Operator.IN:
            members = frozenset(list_members(leaf))
            return lambda value: value in members
        case Operator.IS_NOT | Operator.NOT_IN:
            members = frozenset(list_members(leaf))
            return lambda value: value not in members
        case Operator.EXISTS:
            return lambda value: value is not None and value != ""
        case Operator.BETWEEN:
            return _compile_between(leaf)
        case _:
            return _compile_comparison(leaf)


def list_members(leaf: Leaf) -> tuple[object, ...]:
    """Return the folded values a leaf compares with, one or several."""
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    return tuple(fold(value) for value in values)


def read_date(value: object, zone: tzinfo) -> date | None:
    """Return the date that a value is, or on which its moment lies; `None` for anything else."""
    return _read_date(value, zone) if isinstance(value, str) else None


@lru_cache(maxsize=4096)  # one caller's dates are read at each of their calls
def _read_date(value: str, zone: tzinfo) -> date | None:
    try:
        moment = datetime.fromisoformat(value.strip().upper())
        return moment.date() if moment.tzinfo is None else moment.astimezone(zone).date()
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=256)  # the same for all calls of a quarter of an hour
def _find_day(quarter: float, zone: tzinfo) -> date:
    """Return the date in a zone; the days of today's zones all begin with a quarter of an hour of UTC."""
    return datetime.fromtimestamp(quarter * _QUARTER, zone).date()


def _compile_date(leaf: Leaf, place: int, zone: tzinfo) -> Test:
    days = timedelta(days=leaf.value if isinstance(leaf.value, int) else 0)

    def holds(found: date, today: date) -> bool:
        match leaf.op:
            case Operator.BEFORE_TODAY:
                return found < today
            case Operator.AFTER_TODAY:
                return found > today
            case Operator.OLDER_THAN_DAYS:
                return found < today - days
            case _:
                return min(today, today + days) <= found <= max(today, today + days)

    def judge(values: Sequence[object]) -> int:
        value = values[place]
        if value is UNTOLD:
            return UNKNOWN
        found = read_date(value, zone)
        today = _find_day(values[NOW] // _QUARTER, zone)  # type: ignore[operator] # a float at NOW
        return TRUE if found is not None and holds(found, today) else FALSE

    return judge


def _compile_membership(members: frozenset[object], place: int) -> Test:
    def judge(values: Sequence[object]) -> int:
        value = values[place]
        if value in members:
            return TRUE
        return UNKNOWN if value is UNTOLD else FALSE

    return judge


def _compile_comparison(leaf: Leaf) -> Predicate:
    compare = _COMPARISONS[leaf.op]
    [bound] = list_members(leaf)
    if leaf.op is Operator.CONTAINS and isinstance(bound, int):
        choice = str(bound)
        return lambda value: value == bound or (isinstance(value, str) and choice in map(str.strip, value.split(",")))
    kinds = (str,) if leaf.op in TEXTUAL else _comparable(bound)
    if not isinstance(bound, kinds):
        return _never
    return lambda value: isinstance(value, kinds) and compare(value, bound)


def _compile_between(leaf: Leaf) -> Predicate:
    low, high = list_members(leaf)
    kinds = _comparable(low)
    if not isinstance(low, kinds) or not isinstance(high, kinds):
        return _never
    ordered: Callable[..., bool] = operator.le
    if leaf.spec.type is FactType.TIME and not ordered(low, high):
        return lambda value: isinstance(value, kinds) and (ordered(low, value) or ordered(value, high))
    return lambda value: isinstance(value, kinds) and ordered(low, value) and ordered(value, high)


def _comparable(bound: object) -> tuple[type, ...]:
    """Return the types that have an order with this value; numbers among themselves, texts among themselves."""
    return {str: (str,), int: (int, float), float: (int, float)}.get(bound.__class__, ())


def _never(_: object) -> bool:
    return False
