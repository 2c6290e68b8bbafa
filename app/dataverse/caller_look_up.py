"""Everything Dataverse knows about one number, in two parallel questions."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog
from cachetools import TTLCache

from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import BadQueryError, DataverseError, RecordNotFoundError
from app.dataverse.queries import (
    SearchPlan,
    build_account_query,
    build_case_query,
    build_contact_query,
    write_literals,
)
from app.dataverse.records import LOOKUP_TYPES, count_cases, read_accounts, read_contacts
from app.routing.callers import LookUp, Match, Selection
from app.routing.numbers import spell_number

__all__ = ["CallerLookUp"]

log = structlog.get_logger()

_REMEMBERED: Final = 600.0
"""Seconds until a refused column is asked for again; somebody may have added it."""
_MAX: Final = 500
_NAME: Final = re.compile(r"_?[a-z][a-z0-9_]{0,99}")
_BAD_REQUEST: Final = 400
_CASES: Final = ("incident", "*")

_Column = tuple[str, str]
"""Table and column."""
_Build = Callable[[SearchPlan, Selection, Sequence[str]], str]


class CallerLookUp:
    """Finds the active contacts and accounts that carry a number (Dataverse contract, section 3.4)."""

    def __init__(
        self,
        *,
        client: DataverseClient,
        plan: SearchPlan,
        region: str,
        patterns: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._plan = plan
        self._region = region
        self._patterns = patterns
        self._refused = _RefusedColumns(plan=plan, clock=clock)

    async def look_up(self, e164: str, selection: Selection) -> LookUp:
        """Read every record with this number and what the selection wants of it.

        Columns of the selection that the organisation does not know are left out and logged; cases that cannot be
        read do not fail the look-up. Raises DataverseError, among them BadQueryError for unknown columns of the
        settings; it has no deadline of its own.
        """
        matches = await self._find_matches(e164, selection)
        cases, failed = await self._count_cases(matches) if selection.open_cases else (None, False)
        return LookUp(matches=matches, open_cases=cases, open_cases_failed=failed)

    async def _find_matches(self, e164: str, selection: Selection) -> tuple[Match, ...]:
        literals = write_literals(spell_number(e164, self._patterns))
        contact_rows, account_rows = await _gather_both(
            self._ask(build_contact_query, selection, literals),
            self._ask(build_account_query, selection, literals),
        )
        known = self._refused.strip(selection)
        contacts = read_contacts(contact_rows, self._plan, known, e164=e164, region=self._region)
        accounts = read_accounts(account_rows, self._plan, known, e164=e164, region=self._region)
        return (*contacts, *accounts)

    async def _ask(self, build: _Build, selection: Selection, literals: Sequence[str]) -> Row:
        """Ask; when columns of the selection are refused, ask again without them."""
        while True:
            asked = self._refused.strip(selection)
            try:
                return await self._client.get_json(build(self._plan, asked, literals), prefer=(LOOKUP_TYPES,))
            except BadQueryError as error:
                if not self._refused.learn(error, asked):
                    raise
                log.warning("dataverse.column_refused", table=error.facts.table, column=error.facts.column)

    async def _count_cases(self, matches: tuple[Match, ...]) -> tuple[Mapping[str, int] | None, bool]:
        """Return the active cases by customer, and whether that failed; without a table of cases there are none."""
        customers = {match.id for match in matches} | {match.account.id for match in matches if match.account}
        if not customers or not self._refused.has_cases:
            return {}, False
        try:
            return count_cases(await self._client.get_json(build_case_query(customers))), False
        except RecordNotFoundError:
            self._refused.note_no_cases()
            return {}, False
        except DataverseError as error:
            log.warning("dataverse.cases_failed", **error.describe())
            return None, True


class _RefusedColumns:
    """Columns this organisation turned out not to have, so that a rule that names one breaks no look-up.

    Columns of the settings are never left out: those are mistakes somebody must see.
    """

    def __init__(self, *, plan: SearchPlan, clock: Callable[[], float]) -> None:
        self._required: frozenset[_Column] = frozenset(
            {("contact", column) for column in plan.contact_columns | frozenset(plan.contact_phones)}
            | {("account", column) for column in plan.account_columns | frozenset(plan.account_phones)}
        )
        self._refused: TTLCache[_Column, None] = TTLCache(maxsize=_MAX, ttl=_REMEMBERED, timer=clock)

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


def _list_columns(selection: Selection) -> frozenset[_Column]:
    """List the columns of a selection with their tables."""
    contact = {("contact", column) for column in selection.contact_columns}
    return frozenset(contact | {("account", column) for column in selection.account_columns})


async def _gather_both(first: Coroutine[Any, Any, Row], second: Coroutine[Any, Any, Row]) -> tuple[Row, Row]:
    """Run both at once; when one fails the other is stopped, and the failure itself is raised."""
    errors: Sequence[BaseException] = ()
    try:
        async with asyncio.TaskGroup() as group:
            other = group.create_task(second)
            rows = await first
    except* DataverseError as failed:
        errors = failed.exceptions
    if errors:
        raise errors[0]
    return rows, other.result()
