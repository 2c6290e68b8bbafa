"""Conditions that cannot be meant: facts that do not exist, values of another type than the fact's, contradictions."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC
from itertools import pairwise

from app.errors import Finding
from app.routing.calls import Scalar
from app.routing.columns import ColumnKind, find_column, locate_column
from app.routing.evaluation import compile_predicate, list_members, read_date
from app.routing.lint_columns import fault, find_column_faults
from app.routing.registry import ROTAS, FactSource, FactSpec, FactType, suggest
from app.routing.rule import (
    BARE,
    DATED,
    ORDERED,
    TEXTUAL,
    AllOf,
    AnyOf,
    Condition,
    Leaf,
    NotOf,
    Operator,
    list_leaves,
)
from app.routing.ruleset import Ruleset

__all__ = [
    "KnownColumns",
    "can_be_met",
    "find_condition_faults",
    "find_unknown_member",
    "list_conjunction",
    "list_values",
    "may_look_up_user",
]

KnownColumns = Mapping[str, Collection[str]]
"""Logical names of the columns that exist, by table (`contact`, `account`, `incident`); a mapping tells types too."""

_PARAMETERS, _CALENDARS = "call.parameters.", "time.open."
_ALWAYS_KNOWN = (FactSource.CALL, FactSource.CLOCK)
_PHONES = ("call.caller", "call.called")
_LOCAL = ("time.local", "time.weekday")
_DATE = "DateTime"
"""The type of columns with dates and moments, as Dataverse calls it."""
_LOOK_UPS = frozenset({"", "Lookup", "Owner"})
"""The types of columns that may look up a user; empty when the type is not known."""
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_NUMBER = re.compile(r"\+\d{6,15}|\d{1,6}", re.ASCII)
_START = re.compile(r"\+\d{1,15}|\d{1,6}", re.ASCII)
_DEMANDS = {
    FactType.TEXT: (str, "texts"),
    FactType.TIME: (str, "times of day like 08:30"),
    FactType.BOOLEAN: (bool, "true or false"),
    FactType.NUMBER: (int | float, "numbers"),
}


def find_condition_faults(
    condition: Condition, pointer: str, rule: str | None, ruleset: Ruleset, known_columns: KnownColumns | None
) -> Iterator[Finding]:
    """Find what is wrong with a condition that is at the pointer: of a rule, or a named one (`None`)."""
    for place, leaf in list_leaves(condition, pointer):
        yield from find_unknown_member(leaf.fact, f"{place}/fact", rule, ruleset, known_columns)
        yield from _find_wrong_types(leaf, leaf.spec, place, rule)
        yield from find_column_faults(leaf, place, rule, ruleset)
        yield from _find_wrong_date(leaf, place, rule, ruleset, known_columns)
        yield from _find_no_zone(leaf, place, rule, ruleset)
        yield from _find_no_member(leaf, place, rule, ruleset)
        yield from _find_wrong_range(leaf, leaf.spec, place, rule)
        yield from _find_wrong_number(leaf, place, rule)
        yield from _find_known(leaf, leaf.spec, place, rule, ruleset)
    yield from _find_contradictions(condition, pointer, rule)


def find_unknown_member(
    fact: str, pointer: str, rule: str | None, ruleset: Ruleset, known_columns: KnownColumns | None
) -> Iterator[Finding]:
    """Find a calendar, rota, parameter or column that does not exist in a fact's name."""
    place = locate_column(fact)
    if place is not None and known_columns is not None and place[0] in known_columns:
        table, column = place
        if column not in (columns := known_columns[table]):
            message, hint = f'table {table} has no column "{column}"', suggest(column, columns)
            yield fault(rule, "unknown-column", pointer, message, hint)
    if fact.startswith(_PARAMETERS) and not fact.removeprefix(_PARAMETERS).startswith("DYN_"):
        yield fault(
            rule,
            "unknown-parameter",
            pointer,
            "call parameters have names that start with DYN_",
            "write it as the queue sends it",
        )
    if fact.startswith(_CALENDARS) and fact.removeprefix(_CALENDARS) not in ruleset.calendars:
        name = fact.removeprefix(_CALENDARS)
        yield fault(
            rule,
            "unknown-calendar",
            pointer,
            f'no calendar is called "{name}"',
            suggest(name, ruleset.calendars) or "add it to `calendars`",
        )
    if fact.startswith(ROTAS) and fact.removeprefix(ROTAS) not in ruleset.rotas:
        name = fact.removeprefix(ROTAS)
        hint = suggest(name, ruleset.rotas) or "add it to `rotas`"
        yield fault(rule, "unknown-rota", pointer, f'no rota is called "{name}"', hint)
    if fact == "time.open" and ruleset.main_calendar is None:
        yield fault(
            rule,
            "unknown-calendar",
            pointer,
            "no calendar is the default, so this is never known",
            "set `default_calendar`",
        )


