"""Hides who called from whoever may see what was decided."""

import re
from collections.abc import Mapping
from typing import Any

from app.calls.decision_erasure import ERASED
from app.routing.numbers import mask

__all__ = ["HIDDEN", "conceal_facts", "conceal_identifier", "conceal_number", "conceal_trace"]

HIDDEN = "(hidden)"

_NAMES = frozenset({"caller.name"})
_NUMBERS = frozenset({"call.caller"})
_IDENTIFIERS = frozenset({"call.id", "call.target_id", "call.queue_id", "call.user_id"})
_LIKE_A_NUMBER = re.compile(
    r"(?P<guid>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
    r"|(?<![0-9a-z])\+?[0-9](?:[ ().\-/]{0,2}[0-9]){6,}(?![0-9a-z])"
    r"|(?<![0-9a-f])[0-9]{10,15}(?![0-9a-f])",
    re.IGNORECASE,
)
_PARAMETERS = "call.parameters."
_FAMILIES = ("caller.columns.", _PARAMETERS)
"""Values of unknown content, which may be anything about a person."""


def conceal_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """Mask the caller's number and hide the name and the columns of the caller's record; causes stay."""
    return {_conceal_name(name): _conceal(name, value) for name, value in facts.items()}


def conceal_trace(trace: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same in a trace document, wherever a condition shows what a fact was or should have been."""
    rules = [{**rule, "when": _conceal_condition(rule["when"])} for rule in trace["rules"]]
    return {**trace, "rules": rules}


def conceal_number(text: str) -> str:
    """Mask a number; the word that stands for an erased one stays readable."""
    return text if text == ERASED else mask(text)


def conceal_identifier(text: str) -> str:
    """Mask what looks like a phone number in an identifier, because some queues send one in its place."""
    return _LIKE_A_NUMBER.sub(lambda found: found[0] if found["guid"] else mask(found[0]), text)


def _conceal_name(fact: str) -> str:
    """Mask the name of a parameter too: whoever calls chose it."""
    return conceal_identifier(fact) if fact.startswith(_PARAMETERS) else fact


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
    if fact in _NUMBERS or fact in _IDENTIFIERS:
        conceal = conceal_number if fact in _NUMBERS else conceal_identifier
        return [conceal(str(item)) for item in value] if isinstance(value, list) else conceal(str(value))
    return HIDDEN if fact in _NAMES or fact.startswith(_FAMILIES) else value
