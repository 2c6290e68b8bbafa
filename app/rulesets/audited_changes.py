"""What changed in a ruleset, as the audit keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from app.routing.diff import Change
from app.store.audit import AuditNote

__all__ = ["note_revision", "write_changes"]

_MAX = 100


def write_changes(changes: Sequence[Change]) -> dict[str, Any]:
    """Spell the first hundred changes, and count the others."""
    return {
        "changes": [asdict(change) for change in changes[:_MAX]],
        "more_changes": max(0, len(changes) - _MAX),
    }


def note_revision(what: str, *, before: int | None, author: str, at: float, details: Mapping[str, object]) -> AuditNote:
    """Note the revision that follows `before`, the current one; the store writes no other after it."""
    number = (before or 0) + 1
    return AuditNote(
        at=at,
        who=author,
        what=what,
        target=f"ruleset/{number}",
        before={"revision": before},
        after={"revision": number, **details},
    )
