"""The built-in plugins that read Dataverse: who is it, are there open cases, is it a VIP?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from app.configurator.events.context import Customer, EventContext, SearchResultRow, SearchResults
from app.configurator.events.customers import CustomerRecords
from app.configurator.events.plugin import NoParameters, Parameters
from app.routing.callers import CallerKind, Match
from app.routing.identification import list_candidates
from app.routing.numbers import PhoneNumber
from app.settings.base import LogicalName

__all__ = ["IdentifyCustomer", "OpenCases", "VipCheck"]

ReadNumber = Callable[[object], PhoneNumber]


class IdentifyParameters(Parameters):
    """What the list of several matches shows."""

    columns: dict[str, LogicalName] = Field(
        default={"Address": "address1_line1", "City": "address1_city"}, max_length=2
    )
    """Header -> column of contact and account, in the place of the client's columns Address and City."""


class IdentifyCustomer:
    """Identifies the customer by the number, unless one is chosen already."""

    id: Final = "identify-customer"
    description: Final = "Identify the customer by number; several matches become the list the agent chooses from."
    parameters: Final = IdentifyParameters

    def __init__(self, *, records: CustomerRecords, read_number: ReadNumber) -> None:
        self._records = records
        self._read_number = read_number

    async def run(self, context: EventContext, parameters: IdentifyParameters) -> EventContext:
        """Set the customer or the search results; companies of contacts with the same number are hidden rows."""
        e164 = self._read_number(context.phone_number).e164
        if context.customer is not None or e164 is None:
            return context
        columns = tuple(parameters.columns.values())
        customers, hidden = list_candidates(await self._records.find(e164, columns))
        changes: dict[str, object] = {}
        if len(customers) == 1:
            changes["customer"] = _describe(customers[0])
        if len(customers) + len(hidden) > 1:
            rows = [*_list_rows(customers, columns, hidden=False), *_list_rows(hidden, columns, hidden=True)]
            headers = tuple(parameters.columns)
            changes["customer_search_results"] = SearchResults(column_headers=headers, rows=tuple(rows))
        return context.model_copy(update=changes)

    def preview(self, _context: EventContext, _parameters: IdentifyParameters) -> None:
        """Only read."""


class OpenCasesParameters(Parameters):
    """How many cases are told."""

    limit: Annotated[int, Field(ge=1, le=50)] = 10


class OpenCases:
    """Lists the open cases of the customer."""

    id: Final = "open-cases"
    description: Final = "List the customer's open cases in results."
    parameters: Final = OpenCasesParameters

    def __init__(self, *, records: CustomerRecords) -> None:
        self._records = records

    async def run(self, context: EventContext, parameters: OpenCasesParameters) -> EventContext:
        """Tell the cases of the customer alone, not those of the company."""
        if context.customer is None:
            return context
        cases = await self._records.list_cases(context.customer.id, limit=parameters.limit)
        return context.with_result(
            self.id,
            {
                "count": len(cases),
                "cases": [
                    {"id": case.id, "number": case.number, "title": case.title, "createdOn": case.created_on}
                    for case in cases
                ],
            },
        )

    def preview(self, _context: EventContext, _parameters: OpenCasesParameters) -> None:
        """Only read."""


class VipCheck:
    """Tells whether the customer is a VIP by the criteria that calls are judged by."""

    id: Final = "vip-check"
    description: Final = "Tell in results whether the customer is a VIP, and why, by the criteria of smart-routing."
    parameters: Final = NoParameters

    def __init__(self, *, records: CustomerRecords) -> None:
        self._records = records

    async def run(self, context: EventContext, _parameters: NoParameters) -> EventContext:
        """Judge the customer of the context; without one nothing is told."""
        if context.customer is None:
            return context
        match = await self._records.read(CallerKind(context.customer.logical_name), context.customer.id)
        reason = None if match is None else self._records.explain_vip(match)
        return context.with_result(self.id, {"vip": reason is not None, "reason": reason})

    def preview(self, _context: EventContext, _parameters: NoParameters) -> None:
        """Only read."""


def _name_table(match: Match) -> Literal["contact", "account"]:
    return "contact" if match.kind is CallerKind.CONTACT else "account"


def _describe(match: Match) -> Customer:
    return Customer(logical_name=_name_table(match), id=match.id, name=match.name)


def _list_rows(matches: Sequence[Match], columns: Sequence[str], *, hidden: bool) -> list[SearchResultRow]:
    return [
        SearchResultRow(
            id=match.id,
            name=match.name,
            type=_name_table(match),
            field_values=tuple(_read(match, column) for column in columns),
            hidden=hidden,
        )
        for match in matches
    ]


def _read(match: Match, column: str) -> str | None:
    columns: Mapping[str, object] = match.columns
    value = columns.get(column)
    return None if value is None else str(value)[:200]
