"""Columns and tables that an organisation turned out not to have."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from cachetools import TTLCache

from app.dataverse.errors import BadQueryError
from app.dataverse.queries import SearchPlan

__all__ = ["Column", "RefusedColumns"]

_REMEMBERED: Final = 600.0
"""Seconds until a refused column is asked for again; somebody may have added it."""
_MAX: Final = 500
_NAME: Final = re.compile(r"_?[a-z][a-z0-9_]{0,99}")
_BAD_REQUEST: Final = 400
_ANY: Final = "*"

Column = tuple[str, str]
"""Table and column."""


class RefusedColumns:
    """Remembers them, so that a rule that names one breaks no look-up.

    Columns of the settings are never left out: those are mistakes somebody must see.
    """

    def __init__(self, *, plan: SearchPlan, clock: Callable[[], float]) -> None:
        self._required: frozenset[Column] = frozenset(
            {("contact", column) for column in plan.contact_columns | frozenset(plan.contact_phones)}
            | {("account", column) for column in plan.account_columns | frozenset(plan.account_phones)}
        )
        self._refused: TTLCache[Column, None] = TTLCache(maxsize=_MAX, ttl=_REMEMBERED, timer=clock)

    def strip(self, table: str, columns: frozenset[str]) -> frozenset[str]:
        """Leave out columns known to be refused, and names that cannot be columns."""
        return frozenset(c for c in columns if _NAME.fullmatch(c) is not None and (table, c) not in self._refused)

    def learn(self, error: BadQueryError, asked: Iterable[Column]) -> bool:
        """Remember the columns behind a refusal; returns whether asking again without them makes sense.

        When the message names no column, every column that only rules asked for is suspected, unless the status says
        that something else was wrong.
        """
        if error.facts.http_status != _BAD_REQUEST:
            return False
        suspects = frozenset(asked) - self._required
        if error.facts.column is not None:
            suspects &= {(error.facts.table or "", error.facts.column)}
        self._refused.update(dict.fromkeys(suspects))
        return bool(suspects)

    def note_absent(self, table: str) -> None:
        """Remember that there is no such table, or none that this service may read."""
        self._refused[table, _ANY] = None

    def has(self, table: str) -> bool:
        """Tell whether asking for the table may work."""
        return (table, _ANY) not in self._refused
