"""The ruleset file: destinations, rules in order, opening hours and tests, as frozen models."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    StrictBool,
)

from app.errors import Finding, InvalidInputError
from app.routing.calendars import Calendar, CalendarException, HolidayRegion, TimeZone
from app.routing.columns import Columns, ColumnSpec, find_column
from app.routing.decisions import Destination, DestinationKind
from app.routing.documents import Part, join_pointer, read_document
from app.routing.registry import ROTAS, suggest
from app.routing.rotas import Rota, Swap
from app.routing.rule import (
    Action,
    AllOf,
    AnyOf,
    Condition,
    Defined,
    Leaf,
    MessageSpec,
    Name,
    NotOf,
    Operator,
    Rule,
    TableName,
    TableUse,
    expand,
    list_names,
)
from app.routing.stored_tests import (
    AccountStub,
    CallerStub,
    CallsStub,
    CaseStub,
    Expectation,
    ParentStub,
    StoredTest,
)

__all__ = [
    "DestinationSpec",
    "Ruleset",
    "find_lost_destinations",
    "read_ruleset",
    "ruleset_document",
]

MAX_RULES = 5_000
MAX_CONDITIONS = 10_000
MAX_DEFINITIONS = 500
MAX_CONDITION_DEPTH = 20
_MAX_NAME = 100
EntityName = Annotated[str, Field(max_length=100)]
ColumnName = Annotated[str, Field(max_length=200)]


class DestinationSpec(Part):
    """A place a call can go, under the name rules use for it."""

    kind: DestinationKind
    id: str = Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")
    """The queue's or user's id, or the number, as Enreach knows it."""
    label: str = Field(default="", max_length=200)
    webhook: StrictBool = True
    """Whether a queue asks this service in its turn; false says that calls redirected there come back no more."""


class Ruleset(Part):
    """Ordered rules; the first whose condition is true decides."""

    schema_: Literal[1, 2] = Field(default=2, alias="schema")
    """The version of this format; the second one only adds to the first."""
    destinations: dict[Name, DestinationSpec] = Field(default={})
    define: dict[Name, Condition] = Field(default={}, max_length=MAX_DEFINITIONS)
    """Named conditions, for rules and for each other: `{"defined": "gold"}`."""
    tables: dict[TableName, TableUse] = Field(default={})
    """How rows are found in the tables whose columns rules read."""
    rules: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES)
    calendars: dict[Name, Calendar] = Field(default={})
    columns: dict[EntityName, dict[ColumnName, ColumnSpec]] = Field(default={})
    """The types of columns that rules compare, and the labels of their choices; publishing fills it in."""
    rotas: dict[Name, Rota] = Field(default={}, max_length=200)
    """Who is on call when; actions may name them like destinations."""
    default_calendar: Name | None = None
    """The calendar of `time.open`; not needed when there is only one."""
    time_zone: TimeZone | None = None
    """Where `time.local`, `time.weekday` and dates count; without one, where the default calendar is."""
    tests: tuple[StoredTest, ...] = Field(default=(), max_length=MAX_RULES)

    def find_destination(self, name: str) -> Destination | None:
        """Return the destination of that name."""
        spec = self.destinations.get(name)
        return None if spec is None else Destination(spec.kind, spec.id, name, spec.label or None)

    def find_members(self, name: str) -> Mapping[str, Destination]:
        """Return the destinations a name can stand for, by their own names: itself, or the members of a rota."""
        names = self.rotas[name].names if name in self.rotas else (name,)
        places = {each: self.find_destination(each) for each in names}
        return {each: place for each, place in places.items() if place is not None}

    def list_needs(self, then: Action) -> tuple[tuple[str, str], ...]:
        """List the facts without which an action is not possible, each after its place: agents, and who is on call."""
        agents = [
            ("redirect_to_agent" if fact == then.redirect_to_agent else "required_agent", fact)
            for fact in then.needed_agents
        ]
        rotas = [
            (place, ROTAS + name) for place, name in then.destinations if name in self.rotas and place != "on_fail"
        ]
        return (*agents, *rotas)

    def describe_columns(self, columns: Columns) -> "Ruleset":
        """Return the ruleset with further descriptions of columns, which win over those it has."""
        tables = {table: {**self.columns.get(table, {}), **specs} for table, specs in columns.items() if specs}
        return self.model_copy(update={"columns": {**self.columns, **tables}}) if tables else self

    def with_values(self) -> "Ruleset":
        """Return the ruleset with the values of choices in the place of their labels."""
        if not self.columns:
            return self
        rules = tuple(rule.model_copy(update={"when": self._translate(rule.when)}) for rule in self.rules)
        define = {name: self._translate(condition) for name, condition in self.define.items()}
        return self.model_copy(update={"rules": rules, "define": define})

    def _translate(self, condition: Condition) -> Condition:
        match condition:
            case Leaf():
                return self._translate_leaf(condition)
            case Defined():
                return condition
            case NotOf():
                return NotOf.model_construct(part=self._translate(condition.part))
            case AllOf():
                return AllOf.model_construct(None, parts=tuple(map(self._translate, condition.parts)))
            case AnyOf():
                return AnyOf.model_construct(None, parts=tuple(map(self._translate, condition.parts)))

    def _translate_leaf(self, leaf: Leaf) -> Leaf:
        spec = find_column(self.columns, leaf.fact)
        if spec is None or not spec.choices or leaf.op is Operator.IN_TABLE:
            return leaf
        value = tuple(map(spec.translate, leaf.value)) if isinstance(leaf.value, tuple) else spec.translate(leaf.value)
        return leaf if value == leaf.value else leaf.model_copy(update={"value": value})

    @property
    def main_calendar(self) -> str | None:
        """The name of the default calendar; `None` when there is none, or several and no choice."""
        if self.default_calendar is None and len(self.calendars) == 1:
            return next(iter(self.calendars))
        return self.default_calendar

    @property
    def expanded_rules(self) -> tuple[Rule, ...]:
        """The rules, with the named conditions in the place of their names."""
        if not self.define:
            return self.rules
        return tuple(rule.model_copy(update={"when": expand(rule.when, self.define)}) for rule in self.rules)

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone of clock and dates; `None` when nothing says one."""
        calendar = self.calendars.get(self.main_calendar or "")
        name = self.time_zone or (calendar.time_zone if calendar else None)
        return None if name is None else ZoneInfo(name)