def may_look_up_user(fact: str, known_columns: KnownColumns | None) -> bool:
    """Tell whether a fact may hold an Enreach id, which a column does only when it looks up a user."""
    if not locate_column(fact):
        return True
    column = fact.rpartition(".")[2]
    kind = _find_column_type(fact, known_columns)
    return column.startswith("_") and column.endswith("_value") and kind in _LOOK_UPS


def list_values(leaf: Leaf) -> tuple[Scalar, ...]:
    """List the values that a fact is compared with."""
    if leaf.op in BARE or leaf.op is Operator.IN_TABLE:
        return ()
    return leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)


def _find_wrong_types(leaf: Leaf, spec: FactSpec, pointer: str, rule: str | None) -> Iterator[Finding]:
    if leaf.op in DATED:
        return
    values, place = list_values(leaf), f"{pointer}/value"
    if leaf.op is Operator.CONTAINS and locate_column(leaf.fact) and isinstance(leaf.value, int):
        # The value of a choice, which a column may hold among others.
        values = tuple(value for value in values if isinstance(value, bool))
    if leaf.op in TEXTUAL and (spec.type in {FactType.NUMBER, FactType.BOOLEAN} or not _are_texts(values)):
        yield fault(rule, "wrong-type", f"{pointer}/op", f"`{leaf.op}` compares texts only", "use another operator")
        return
    if leaf.op in ORDERED and (spec.type is FactType.BOOLEAN or any(isinstance(value, bool) for value in values)):
        yield fault(rule, "wrong-type", f"{pointer}/op", f"`{leaf.op}` needs something that has an order", "use `is`")
        return
    if spec.type is FactType.ANY:
        yield from _find_wrong_parameter(leaf, values, pointer, rule)
        return
    kind, words = _DEMANDS[spec.type]
    for value in values:
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            message = f"{leaf.fact} is compared with {words}, not with {value!r}"
            yield fault(rule, "wrong-type", place, message, _say_otherwise(value, spec))
        elif spec.type is FactType.TIME and leaf.op not in TEXTUAL and not _TIME_OF_DAY.fullmatch(str(value)):
            yield fault(rule, "wrong-type", place, f'"{value}" is no time of day', "write it like 08:30")
        elif spec.values and leaf.op not in TEXTUAL and str(value).strip().casefold() not in spec.values:
            hint = suggest(str(value), spec.values) or f"it is one of {', '.join(spec.values)}"
            yield fault(rule, "wrong-type", place, f'{leaf.fact} is never "{value}"', hint)


def _find_wrong_date(
    leaf: Leaf, pointer: str, rule: str | None, ruleset: Ruleset, known_columns: KnownColumns | None
) -> Iterator[Finding]:
    """Find what is no date and compared as one, and dates compared with what is none."""
    spec = find_column(ruleset.columns, leaf.fact)
    kind = _find_column_type(leaf.fact, known_columns)
    if not kind and spec is not None:
        kind = _DATE if spec.type is ColumnKind.DATE else spec.type.value
    if leaf.op in DATED and (leaf.spec.type is not FactType.ANY or kind not in {"", _DATE}):
        message, hint = f"{leaf.fact} holds no date", f"`{leaf.op}` compares columns and parameters that hold one"
        yield fault(rule, "wrong-type", f"{pointer}/op", message, hint)
    elif leaf.op in TEXTUAL or leaf.op in DATED or kind != _DATE:
        return
    for value in list_values(leaf):
        if read_date(value, ruleset.zone or UTC) is None:
            message = f"{leaf.fact} is a date, and {value!r} is none"
            hint = "write it like 2026-03-04; `within_days` and `older_than_days` count from today"
            yield fault(rule, "wrong-date", f"{pointer}/value", message, hint)


