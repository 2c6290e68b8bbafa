"""What this organisation turned out not to have, remembered for a while."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cachetools import TTLCache

from app.dataverse.errors import BadQueryError
from app.dataverse.queries import SearchPlan
from app.routing.callers import Selection

__all__ = ["Refusals"]

_REMEMBERED: Final = 600.0
"""Seconds until a refused column is asked for again; somebody may have added it."""
_MAX: Final = 500
_NAME: Final = re.compile(r"_?[a-z][a-z0-9_]{0,99}")
_BAD_REQUEST: Final = 400
_CASES: Final = ("incident", "*")

Column = tuple[str, str]
"""Table and column."""


class Refusals:
    """Keeps a rule that names an unknown column from breaking every look-up.

    Columns of the settings are never left out: those are mistakes somebody must see.
    """

    def __init__(self, *, plan: SearchPlan, clock: Callable[[], float]) -> None:
        self._required: frozenset[Column] = frozenset(
            {("contact", column) for column in plan.contact_columns | frozenset(plan.contact_phones)}
            | {("account", column) for column in plan.account_columns | frozenset(plan.account_phones)}
        )
        self._refused: TTLCache[Column, None] = TTLCache(maxsize=_MAX, ttl=_REMEMBERED, timer=clock)

    def strip(self, selection: Selection) -> Selection:
        """Return the selection without columns known to be refused, and without names that cannot be columns."""
        if not selection.contact_columns and not selection.account_columns:
            return selection
        return replace(
            selection,
            contact_columns=frozenset(c for c in selection.contact_columns if self._may_ask("contact", c)),
            account_columns=frozenset(c for c in selection.account_columns if self._may_ask("account", c)),
        )

    def learn(self, error: BadQueryError, asked: Selection) -> bool:
        """Remember the columns behind a refusal; returns whether asking again without them makes sense.

        When the message names no column, every column that only rules asked for is suspected, unless the status says
        that something else was wrong.
        """
        if error.facts.http_status != _BAD_REQUEST:
            return False
        asked_for = _list_columns(asked) - self._required
        if error.facts.column is None:
            suspects = asked_for
        else:
            suspects = asked_for & {(error.facts.table or "", error.facts.column)}
        self._refused.update(dict.fromkeys(suspects))
        return bool(suspects)

    def note_no_cases(self) -> None:
        """Remember that there is no table of cases."""
        self._refused[_CASES] = None

    @property
    def has_cases(self) -> bool:
        """Whether asking for cases may work."""
        return _CASES not in self._refused

    def _may_ask(self, table: str, column: str) -> bool:
        return _NAME.fullmatch(column) is not None and (table, column) not in self._refused


def _list_columns(selection: Selection) -> frozenset[Column]:
    """List the columns of a selection with their tables."""
    contact = {("contact", column) for column in selection.contact_columns}
    return frozenset(contact | {("account", column) for column in selection.account_columns})