_MODELS: tuple[type[Part], ...] = (
    *(Ruleset, Rule, DestinationSpec, Action, MessageSpec, Calendar, CalendarException, HolidayRegion),
    *(Rota, Swap, TableUse, ColumnSpec),
    *(AllOf, AnyOf, NotOf, Defined, Leaf, StoredTest, Expectation),
    *(CallerStub, AccountStub, ParentStub, CaseStub, CallsStub),
)
_KEYS = frozenset(field.alias or name for model in _MODELS for name, field in model.model_fields.items())


def read_ruleset(document: object) -> Ruleset:
    """Read a parsed ruleset file; raises InvalidInputError with a finding, and its place, for every problem.

    Refused are: anything the format does not know, more than 5,000 rules or 10,000 conditions, conditions nested
    deeper than 20, two rules of one id, a rota with the name of a destination, a default calendar that does not exist.
    Whether the rules make sense together is for `lint_ruleset` to say.
    """
    try:
        ruleset = read_document(Ruleset, document, _KEYS)
    except InvalidInputError as error:
        findings = [replace(finding, rule=_name_rule(document, finding.pointer)) for finding in error.findings]
        raise InvalidInputError(error.detail, findings=findings) from error
    findings = [*_find_twins(ruleset), *_find_namesakes(ruleset), *_find_no_calendar(ruleset)]
    # What is defined in a circle has no size.
    findings += list(_find_undefined(ruleset)) or list(_find_excess(ruleset))
    if findings:
        raise InvalidInputError("the ruleset is not usable", findings=findings)
    return ruleset


def ruleset_document(ruleset: Ruleset) -> dict[str, Any]:
    """Write the ruleset as JSON values, with what was said and nothing else."""
    return ruleset.model_dump(mode="json", by_alias=True, exclude_unset=True)


def find_lost_destinations(ruleset: Ruleset) -> Iterator[Finding]:
    """Find every destination that a rule or a rota names and the ruleset does not have."""
    known = {*ruleset.destinations, *ruleset.rotas}
    for index, rule in enumerate(ruleset.rules):
        for place, name in rule.then.destinations:
            if name not in known:
                yield _lose(join_pointer("rules", index, "then", *place.split("/")), name, known, rule.id)
    for rota_name, rota in ruleset.rotas.items():
        members = [(("members", index), member) for index, member in enumerate(rota.members)]
        swaps = [(("swaps", index, "member"), swap.member) for index, swap in enumerate(rota.swaps)]
        for steps, name in (*members, *swaps):
            if name not in ruleset.destinations:
                yield _lose(join_pointer("rotas", rota_name, *steps), name, ruleset.destinations, None)