def _find_no_zone(leaf: Leaf, pointer: str, rule: str | None, ruleset: Ruleset) -> Iterator[Finding]:
    if ruleset.zone is None and (leaf.op in DATED or leaf.fact in _LOCAL):
        message, hint = f"{leaf.fact} needs a time zone, and nothing says one", "set `time_zone` in the ruleset"
        yield fault(rule, "no-time-zone", pointer, message, hint)


def _find_no_member(leaf: Leaf, pointer: str, rule: str | None, ruleset: Ruleset) -> Iterator[Finding]:
    """Find members that the rota of a comparison does not have."""
    rota = ruleset.rotas.get(leaf.fact.removeprefix(ROTAS)) if leaf.fact.startswith(ROTAS) else None
    if rota is None or leaf.op in TEXTUAL:
        return
    names = {name.casefold() for name in rota.names}
    for value in list_values(leaf):
        if isinstance(value, str) and value.strip().casefold() not in names:
            hint = suggest(value, rota.names) or f"it is one of {', '.join(rota.names)}"
            yield fault(rule, "unknown-member", f"{pointer}/value", f'"{value}" is never on call by this rota', hint)


def _find_column_type(fact: str, known_columns: KnownColumns | None) -> str:
    """Return the type of a column as Dataverse has it; empty when it is not known, or the fact is no column."""
    place = locate_column(fact)
    columns = None if place is None else (known_columns or {}).get(place[0])
    return str(columns.get(place[1], "")) if place is not None and isinstance(columns, Mapping) else ""


def _are_texts(values: tuple[Scalar, ...]) -> bool:
    return all(isinstance(value, str) for value in values)


def _say_otherwise(value: Scalar, spec: FactSpec) -> str:
    if spec.type is FactType.TEXT:
        return f'write "{value}" in quotes'
    return "leave the quotes out" if isinstance(value, str) else ""


def _find_wrong_parameter(leaf: Leaf, values: tuple[Scalar, ...], pointer: str, rule: str | None) -> Iterator[Finding]:
    if leaf.fact.startswith(_PARAMETERS) and any(not isinstance(value, str) for value in values):
        message = "queues send parameters as texts, and a text never equals a number"
        yield fault(rule, "wrong-type", f"{pointer}/value", message, "write the value in quotes", severity="warning")


def _find_wrong_range(leaf: Leaf, spec: FactSpec, pointer: str, rule: str | None) -> Iterator[Finding]:
    if leaf.op is not Operator.BETWEEN or not isinstance(leaf.value, tuple):
        return
    low, high = leaf.value
    numbers = isinstance(low, int | float) and isinstance(high, int | float) and low > high
    texts = isinstance(low, str) and isinstance(high, str) and low.casefold() > high.casefold()
    if numbers or (texts and spec.type is not FactType.TIME):
        yield fault(
            rule, "empty-range", f"{pointer}/value", "no value lies between these two", "put the lower one first"
        )
    if isinstance(low, str) is not isinstance(high, str):
        yield fault(
            rule,
            "wrong-type",
            f"{pointer}/value",
            "a text and a number have no order",
            "write both as texts or both as numbers",
        )


def _find_wrong_number(leaf: Leaf, pointer: str, rule: str | None) -> Iterator[Finding]:
    if leaf.fact not in _PHONES or leaf.op in {Operator.ENDS_WITH, Operator.CONTAINS}:
        return
    pattern = _START if leaf.op is Operator.STARTS_WITH else _NUMBER
    for value in list_values(leaf):
        if isinstance(value, str) and not pattern.fullmatch(value.strip()):
            message = f'calls never come with a number written like "{value}"'
            hint = "write it in E.164: +, country code, number, no spaces; short numbers as they are"
            yield fault(rule, "not-e164", f"{pointer}/value", message, hint, severity="warning")


