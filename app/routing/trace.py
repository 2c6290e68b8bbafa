"""Why a call was decided as it was: every rule, every condition, expected and actual value, and the verdict."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from app.routing.columns import Columns, find_column
from app.routing.compiled_rule import Check, CompiledRule, Outline
from app.routing.decisions import Decision
from app.routing.evaluation import FALSE, TRUE, UNKNOWN
from app.routing.facts import FactValue, Unknown
from app.routing.registry import find_fact
from app.routing.wire import decision_document

__all__ = ["NearMiss", "RuleTrace", "Trace"]

_WORDS = {TRUE: "true", UNKNOWN: "unknown", FALSE: "false"}
_DEMANDS = {
    "is": "must be",
    "is_not": "must not be",
    "in": "must be one of",
    "not_in": "must be none of",
    "lt": "must be below",
    "lte": "must be at most",
    "gt": "must be above",
    "gte": "must be at least",
    "between": "must be between",
    "starts_with": "must start with",
    "ends_with": "must end with",
    "contains": "must contain",
    "before_today": "must lie before today",
    "after_today": "must lie after today",
    "within_days": "must lie within these days from today:",
    "older_than_days": "must be older than these days:",
}
_LOOKED_UP = frozenset({"in_table", "is_destination"})
_MAX_SPELLED = 80


class RuleTrace(msgspec.Struct, frozen=True):
    """One rule and the verdicts of its checks, as numbers (see `conditions`)."""

    rule: CompiledRule
    verdict: int
    verdicts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A rule that one single condition kept from matching."""

    rule: str
    pointer: str
    """The condition, in the ruleset."""
    cause: str | None
    """Why its fact was unknown; `None` when it was known."""
    explanation: str
    """For people, free of names and numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything that was judged for one call; what people read of it is made when it is asked for."""

    revision: int | None
    decision: Decision
    position: int | None
    """The place of the rule that decided; `None` when none matched."""
    rules: tuple[RuleTrace, ...]
    facts: Mapping[str, FactValue]
    columns: Columns
    """What is known about the columns that facts are."""
    at: float
    """The moment, in seconds since the epoch."""

    @property
    def near_misses(self) -> tuple[NearMiss, ...]:
        """The rules ahead of the deciding one (or all, when none matched) that failed on exactly one condition."""
        return tuple(miss for trace in self.rules[: self.position] if (miss := self._find_miss(trace)))

    def explain_rule(self, rule: str) -> str:
        """Say in one line why a rule did not decide; empty when it did, or does not exist."""
        trace = next((trace for trace in self.rules if trace.rule.rule.id == rule), None)
        if trace is None or trace.rule.position == self.position:
            return ""
        if trace.verdict == TRUE:
            return f'"{self.decision.rule}" comes first'
        return "; ".join(self._explain(trace, index) for index in _find_causes(trace))

    def document(self) -> dict[str, Any]:
        """Write the trace as JSON values."""
        return {
            "revision": self.revision,
            "decision": decision_document(self.decision),
            "rules": [self._write_rule(trace) for trace in self.rules],
            "near_misses": [
                {"rule": miss.rule, "pointer": miss.pointer, "cause": miss.cause, "sentence": miss.explanation}
                for miss in self.near_misses
            ],
        }

    def _find_miss(self, trace: RuleTrace) -> NearMiss | None:
        culprits = _find_culprits(trace)
        if len(culprits) != 1:
            return None
        check = trace.rule.checks[culprits[0]]
        actual = check.find_actual(self.facts, self.at)
        return NearMiss(
            rule=trace.rule.rule.id,
            pointer=check.pointer,
            cause=actual.cause.value if isinstance(actual, Unknown) else None,
            explanation=f'"{trace.rule.rule.label}" would have matched, but {self._explain(trace, culprits[0])}.',
        )

    def _explain(self, trace: RuleTrace, index: int) -> str:
        check = trace.rule.checks[index]
        return _explain_check(check, check.find_actual(self.facts, self.at), excluded=trace.verdicts[index] == TRUE)

    def _write_rule(self, trace: RuleTrace) -> dict[str, Any]:
        rule = trace.rule
        return {
            "id": rule.rule.id,
            "name": rule.rule.name,
            "position": rule.position,
            "verdict": _WORDS[trace.verdict],
            "decided": rule.position == self.position,
            "when": self._write_outline(trace, rule.outline),
        }

    def _write_outline(self, trace: RuleTrace, outline: Outline) -> dict[str, Any]:
        if isinstance(outline, int):
            return self._write_check(trace, outline)
        word, parts = outline
        written = [self._write_outline(trace, part) for part in parts]
        verdict = _WORDS[_weigh(outline, trace.verdicts)]
        return {word: written[0] if word == "not" else written, "verdict": verdict}

    def _name_choices(self, check: Check, actual: FactValue) -> dict[str, object]:
        """Tell the labels of expected and actual choices."""
        spec = find_column(self.columns, check.fact)
        if spec is None or not spec.choices:
            return {}
        return {"expected_label": spec.name(check.expected), "actual_label": spec.name(actual)}

    def _write_check(self, trace: RuleTrace, index: int) -> dict[str, Any]:
        check = trace.rule.checks[index]
        actual = check.find_actual(self.facts, self.at)
        return {
            "fact": check.fact,
            "op": check.op,
            **self._name_choices(check, actual),
            "expected": check.expected,
            "actual": None if isinstance(actual, Unknown) else actual,
            "verdict": _WORDS[trace.verdicts[index]],
            "cause": actual.cause.value if isinstance(actual, Unknown) else None,
            "detail": actual.detail if isinstance(actual, Unknown) else "",
            "pointer": check.pointer,
        }


