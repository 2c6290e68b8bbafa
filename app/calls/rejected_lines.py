"""The lines of the journal that no database took: kept for an operator to look at, not for ever."""

from pathlib import Path

from app.calls.decision_erasure import spell_for_erasure

__all__ = ["erase_rejected", "purge_rejected"]


def erase_rejected(folder: Path, e164: str) -> int:
    """Delete the rejected lines of a journal folder that name this number, and return how many; raises OSError."""
    return sum(_erase_lines(path, e164) for path in folder.glob("*.rejected"))


def purge_rejected(folder: Path, before: float) -> int:
    """Delete files of rejected lines that got none since `before` (seconds since the epoch), and return how many."""
    old = [path for path in folder.glob("*.rejected") if path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _erase_lines(path: Path, e164: str) -> int:
    spellings = [spelling.encode() for spelling in spell_for_erasure(e164)]
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not any(spelling in line for spelling in spellings)]
    if len(kept) < len(lines):
        path.write_bytes(b"".join(kept))
    return len(lines) - len(kept)
