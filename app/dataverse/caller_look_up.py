"""Everything Dataverse knows about one number, in two parallel questions."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import structlog

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
from app.dataverse.refusals import Refusals
from app.routing.callers import LookUp, Match, Selection
from app.routing.numbers import spell_number

__all__ = ["CallerLookUp"]

log = structlog.get_logger()

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
        self._refusals = Refusals(plan=plan, clock=clock)

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
        known = self._refusals.strip(selection)
        contacts = read_contacts(contact_rows, self._plan, known, e164=e164, region=self._region)
        accounts = read_accounts(account_rows, self._plan, known, e164=e164, region=self._region)
        return (*contacts, *accounts)

    async def _ask(self, build: _Build, selection: Selection, literals: Sequence[str]) -> Row:
        """Ask; when columns of the selection are refused, ask again without them."""
        while True:
            asked = self._refusals.strip(selection)
            try:
                return await self._client.get_json(build(self._plan, asked, literals), prefer=(LOOKUP_TYPES,))
            except BadQueryError as error:
                if not self._refusals.learn(error, asked):
                    raise
                log.warning("dataverse.column_refused", table=error.facts.table, column=error.facts.column)

    async def _count_cases(self, matches: tuple[Match, ...]) -> tuple[Mapping[str, int] | None, bool]:
        """Return the active cases by customer, and whether that failed; without a table of cases there are none."""
        customers = {match.id for match in matches} | {match.account.id for match in matches if match.account}
        if not customers or not self._refusals.has_cases:
            return {}, False
        try:
            return count_cases(await self._client.get_json(build_case_query(customers))), False
        except RecordNotFoundError:
            self._refusals.note_no_cases()
            return {}, False
        except DataverseError as error:
            log.warning("dataverse.cases_failed", **error.describe())
            return None, True


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
