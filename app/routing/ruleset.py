"""The ruleset file: destinations, rules in order, opening hours and tests, as frozen models."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StrictBool

from app.errors import Finding, InvalidInputError
from app.routing.action import Action, MessageSpec, Name
from app.routing.calendars import Calendar, CalendarException, HolidayRegion
from app.routing.condition import AllOf, AnyOf, Condition, Leaf, NotOf
from app.routing.decisions import Destination, DestinationKind
from app.routing.documents import Part, join_pointer, read_document
from app.routing.expectations import AccountStub, CallerStub, Expectation, StoredTest
from app.routing.registry import suggest

__all__ = [
    "DestinationSpec",
    "Rule",
    "Ruleset",
    "find_lost_destinations",
    "list_leaves",
    "read_ruleset",
    "ruleset_document",
]

MAX_RULES = 5_000
MAX_CONDITIONS = 10_000
MAX_CONDITION_DEPTH = 20
_MAX_NAME = 100


class DestinationSpec(Part):
    """A place a call can go, under the name rules use for it."""

    kind: DestinationKind
    id: str = Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")
    """The queue's or user's id, or the number, as Enreach knows it."""
    label: str = Field(default="", max_length=200)
    webhook: StrictBool = True
    """Whether a queue asks this service in its turn; false says that calls redirected there come back no more."""


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


class Ruleset(Part):
    """Ordered rules; the first whose condition is true decides."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """The version of this format."""
    destinations: dict[Name, DestinationSpec] = Field(default={})
    rules: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES)
    calendars: dict[Name, Calendar] = Field(default={})
    default_calendar: Name | None = None
    """The calendar of `time.open`, `time.local` and `time.weekday`; not needed when there is only one."""
    tests: tuple[StoredTest, ...] = Field(default=(), max_length=MAX_RULES)

    def find_destination(self, name: str) -> Destination | None:
        """Return the destination of that name."""
        spec = self.destinations.get(name)
        return None if spec is None else Destination(spec.kind, spec.id, name, spec.label or None)

    @property
    def main_calendar(self) -> str | None:
        """The name of the default calendar; `None` when there is none, or several and no choice."""
        if self.default_calendar is None and len(self.calendars) == 1:
            return next(iter(self.calendars))
        return self.default_calendar


_MODELS: tuple[type[Part], ...] = (
    *(Ruleset, Rule, DestinationSpec, Action, MessageSpec, Calendar, CalendarException, HolidayRegion),
    *(AllOf, AnyOf, NotOf, Leaf, StoredTest, CallerStub, AccountStub, Expectation),
)
_KEYS = frozenset(field.alias or name for model in _MODELS for name, field in model.model_fields.items())


def read_ruleset(document: object) -> Ruleset:
    """Read a parsed ruleset file; raises InvalidInputError with a finding, and its place, for every problem.

    Refused are: anything the format does not know, more than 5,000 rules or 10,000 conditions, conditions nested
    deeper than 20, two rules of one id, a default calendar that does not exist. Whether the rules make sense together
    is for `lint_ruleset` to say.
    """
    try:
        ruleset = read_document(Ruleset, document, _KEYS)
    except InvalidInputError as error:
        findings = [replace(finding, rule=_name_rule(document, finding.pointer)) for finding in error.findings]
        raise InvalidInputError(error.detail, findings=findings) from error
    findings = [*_find_twins(ruleset), *_find_excess(ruleset), *_find_no_calendar(ruleset)]
    if findings:
        raise InvalidInputError("the ruleset is not usable", findings=findings)
    return ruleset


def ruleset_document(ruleset: Ruleset) -> dict[str, Any]:
    """Write the ruleset as JSON values, with what was said and nothing else."""
    return ruleset.model_dump(mode="json", by_alias=True, exclude_unset=True)


def find_lost_destinations(ruleset: Ruleset) -> Iterator[Finding]:
    """Find every destination that a rule names and the ruleset does not have."""
    for index, rule in enumerate(ruleset.rules):
        for word, name in (("redirect", rule.then.redirect), ("on_fail", rule.then.on_fail)):
            if name is not None and name not in ruleset.destinations:
                yield Finding(
                    code="unknown-destination",
                    pointer=join_pointer("rules", index, "then", word),
                    message=f'no destination is called "{name}"',
                    hint=suggest(name, ruleset.destinations) or "add it to `destinations`",
                    rule=rule.id,
                )


def list_leaves(condition: Condition, pointer: str = "") -> Iterator[tuple[str, Leaf]]:
    """List every comparison of a condition with its pointer, in the order it is written."""
    match condition:
        case Leaf():
            yield pointer, condition
        case NotOf():
            yield from list_leaves(condition.part, f"{pointer}/not")
        case AllOf() | AnyOf():
            word = "all" if isinstance(condition, AllOf) else "any"
            for index, part in enumerate(condition.parts):
                yield from list_leaves(part, f"{pointer}/{word}/{index}")


def _name_rule(document: Any, pointer: str) -> str | None:
    """Return the id of the rule a pointer lies in, as far as the document has one."""
    steps = pointer.split("/")
    if steps[1:2] != ["rules"] or len(steps) == 2:  # noqa: PLR2004 - the list of rules itself
        return None
    rule = document["rules"][int(steps[2])]
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


def _find_excess(ruleset: Ruleset) -> Iterator[Finding]:
    conditions = 0
    for index, rule in enumerate(ruleset.rules):
        pointer = join_pointer("rules", index, "when")
        conditions += sum(1 for _ in list_leaves(rule.when))
        if _measure_depth(rule.when) > MAX_CONDITION_DEPTH:
            message = f"conditions are nested deeper than {MAX_CONDITION_DEPTH}"
            yield Finding(code="too-deep", pointer=pointer, message=message, hint="flatten it", rule=rule.id)
    if conditions > MAX_CONDITIONS:
        message = f"{conditions:,} conditions, more than {MAX_CONDITIONS:,}"
        yield Finding(code="too-large", pointer="/rules", message=message, hint="use `in` for alternatives")


def _measure_depth(condition: Condition) -> int:
    match condition:
        case Leaf():
            return 1
        case NotOf():
            return 1 + _measure_depth(condition.part)
        case AllOf() | AnyOf():
            return 1 + max((_measure_depth(part) for part in condition.parts), default=0)


def _find_no_calendar(ruleset: Ruleset) -> Iterator[Finding]:
    name = ruleset.default_calendar
    if name is not None and name not in ruleset.calendars:
        message, hint = f'no calendar is called "{name}"', suggest(name, ruleset.calendars)
        yield Finding(code="unknown-calendar", pointer="/default_calendar", message=message, hint=hint)
