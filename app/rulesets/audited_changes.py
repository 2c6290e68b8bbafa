"""What changed in a ruleset, as the audit keeps it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.routing.diff import Change

__all__ = ["write_changes"]

_MOST = 100


def write_changes(changes: Sequence[Change]) -> dict[str, Any]:
    """Spell the first hundred changes, and count the others."""
    return {
        "changes": [asdict(change) for change in changes[:_MOST]],
        "more_changes": max(0, len(changes) - _MOST),
    }