def _lose(pointer: str, name: str, known: Iterable[str], rule: str | None) -> Finding:
    message, hint = f'no destination is called "{name}"', suggest(name, known) or "add it to `destinations`"
    return Finding(code="unknown-destination", pointer=pointer, message=message, hint=hint, rule=rule)


def _name_rule(document: Any, pointer: str) -> str | None:
    """Return the id of the rule a pointer lies in, as far as the document has one."""
    steps = pointer.split("/")
    rules = document["rules"] if steps[1:2] == ["rules"] and len(steps) > 2 else None  # noqa: PLR2004 - /rules/3
    rule = rules[int(steps[2])] if isinstance(rules, list | tuple) else None
    name = rule.get("id") if isinstance(rule, Mapping) else None
    return name[:_MAX_NAME] if isinstance(name, str) and name.isprintable() else None


def _find_twins(ruleset: Ruleset) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, rule in enumerate(ruleset.rules):
        first = seen.setdefault(rule.id, index)
        if first != index:
            message = f'rule {first} has the id "{rule.id}" too'
            pointer = join_pointer("rules", index, "id")
            yield Finding(code="duplicate-rule", pointer=pointer, message=message, hint="use another id", rule=rule.id)


def _find_namesakes(ruleset: Ruleset) -> Iterator[Finding]:
    for name in ruleset.rotas:
        if name in ruleset.destinations:
            pointer, message = join_pointer("rotas", name), f'a destination is called "{name}" too'
            yield Finding(code="duplicate-name", pointer=pointer, message=message, hint="use another name")


def _find_undefined(ruleset: Ruleset) -> Iterator[Finding]:
    """Find names of conditions that are not defined, or that lead back to themselves."""
    places = [(join_pointer("define", name), None, condition) for name, condition in ruleset.define.items()]
    rules = [(join_pointer("rules", i, "when"), rule.id, rule.when) for i, rule in enumerate(ruleset.rules)]
    for pointer, rule, condition in [*places, *rules]:
        for name in list_names(condition):
            if name not in ruleset.define:
                message, hint = (
                    f'no condition is called "{name}"',
                    suggest(name, ruleset.define) or "add it to `define`",
                )
                yield Finding(code="unknown-condition", pointer=pointer, message=message, hint=hint, rule=rule)
    known = {name: [n for n in list_names(part) if n in ruleset.define] for name, part in ruleset.define.items()}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        way = " -> ".join(reversed(error.args[1]))
        yield Finding(
            code="circular-condition",
            pointer=join_pointer("define", error.args[1][0]),
            message=f"conditions are defined by each other in a circle: {way}",
            hint="take one of them out",
        )


def _find_excess(ruleset: Ruleset) -> Iterator[Finding]:
    conditions, sizes = 0, dict[str, tuple[int, int]]()
    for index, rule in enumerate(ruleset.rules):
        pointer = join_pointer("rules", index, "when")
        count, depth = _measure(rule.when, ruleset, sizes)
        conditions += count
        if depth > MAX_CONDITION_DEPTH:
            message = f"conditions are nested deeper than {MAX_CONDITION_DEPTH}"
            yield Finding(code="too-deep", pointer=pointer, message=message, hint="flatten it", rule=rule.id)
    if conditions > MAX_CONDITIONS:
        message = f"{conditions:,} conditions, more than {MAX_CONDITIONS:,}"
        yield Finding(code="too-large", pointer="/rules", message=message, hint="use `in` for alternatives")


def _measure(condition: Condition, ruleset: Ruleset, sizes: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Return how many comparisons a condition has, and how deep they lie, with those that it names."""
    match condition:
        case Leaf():
            return 1, 1
        case Defined(name=name):
            if name not in sizes:
                sizes[name] = _measure(ruleset.define[name], ruleset, sizes)
            return sizes[name]
        case NotOf():
            count, depth = _measure(condition.part, ruleset, sizes)
            return count, depth + 1
        case AllOf() | AnyOf():
            parts = [_measure(part, ruleset, sizes) for part in condition.parts]
            return sum(count for count, _ in parts), 1 + max((depth for _, depth in parts), default=0)


def _find_no_calendar(ruleset: Ruleset) -> Iterator[Finding]:
    name = ruleset.default_calendar
    if name is not None and name not in ruleset.calendars:
        message, hint = f'no calendar is called "{name}"', suggest(name, ruleset.calendars)
        yield Finding(code="unknown-calendar", pointer="/default_calendar", message=message, hint=hint)
