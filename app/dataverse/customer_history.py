"""What customers have to do with us, as far as rules ask: their open cases, and phone-call activities about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from app.dataverse.client import Reads, Row, read_rows
from app.dataverse.errors import BadQueryError, DataverseError, RecordNotFoundError
from app.dataverse.queries import MAX_CASES, MAX_PHONE_CALLS, SearchPlan, build_case_query, build_phone_call_query
from app.dataverse.records import LOOKUP_TYPES, count_cases, read_newest_cases, read_phone_calls
from app.dataverse.refused_columns import RefusedColumns
from app.routing.callers import LookUp, Match, Selection
from app.routing.related import list_customers
from app.single_flight import gather_or_cancel

__all__ = ["CustomerHistory"]

log = structlog.get_logger()

_History = tuple[dict[str, Any], DataverseError | None]
"""Members of a look-up, and why they could not be had."""


class CustomerHistory:
    """Asks for cases and phone calls at the same time, one request each (Dataverse contract, sections 2.4 and 7.5)."""

    def __init__(self, *, client: Reads, plan: SearchPlan, refused: RefusedColumns) -> None:
        self._client = client
        self._plan = plan
        self._refused = refused

    async def add(
        self, found: Mapping[str, LookUp], selection: Selection
    ) -> tuple[Mapping[str, LookUp], DataverseError | None]:
        """Add what the selection wants of these matches, by number.

        What could not be had is marked, and the error comes along. A table that is not there holds nothing.
        """
        matches = [each.matches for each in found.values() if each.matches]
        (cases, no_cases), (calls, no_calls) = await gather_or_cancel(
            self._read_cases(matches, selection), self._read_phone_calls(matches, selection)
        )
        error = no_cases or no_calls
        if error is not None:
            cases = {**cases, "failure": error.cause}
        return {e164: replace(each, **cases, **calls) for e164, each in found.items()}, error

    async def _read_cases(self, found: Sequence[Sequence[Match]], selection: Selection) -> _History:
        if not selection.open_cases:
            return {}, None
        customers = [frozenset(each for match in matches for each in list_customers(match)) for matches in found]
        if not customers or not self._refused.has("incident"):
            return {"open_cases": {}}, None
        try:
            rows = await self._ask_cases(frozenset().union(*customers), len(customers) * MAX_CASES, selection)
            if len(customers) > 1 and len(rows) == len(customers) * MAX_CASES:
                # One customer may have crowded the others out of the answer.
                rows = [row for each in customers for row in await self._ask_cases(each, MAX_CASES, selection)]
            newest = read_newest_cases(rows, self._plan, selection) if selection.newest_case else {}
            return {"open_cases": count_cases(rows), "newest_cases": newest}, None
        except RecordNotFoundError:
            self._refused.note_absent("incident")
            return {"open_cases": {}}, None
        except DataverseError as error:
            log.warning("dataverse.cases_failed", **error.describe())
            return {"open_cases_failed": True}, error

    async def _ask_cases(self, customers: Iterable[str], top: int, selection: Selection) -> list[Row]:
        """Ask; when columns of the selection are refused, ask again without them."""
        while True:
            columns = self._refused.strip("incident", selection.case_columns)
            asked = replace(selection, case_columns=columns)
            query = build_case_query(customers, top, selection=asked, agent_column=self._plan.agent_column)
            try:
                prefer = (LOOKUP_TYPES,) if selection.newest_case else ()
                return read_rows(await self._client.get_json(query, prefer=prefer))
            except BadQueryError as error:
                if not self._refused.learn(error, {("incident", column) for column in columns}):
                    raise
                log.warning("dataverse.column_refused", table=error.facts.table, column=error.facts.column)

    async def _read_phone_calls(self, found: Sequence[Sequence[Match]], selection: Selection) -> _History:
        if not selection.phone_calls:
            return {}, None
        records = frozenset(match.id for matches in found for match in matches)
        if not records:
            return {"phone_calls": {}}, None
        query = build_phone_call_query(records, MAX_PHONE_CALLS * len(records))
        try:
            rows = read_rows(await self._client.get_json(query, prefer=(LOOKUP_TYPES,)))
            return {"phone_calls": read_phone_calls(rows)}, None
        except DataverseError as error:
            log.warning("dataverse.phone_calls_failed", **error.describe())
            return {}, error
