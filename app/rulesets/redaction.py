"""Hides whom rulesets and their tests name from whoever may not see numbers.

Conditions on who is calling, stored calls and callers, and whatever looks like a number in any text are hidden; rules,
destinations, calendars and what tests expect stay readable.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from app.calls.redaction import HIDDEN, redact_facts
from app.errors import Finding
from app.observability.redaction import redact_text
from app.routing.diff import Change
from app.rulesets.repository import FoundRuleset
from app.rulesets.store import Draft, DraftHead, RevisionHead

__all__ = ["redact_change", "redact_finding", "redact_found", "redact_head", "redact_texts"]

_CALL_IDENTIFIERS = frozenset({"bnum", "targetid"})
_IMPERSONAL = frozenset(
    {
        "age_seconds",
        "cause",
        "confidence",
        "kind",
        "match",
        "matches",
        "open_cases",
        "open_cases_cause",
        "owner_agent_cause",
        "status",
        "callback_pending",
        "calls",
        "last_destination",
        "vip",
    }
)
"""What a test may say of a caller without saying who it is."""
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_QUOTING_PLACES = ("/value", "/redirect_to_column")
"""Findings there quote what a condition, or a table, says."""
_QUOTING_FACTS = frozenset({"redirect-loop"})
"""Findings whose text tells values of facts."""


Head = TypeVar("Head", DraftHead, Draft, RevisionHead)


def redact_found(found: FoundRuleset) -> FoundRuleset:
    """Hide whom a draft or a revision names."""
    return replace(
        found,
        document={key: _redact_part(key, value) for key, value in found.document.items()},
        head=None if found.head is None else redact_head(found.head),
        draft=None if found.draft is None else redact_head(found.draft),
    )


def redact_head(head: Head) -> Head:
    """Hide numbers in the name of a draft or the comment of a revision."""
    if isinstance(head, RevisionHead):
        return replace(head, comment=redact_text(head.comment))
    return replace(head, name=redact_text(head.name))


def redact_change(change: Change) -> Change:
    """Hide whom a difference between two rulesets names."""
    before, after = (_redact_side(change, side) for side in (change.before, change.after))
    return replace(change, id=redact_text(change.id), before=before, after=after)


def redact_finding(finding: Finding) -> Finding:
    """Hide values that a finding quotes from a condition, and numbers wherever they stand."""
    message, hint = redact_text(finding.message), redact_text(finding.hint)
    if finding.pointer.endswith(_QUOTING_PLACES) or finding.code in _QUOTING_FACTS:
        message, hint = (_QUOTED.sub(f'"{HIDDEN}"', text) for text in (message, hint))
    return replace(finding, message=message, hint=hint)


def redact_texts(value: Any) -> Any:
    """Hide what looks like a number in every text of a JSON value."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {name: redact_texts(member) for name, member in value.items()}
    return [redact_texts(item) for item in value] if isinstance(value, list | tuple) else value


def _redact_part(key: str, value: Any) -> Any:
    if key == "rules":
        return [_redact_rule(rule) for rule in value]
    if key == "tests":
        return [_redact_test(test) for test in value]
    if key == "define":
        return {name: _redact_condition(condition) for name, condition in value.items()}
    # Numbers that calls are sent to are places of the organisation, not callers.
    return value if key == "destinations" else redact_texts(value)


def _redact_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    hidden: dict[str, Any] = redact_texts({name: value for name, value in rule.items() if name != "when"})
    return {**hidden, "when": _redact_condition(rule["when"])} if "when" in rule else hidden


def _redact_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    if "defined" in condition:
        return dict(condition)
    if "fact" in condition:
        fact = redact_text(str(condition["fact"]))
        # What `in_table` is followed by is the name of a table.
        named = condition.get("op") == "in_table"
        value = condition.get("value") if named else redact_facts({fact: condition.get("value")})[fact]
        return {**condition, "fact": fact, **({"value": redact_texts(value)} if "value" in condition else {})}
    return {
        word: [_redact_condition(part) for part in parts] if isinstance(parts, list) else _redact_condition(parts)
        for word, parts in condition.items()
    }


def _redact_test(test: Mapping[str, Any]) -> dict[str, Any]:
    shown = ("name", "at", "switches", "expect")
    hidden: dict[str, Any] = {name: redact_texts(test[name]) for name in shown if name in test}
    call, caller, facts = test.get("call") or {}, test.get("caller"), test.get("facts")
    hidden["call"] = {
        name: redact_texts(value) if name in _CALL_IDENTIFIERS or value is None else HIDDEN
        for name, value in call.items()
    }
    if caller is not None:
        hidden["caller"] = {name: value if name in _IMPERSONAL else HIDDEN for name, value in caller.items()}
    if "tables" in test:
        hidden["tables"] = dict.fromkeys(test["tables"], HIDDEN)
    if facts is not None:
        hidden["facts"] = redact_texts(redact_facts(facts))
    return hidden


def _redact_side(change: Change, value: Any) -> Any:
    whole = isinstance(value, Mapping) and change.kind in {"added", "removed"}
    if value is None or change.kind == "moved" or change.part == "destination":
        return value
    if change.part == "test":
        return _redact_test(value) if whole else HIDDEN
    if change.part == "condition" or (change.part == "rule" and "/when" in change.pointer):
        return _redact_condition(value) if isinstance(value, Mapping) else HIDDEN
    return _redact_rule(value) if change.part == "rule" and whole else redact_texts(value)
