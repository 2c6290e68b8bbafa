"""Sentences about a condition that was not met, free of names and numbers."""

import json

from app.routing.checks import Check
from app.routing.facts import FactValue, Unknown
from app.routing.registry import find_fact

__all__ = ["explain_leaf"]

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
}
_MAX = 80


def explain_leaf(check: Check, actual: FactValue, *, excluded: bool) -> str:
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
        case _:
            return _describe_misfit(check, actual, excluded=excluded)


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
    return f"{said}, which is excluded" if excluded else f"{said} and {_DEMANDS[check.op]} {_spell(check.expected)}"


def _spell(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX else text[:_MAX] + "…"
