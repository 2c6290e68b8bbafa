"""One rule as the ruleset file writes it: when it matches, and what it does with the call."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StrictInt,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.routing.calls import Scalar
from app.routing.documents import Part, refuse
from app.routing.registry import FACTS, FAMILIES, TABLES, FactSpec, find_fact, suggest

__all__ = [
    "BARE",
    "DATED",
    "ORDERED",
    "TABLE_NAME",
    "TEXTUAL",
    "Action",
    "AllOf",
    "AnyOf",
    "Condition",
    "Defined",
    "Leaf",
    "MessageSpec",
    "Name",
    "NotOf",
    "Operator",
    "Rule",
    "TableName",
    "TableUse",
    "check_fact",
    "expand",
    "list_leaves",
    "list_names",
]

TABLE_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
TableName = Annotated[str, StringConstraints(pattern=f"^{TABLE_NAME}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[\w+][\w .:+-]{0,99}$")]
"""What rules, destinations and calendars are called: letters, digits, spaces and `. : + - _`, at most 100."""
Number = Annotated[StrictInt, Field(ge=-1_000_000, le=1_000_000)]
Weight = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
_CHOICES = ("redirect", "split", "redirect_to_column", "redirect_to_agent", "disconnect", "no_change")


class Operator(StrEnum):
    """How a leaf compares its fact with its value. Texts are compared without regard to case, as Dataverse does."""

    IS = "is"
    IS_NOT = "is_not"
    """The opposite of `is`, so also true of an absent fact."""
    IN = "in"
    NOT_IN = "not_in"
    """The opposite of `in`, so also true of an absent fact."""
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    BETWEEN = "between"
    """From the first to the second value, both included; times of day may pass midnight."""
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    CONTAINS = "contains"
    """A part of a text, or the whole value of one of several choices (a number)."""
    BEFORE_TODAY = "before_today"
    """The fact is a date, or a moment on a date, before today in the ruleset's time zone."""
    AFTER_TODAY = "after_today"
    WITHIN_DAYS = "within_days"
    """From today to so many days ahead, both included; to so many days back for a negative number."""
    OLDER_THAN_DAYS = "older_than_days"
    """More than so many days before today."""
    IN_TABLE = "in_table"
    """The fact is the key of a row of the table that the value names."""
    EXISTS = "exists"
    """The fact is known to have a value; a blank text is none."""
    IS_UNKNOWN = "is_unknown"
    """The fact's source did not tell it."""


TEXTUAL = frozenset({Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.CONTAINS})
"""Operators on texts only."""
ORDERED = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE, Operator.BETWEEN})
"""Operators on whatever has an order: numbers among themselves, texts among themselves."""
DATED = frozenset({Operator.BEFORE_TODAY, Operator.AFTER_TODAY, Operator.WITHIN_DAYS, Operator.OLDER_THAN_DAYS})
"""Operators on dates, which look at the day of the call."""
BARE = frozenset({Operator.EXISTS, Operator.IS_UNKNOWN, Operator.BEFORE_TODAY, Operator.AFTER_TODAY})
"""Operators that take no value."""
_DAYS = frozenset({Operator.WITHIN_DAYS, Operator.OLDER_THAN_DAYS})
_MAX_DAYS = 36_500
_LISTS = frozenset({Operator.IN, Operator.NOT_IN})
_PAIR = 2
_MAX_LIST = 1000


def check_fact(name: str) -> str:
    """Return the name of a fact; a name that is none is refused with the most similar one."""
    _look_up(name)
    return name


def _look_up(name: str) -> FactSpec:
    spec = find_fact(name)
    if spec is None:
        known = [*FACTS, *(f"{prefix}<name>" for prefix in FAMILIES)]
        hint = suggest(name, known) or f"the facts are {', '.join(known)}"
        raise refuse("unknown-fact", f'no fact is called "{name}"', hint)
    return spec


FactName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_fact)]


def _check_column(name: str) -> str:
    if not name.startswith(TABLES):
        raise refuse("no-table-column", "must be a column of a table", "write it like table.brands.queue")
    return name


ColumnName = Annotated[FactName, AfterValidator(_check_column)]


def _read_value(value: object) -> Scalar | tuple[Scalar, ...]:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str | int | float | bool) for item in value):
        return tuple(value)
    raise refuse("wrong-value", "must be a text, a number, true or false, or a list of these")


