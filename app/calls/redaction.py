"""Hides who called from whoever may see what was decided."""

import re
from collections.abc import Mapping
from typing import Any

from app.calls.erasure import ERASED
from app.routing.numbers import mask

__all__ = ["HIDDEN", "redact_facts", "redact_identifier", "redact_number", "redact_trace"]

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


def redact_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """Mask the caller's number and hide the name and the columns of the caller's record; causes stay."""
    return {_redact_name(name): _redact(name, value) for name, value in facts.items()}


def redact_trace(trace: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same in a trace document, wherever a condition shows what a fact was or should have been."""
    rules = [{**rule, "when": _redact_condition(rule["when"])} for rule in trace["rules"]]
    return {**trace, "rules": rules}


def redact_number(text: str) -> str:
    """Mask a number; the word that stands for an erased one stays readable."""
    return text if text == ERASED else mask(text)


def redact_identifier(text: str) -> str:
    """Mask what looks like a phone number in an identifier, because some queues send one in its place."""
    return _LIKE_A_NUMBER.sub(lambda found: found[0] if found["guid"] else mask(found[0]), text)


def _redact_name(fact: str) -> str:
    """Mask the name of a parameter too: whoever calls chose it."""
    return redact_identifier(fact) if fact.startswith(_PARAMETERS) else fact


def _redact_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    if "fact" in condition:
        fact = condition["fact"]
        return {**condition, **{key: _redact(fact, condition[key]) for key in ("expected", "actual")}}
    return {
        word: [_redact_condition(part) for part in parts]
        if isinstance(parts, list)
        else _redact_condition(parts)
        if word == "not"
        else parts
        for word, parts in condition.items()
    }


def _redact(fact: str, value: object) -> object:
    if value is None or isinstance(value, bool | Mapping):
        return value
    if fact in _NUMBERS or fact in _IDENTIFIERS:
        hide = redact_number if fact in _NUMBERS else redact_identifier
        return [hide(str(item)) for item in value] if isinstance(value, list) else hide(str(value))
    return HIDDEN if fact in _NAMES or fact.startswith(_FAMILIES) else value
