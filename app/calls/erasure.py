"""What is left of decisions once a number is forgotten, in the database and in the lines that no database took.

The decision still counts: time, queue, target, caller status, VIP or not, rule, outcome, priority and timing stay. The
number, the way it was spelled, the platform's call id, and every fact that says who it was (names, ids, CRM columns,
parameters of the call) are replaced by the word `erased`. Where it is the number that was called, it is replaced
wherever it stands, and who called stays. A replay leaves such decisions out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import phonenumbers

__all__ = ["ERASED", "erase_called", "erase_caller", "erase_rejected_lines", "purge_rejected_lines"]

ERASED = "erased"

_IMPERSONAL = frozenset(
    {
        "call.called",
        "call.country",
        "call.culture",
        "call.internal",
        "call.queue_id",
        "call.target_id",
        "call.user_id",
        "call.withheld",
        "account.parent.vip",
        "caller.age_seconds",
        "caller.callback_pending",
        "caller.calls.last_day",
        "caller.calls.last_hour",
        "caller.case.age_hours",
        "caller.case.escalated",
        "caller.case.priority",
        "caller.confidence",
        "caller.kind",
        "caller.last_destination",
        "caller.match",
        "caller.matches",
        "caller.explanation",
        "caller.open_cases",
        "caller.status",
        "caller.vip",
    }
)
_TEXTS = ("call_id", "caller_raw", "called_raw", "target_id", "queue_id", "facts", "decision", "body")
_SHORTEST = 5
"""Digits; fewer may be an extension, and would hit innocent text."""


def erase_caller(row: Mapping[Any, Any]) -> dict[str, object]:
    """Give the new values of the columns that say who called; `row` is one row of the table of decisions."""
    spellings = _list_spellings(row["caller_e164"], row["caller_raw"])
    own = row["called_e164"] == row["caller_e164"]
    return {
        "caller_e164": None,
        "caller_raw": ERASED,
        "called_e164": None if own else row["called_e164"],
        "called_raw": ERASED if own else _erase_text(row["called_raw"], spellings),
        "call_id": None,
        "target_id": _erase_text(row["target_id"], spellings),
        "queue_id": _erase_text(row["queue_id"], spellings),
        "facts": {
            _erase_text(name, spellings): _erase_fact(name, value, spellings) for name, value in row["facts"].items()
        },
        "decision": _erase_text(row["decision"], spellings),
        "body": _erase_text(row["body"], spellings),
        "erased": True,
    }


def erase_called(row: Mapping[Any, Any]) -> dict[str, object]:
    """Give the new values of the columns that say who was called; `row` is one row of the table of decisions."""
    spellings = _list_spellings(row["called_e164"], row["called_raw"])
    kept = {name: _erase_text(row[name], spellings) for name in _TEXTS}
    return {**kept, "caller_e164": row["caller_e164"], "called_e164": None, "called_raw": ERASED, "erased": True}


def erase_rejected_lines(folder: Path, e164: str) -> int:
    """Delete the rejected lines of a journal folder that name this number, and return how many; raises OSError."""
    return sum(_erase_lines(path, e164) for path in folder.glob("*.rejected"))


def purge_rejected_lines(folder: Path, before: float) -> int:
    """Delete files of rejected lines that got none since `before` (seconds since the epoch), and return how many."""
    old = [path for path in folder.glob("*.rejected") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _list_spellings(e164: str | None, raw: str | None = None) -> tuple[str, ...]:
    """List the texts that give a number away, longest first; too short ones would hit innocent text."""
    texts = (e164, e164 and e164.lstrip("+"), e164 and _spell_at_home(e164), raw)
    telling = {text for text in texts if text and sum(map(str.isdigit, text)) >= _SHORTEST}
    return tuple(sorted(telling, key=len, reverse=True))


def _spell_at_home(e164: str) -> str:
    """Leave out the country code."""
    try:
        return str(phonenumbers.parse(e164).national_number)
    except phonenumbers.NumberParseException:
        return ""


def _erase_fact(name: str, value: object, spellings: Sequence[str]) -> object:
    if name in _IMPERSONAL or name.startswith(("time.", "switch.", "in_table.")):
        return _erase_text(value, spellings)
    unknown = isinstance(value, Mapping) and "unknown" in value
    return value if value is None or unknown else ERASED


def _erase_text(value: Any, spellings: Sequence[str]) -> Any:
    """Replace the spellings wherever they occur in a JSON value."""
    if isinstance(value, str):
        for spelling in spellings:
            value = value.replace(spelling, ERASED)
        return value
    if isinstance(value, Mapping):
        return {name: _erase_text(member, spellings) for name, member in value.items()}
    if isinstance(value, Sequence):
        return [_erase_text(member, spellings) for member in value]
    return value


def _erase_lines(path: Path, e164: str) -> int:
    spellings = [spelling.encode() for spelling in _list_spellings(e164)]
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not any(spelling in line for spelling in spellings)]
    if len(kept) < len(lines):
        path.write_bytes(b"".join(kept))
    return len(lines) - len(kept)