def _find_known(leaf: Leaf, spec: FactSpec, pointer: str, rule: str | None, ruleset: Ruleset) -> Iterator[Finding]:
    if leaf.op is not Operator.IS_UNKNOWN:
        return
    told = (
        spec.source is FactSource.CALENDAR
        and next(find_unknown_member(leaf.fact, pointer, rule, ruleset, None), None) is None
    )
    if spec.source in _ALWAYS_KNOWN or leaf.fact == "caller.status" or told:
        message, hint = f"{leaf.fact} is never unknown", 'for "has no value" put `exists` into `not`'
        yield fault(rule, "never-unknown", pointer, message, hint, severity="warning")


def _find_contradictions(condition: Condition, pointer: str, rule: str | None) -> Iterator[Finding]:
    """Find, in any conjunction, comparisons of one fact that no value can meet together."""
    for place, leaves in _list_conjunctions(condition, pointer):
        by_fact: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            by_fact.setdefault(leaf.fact, []).append(leaf)
        for fact, group in by_fact.items():
            if len(group) > 1 and not can_be_met(group):
                yield fault(
                    rule,
                    "contradiction",
                    place,
                    f"no value of {fact} meets all its conditions",
                    "use `any`, or `in`, for alternatives",
                )
    for place, part in list_conjunction(condition, pointer):
        if isinstance(part, AnyOf) and not part.parts:
            yield fault(rule, "contradiction", place, "an `any` without parts is never true", "add a condition")


def list_conjunction(condition: Condition, pointer: str = "") -> Iterator[tuple[str, Condition]]:
    """List the parts that must all be true, with their pointers; conjunctions within conjunctions are taken apart."""
    if isinstance(condition, AllOf):
        for index, part in enumerate(condition.parts):
            yield from list_conjunction(part, f"{pointer}/all/{index}")
    else:
        yield pointer, condition


def _list_conjunctions(condition: Condition, pointer: str) -> Iterator[tuple[str, list[Leaf]]]:
    parts = list(list_conjunction(condition, pointer))
    yield pointer, [part for _, part in parts if isinstance(part, Leaf)]
    for place, part in parts:
        if isinstance(part, NotOf):
            yield from _list_conjunctions(part.part, f"{place}/not")
        elif isinstance(part, AnyOf):
            for index, alternative in enumerate(part.parts):
                yield from _list_conjunctions(alternative, f"{place}/any/{index}")


def can_be_met(leaves: Sequence[Leaf]) -> bool:
    """Tell whether some value meets all these comparisons of one fact; true when that cannot be told."""
    if any(leaf.op in DATED or leaf.op is Operator.IN_TABLE or leaf.spec.many for leaf in leaves):
        return True
    known = [leaf for leaf in leaves if leaf.op is not Operator.IS_UNKNOWN]
    if len(known) != len(leaves):
        return not known
    candidates = _list_candidates(known)
    predicates = [compile_predicate(leaf) for leaf in known]
    return candidates is None or any(all(predicate(value) for predicate in predicates) for value in candidates)


def _list_candidates(leaves: Sequence[Leaf]) -> Sequence[object] | None:
    """List values such that, if none of them meets the conditions, none does; `None` when that cannot be told."""
    for leaf in leaves:
        if leaf.op in {Operator.IS, Operator.IN}:
            return list_members(leaf)
    bounds = [value for leaf in leaves if leaf.op in ORDERED for value in list_members(leaf)]
    numbers = sorted(value for value in bounds if isinstance(value, int | float))
    if not numbers or len(numbers) != len(bounds):
        return None
    between = [(low + high) / 2 for low, high in pairwise(numbers)]
    return [numbers[0] - 1, *numbers, *between, numbers[-1] + 1]
