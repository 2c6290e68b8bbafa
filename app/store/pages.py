"""One page of a long list, and where the next one starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import InvalidInputError

__all__ = ["Page", "cut_page", "read_cursor"]

T = TypeVar("T")
_MAX = 10
"""Digits; what fits into every column that is paged by number."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, in its order."""

    items: tuple[T, ...]
    next: str | None
    """The cursor to ask the next page with; `None` on the last one."""


def cut_page(items: Sequence[T], cursors: Sequence[object], limit: int) -> Page[T]:
    """Make a page of at most `limit` items from a query that asked for one more; `cursors` are the items' keys."""
    more = len(items) > limit
    return Page(tuple(items[:limit]), str(cursors[limit - 1]) if more else None)


def read_cursor(cursor: str) -> int:
    """Read a cursor that is a number; raises InvalidInputError for one that never came from here."""
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < _MAX):
        raise InvalidInputError("the cursor is not one that a page of this list gave")
    return int(cursor)