def _write_value(value: Scalar | tuple[Scalar, ...]) -> Scalar | list[Scalar]:
    return list(value) if isinstance(value, tuple) else value


ConditionValue = Annotated[
    Scalar | tuple[Scalar, ...],
    PlainValidator(_read_value, json_schema_input_type=Scalar | list[str | int | float | bool]),
    PlainSerializer(_write_value),
]


class Leaf(Part):
    """One comparison of one fact."""

    fact: FactName
    op: Operator
    value: ConditionValue = Field(default=None, validate_default=True)

    @property
    def spec(self) -> FactSpec:
        """What the fact means."""
        return _look_up(self.fact)

    @field_validator("value")
    @classmethod
    def _fit_operator(cls, value: Scalar | tuple[Scalar, ...], info: ValidationInfo) -> Scalar | tuple[Scalar, ...]:
        operator = info.data.get("op")
        if operator is not None and (problem := _find_misfit(operator, value)):
            raise problem
        return value


class AllOf(Part):
    """True when every part is; without parts, always."""

    parts: tuple["Condition", ...] = Field(alias="all")


class AnyOf(Part):
    """True when one part is; without parts, never."""

    parts: tuple["Condition", ...] = Field(alias="any")


class Defined(Part):
    """True when the named condition in `define` is."""

    name: Name = Field(alias="defined")


class NotOf(Part):
    """True when its part is false; unknown when its part is unknown."""

    part: "Condition" = Field(alias="not")


def _tag_condition(value: object) -> str:
    if isinstance(value, Mapping):
        return next((f"@{key}" for key in ("all", "any", "not", "defined") if key in value), "@leaf")
    tags: Mapping[type, str] = {AllOf: "@all", AnyOf: "@any", NotOf: "@not", Defined: "@defined"}
    return tags.get(type(value), "@leaf")


Condition = Annotated[
    Annotated[AllOf, Tag("@all")]
    | Annotated[AnyOf, Tag("@any")]
    | Annotated[NotOf, Tag("@not")]
    | Annotated[Defined, Tag("@defined")]
    | Annotated[Leaf, Tag("@leaf")],
    Discriminator(_tag_condition),
]

AllOf.model_rebuild()
AnyOf.model_rebuild()
NotOf.model_rebuild()


class MessageSpec(Part):
    """A text spoken to the caller in one language."""

    culture: str = Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="Language tag, e.g. fi-FI.")
    text: str = Field(min_length=1, max_length=2000)


