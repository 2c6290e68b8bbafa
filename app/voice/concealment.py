"""Hides who called from whoever may see what was decided."""

from collections.abc import Mapping
from typing import Any

from app.routing.numbers import mask

__all__ = ["HIDDEN", "conceal_facts", "conceal_trace"]

HIDDEN = "(hidden)"

_NAMES = frozenset({"caller.name"})
_NUMBERS = frozenset({"call.caller"})
_FAMILIES = ("caller.columns.", "call.parameters.")
"""Values of unknown content, which may be anything about a person."""


def conceal_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """Mask the caller's number and hide the name and the columns of the caller's record; causes stay."""
    return {name: _conceal(name, value) for name, value in facts.items()}


def conceal_trace(trace: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same in a trace document, wherever a condition shows what a fact was or should have been."""
    rules = [{**rule, "when": _conceal_condition(rule["when"])} for rule in trace["rules"]]
    return {**trace, "rules": rules}


def _conceal_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    if "fact" in condition:
        fact = condition["fact"]
        return {**condition, **{key: _conceal(fact, condition[key]) for key in ("expected", "actual")}}
    return {
        word: [_conceal_condition(part) for part in parts]
        if isinstance(parts, list)
        else _conceal_condition(parts)
        if word == "not"
        else parts
        for word, parts in condition.items()
    }


def _conceal(fact: str, value: object) -> object:
    if value is None or isinstance(value, bool | Mapping):
        return value
    if fact in _NUMBERS:
        return [mask(str(item)) for item in value] if isinstance(value, list) else mask(str(value))
    return HIDDEN if fact in _NAMES or fact.startswith(_FAMILIES) else value
