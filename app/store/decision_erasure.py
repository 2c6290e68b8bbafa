"""What is left of a decision once its caller is forgotten.

The decision still counts: time, queue, target, caller status, VIP or not, rule, outcome, priority and timing stay. The
number, the way it was spelled, the platform's call id, and every fact that says who it was (names, ids, CRM columns,
parameters of the call) are replaced by the word `erased`. A replay leaves such decisions out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ERASED", "erase_caller", "spell_for_erasure"]

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
        "caller.age_seconds",
        "caller.kind",
        "caller.matches",
        "caller.open_cases",
        "caller.status",
        "caller.vip",
    }
)


def erase_caller(row: Mapping[Any, Any]) -> dict[str, object]:
    """Give the new values of the columns that say who called; `row` is one row of the table of decisions."""
    spellings = spell_for_erasure(row["caller_e164"], row["caller_raw"])
    return {
        "caller_e164": None,
        "caller_raw": ERASED,
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


def spell_for_erasure(e164: str | None, raw: str | None = None) -> tuple[str, ...]:
    """List the texts that give a number away, longest first; too short ones would hit innocent text."""
    texts = {text for text in (e164, e164 and e164.lstrip("+"), raw) if text and sum(map(str.isdigit, text)) > 4}  # noqa: PLR2004 - an extension
    return tuple(sorted(texts, key=len, reverse=True))


def _erase_fact(name: str, value: object, spellings: Sequence[str]) -> object:
    if name in _IMPERSONAL or name.startswith("time."):
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
