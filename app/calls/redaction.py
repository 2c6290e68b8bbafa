"""Hides who called from whoever may see what was decided."""

from collections.abc import Mapping
from typing import Any

from app.calls.erasure import ERASED
from app.observability.redaction import redact_identifier
from app.observability.redaction import redact_number as hide_number

__all__ = ["HIDDEN", "hides", "redact_facts", "redact_number", "redact_trace"]

HIDDEN = "(hidden)"

_NAMES = frozenset({"caller.name"})
_NUMBERS = frozenset({"call.caller"})
_IDENTIFIERS = frozenset({"call.id", "call.target_id", "call.queue_id", "call.user_id"})
_PARAMETERS = "call.parameters."
_COLUMNS = ("caller.columns.", "caller.any.columns.", "caller.case.columns.")
_SHOWN = ("expected", "actual", "expected_label", "actual_label")
"""What a trace shows of a fact."""
_FAMILIES = (*_COLUMNS, _PARAMETERS, "table.")
"""Values of unknown content, which may be anything about a person."""


def redact_facts(facts: Mapping[str, object]) -> dict[str, object]:
    """Redact the caller's number and hide the name and the columns of the caller's record; causes stay."""
    return {_redact_name(name): _redact(name, value) for name, value in facts.items()}


def redact_trace(trace: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same in a trace document, wherever a condition shows what a fact was or should have been."""
    rules = [{**rule, "when": _redact_condition(rule["when"])} for rule in trace["rules"]]
    return {**trace, "rules": rules}


def redact_number(text: str) -> str:
    """Redact a number; the word that stands for an erased one stays readable."""
    return text if text == ERASED else hide_number(text)


def hides(fact: str) -> bool:
    """Tell whether a fact that the CRM tells is hidden from whoever may not see full numbers and names."""
    return fact in _NAMES or fact.startswith(_COLUMNS)


def _redact_name(fact: str) -> str:
    """Redact the name of a parameter too: whoever calls chose it."""
    return redact_identifier(fact) if fact.startswith(_PARAMETERS) else fact


def _redact_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    if "fact" in condition:
        fact = condition["fact"]
        shown = {**condition, **{key: _redact(fact, condition[key]) for key in _SHOWN if key in condition}}
        # What `in_table` expects is the name of a table.
        return {**shown, "expected": condition["expected"]} if condition["op"] == "in_table" else shown
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
        redact = redact_number if fact in _NUMBERS else redact_identifier
        return [redact(str(item)) for item in value] if isinstance(value, list) else redact(str(value))
    return HIDDEN if fact in _NAMES or fact.startswith(_FAMILIES) else value