class Action(Part):
    """One of `redirect`, `split`, `redirect_to_column`, `redirect_to_agent`, `disconnect`, `no_change`, and more."""

    redirect: Name | None = None
    """The name of a destination or a rota."""
    split: dict[Name, Weight] | None = Field(default=None, min_length=2, max_length=20)
    """Destinations by name, each with its weight: the same caller always goes to the same one."""
    redirect_to_column: ColumnName | None = None
    """A table's column that holds the name of a destination, or a number; the rule matches only when it does."""
    redirect_to_agent: FactName | None = None
    """A fact that holds an Enreach user id, or a rota of users; the rule matches only when it does."""
    disconnect: Literal[True] | None = None
    no_change: Literal[True] | None = None
    on_fail: Name | None = None
    """The destination when the target does not take the call."""
    required_agent: FactName | None = None
    """A fact that holds an Enreach user id; the rule matches only when it does."""
    preferred_agents: tuple[FactName, ...] = Field(default=(), max_length=20)
    """Facts that may hold Enreach user ids, best first; one that does not is skipped."""
    priority: Number | None = None
    extra_priority: Number | None = None
    messages: tuple[MessageSpec, ...] = Field(default=(), max_length=20)

    @property
    def choice(self) -> str:
        """Which of them it is."""
        return next(name for name in _CHOICES if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _require_one_choice(self) -> Self:
        chosen = [name for name in _CHOICES if getattr(self, name) is not None]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "nothing"
            raise refuse("not-one-action", f"{found} was chosen", f"choose exactly one of {', '.join(_CHOICES)}")
        return self

    @property
    def destinations(self) -> tuple[tuple[str, str], ...]:
        """Every destination the action names, each after the place where it does: `on_fail`, `split/sales`."""
        named = (("redirect", self.redirect), *((f"split/{name}", name) for name in self.split or ()))
        return tuple((place, name) for place, name in (*named, ("on_fail", self.on_fail)) if name is not None)

    @property
    def needed_agents(self) -> tuple[str, ...]:
        """The agent facts without which the rule does not match."""
        return tuple(dict.fromkeys(fact for fact in (self.redirect_to_agent, self.required_agent) if fact is not None))

    @property
    def agent_facts(self) -> tuple[str, ...]:
        """Every agent fact the action reads."""
        return tuple(dict.fromkeys((*self.needed_agents, *self.preferred_agents)))


class TableUse(Part):
    """How rules find rows of a table."""

    key: FactName
    """The fact whose value is the key of the row, such as `call.called`."""

    @field_validator("key")
    @classmethod
    def _refuse_column(cls, key: str) -> str:
        if key.startswith(TABLES):
            raise refuse("wrong-key", "a row cannot be found by a column of a table", "name a fact of call or caller")
        return key


class Rule(Part):
    """When the condition is true, this is where the call goes."""

    id: Name
    name: str = Field(default="", max_length=200)
    enabled: StrictBool = True
    when: Condition = Field(default_factory=lambda: AllOf.model_validate({"all": ()}))
    """Without one, every call."""
    then: Action
    valid_from: AwareDatetime | None = None
    """The first moment the rule counts."""
    valid_until: AwareDatetime | None = None
    """The first moment it no longer does."""
    share: Annotated[float, Field(ge=0, le=100, strict=True)] | None = None
    """Percentage of callers, by stable hash: the same caller always falls on the same side."""

    @property
    def label(self) -> str:
        """What people call the rule."""
        return self.name or self.id


def expand(condition: Condition, define: Mapping[str, Condition]) -> Condition:
    """Put the named conditions where their names are; raises KeyError for a name that is not defined."""
    match condition:
        case Leaf():
            return condition
        case Defined():
            return expand(define[condition.name], define)
        case NotOf():
            return NotOf.model_construct(part=expand(condition.part, define))
        case AllOf():
            return AllOf.model_construct(None, parts=tuple(expand(part, define) for part in condition.parts))
        case AnyOf():
            return AnyOf.model_construct(None, parts=tuple(expand(part, define) for part in condition.parts))


def list_leaves(condition: Condition, pointer: str = "") -> Iterator[tuple[str, Leaf]]:
    """List every comparison of a condition with its pointer, in the order it is written, but for named conditions."""
    match condition:
        case Defined():
            return
        case Leaf():
            yield pointer, condition
        case NotOf():
            yield from list_leaves(condition.part, f"{pointer}/not")
        case AllOf() | AnyOf():
            word = "all" if isinstance(condition, AllOf) else "any"
            for index, part in enumerate(condition.parts):
                yield from list_leaves(part, f"{pointer}/{word}/{index}")


def list_names(condition: Condition) -> Iterator[str]:
    """List the named conditions that a condition uses itself."""
    match condition:
        case Leaf():
            return
        case Defined():
            yield condition.name
        case NotOf():
            yield from list_names(condition.part)
        case AllOf() | AnyOf():
            for part in condition.parts:
                yield from list_names(part)


def _find_misfit(operator: Operator, value: Scalar | tuple[Scalar, ...]) -> PydanticCustomError | None:
    several = value if isinstance(value, tuple) else ()
    if operator in BARE:
        fits, demand = value is None or value is True, "takes no value"
        hint = "leave the value out; for the opposite put the condition into `not`"
    elif operator in _DAYS:
        fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_DAYS
        demand, hint = f"needs a whole number of days, at most {_MAX_DAYS:,}", "30 is a month, 365 a year"
    elif operator is Operator.IN_TABLE:
        fits = isinstance(value, str) and re.fullmatch(TABLE_NAME, value) is not None
        demand, hint = "needs the name of a table", "as `/admin/tables` lists it"
    elif operator in _LISTS:
        fits, demand, hint = 0 < len(several) <= _MAX_LIST, f"needs a list of 1 to {_MAX_LIST} values", ""
    elif operator is Operator.BETWEEN:
        fits, demand, hint = len(several) == _PAIR, "needs a list of two values", "the first is the lower one"
    else:
        fits, demand = value is not None and not isinstance(value, tuple), "needs one value"
        hint = 'for "has no value" put `exists` into `not`, for a list use `in`'
    return None if fits else refuse("wrong-value", f"`{operator}` {demand}", hint)