def _weigh(outline: Outline, verdicts: Sequence[int]) -> int:
    if isinstance(outline, int):
        return verdicts[outline]
    word, parts = outline
    weights = [_weigh(part, verdicts) for part in parts]
    if word == "not":
        return -weights[0]
    return min(weights, default=TRUE) if word == "all" else max(weights, default=FALSE)


def _find_culprits(trace: RuleTrace) -> list[int]:
    """Find the checks of a rule that is not true whose other verdict alone would make it true."""
    return [index for index in range(len(trace.verdicts)) if _would_match(trace, index)]


def _would_match(trace: RuleTrace, index: int) -> bool:
    before, after = trace.verdicts[:index], trace.verdicts[index + 1 :]
    return any(trace.rule.combine((*before, other, *after)) == TRUE for other in (TRUE, FALSE))


def _find_causes(trace: RuleTrace) -> list[int]:
    """Find the checks to name for a rule that failed: the culprits, or else whatever is not true."""
    return _find_culprits(trace) or [index for index, verdict in enumerate(trace.verdicts) if verdict != TRUE]


def _explain_check(check: Check, actual: FactValue, *, excluded: bool) -> str:
    """Say why a check does not help its rule; `excluded` when it is true inside a `not`.

    Facts that may tell who somebody is are named without their values.
    """
    if isinstance(actual, Unknown):
        return f"{check.fact} is unknown: {actual.detail or actual.cause.value}"
    match check.fact:
        case "rule.enabled":
            return "it is disabled"
        case "time.now":
            return f"it is valid {'from' if check.op == 'gte' else 'until'} {check.expected}"
        case "rule.share":
            return f"the caller is outside its share of {check.expected:g} %"
        case _ if check.op in _LOOKED_UP and actual is not None:
            return _describe_look_up(check, excluded=excluded)
        case _:
            return _describe_misfit(check, actual, excluded=excluded)


def _describe_look_up(check: Check, *, excluded: bool) -> str:
    if check.op == "in_table":
        return f"{check.fact} is {'' if excluded else 'not '}in the table {_spell(check.expected)}"
    return f"{check.fact} holds neither a destination nor a number"


def _describe_misfit(check: Check, actual: FactValue, *, excluded: bool) -> str:
    spec = find_fact(check.fact)
    if actual is None:
        return f"{check.fact} has no value"
    if check.op == "is_unknown":
        return f"{check.fact} is known"
    if spec is None or spec.personal:
        return f"{check.fact} has {'an excluded' if excluded else 'another'} value"
    said = f"{check.fact} is {_spell(actual)}"
    if check.op == "exists":
        return said
    if excluded:
        return f"{said}, which is excluded"
    return f"{said} and {_DEMANDS[check.op]}{'' if check.expected is None else ' ' + _spell(check.expected)}"


def _spell(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SPELLED else text[:_MAX_SPELLED] + "…"
