"""Which columns of contacts and accounts the organisation has."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from app.dataverse.client import DataverseClient, Row, read_rows
from app.dataverse.errors import DataverseError, UnreadableAnswerError
from app.dataverse.queries import build_path
from app.errors import Finding
from app.routing.compiled import CompiledRuleset

__all__ = ["ColumnCatalogue", "OrganisationColumns", "read_known_columns"]

_TIMEOUT_SECONDS = 10.0
_LOOKUPS = frozenset({"Customer", "Lookup", "Owner"})


class ColumnCatalogue(Protocol):
    """Whoever knows the columns."""

    async def list_columns(self, table: str) -> frozenset[str]:
        """List the logical names of a table, lookups also as `_name_value`; raises DataverseError."""


class OrganisationColumns:
    """Asks Dataverse for its metadata (Dataverse contract, section 6.4)."""

    def __init__(self, *, client: DataverseClient) -> None:
        self._client = client

    async def list_columns(self, table: str) -> frozenset[str]:
        """List the columns of a table within ten seconds; raises DataverseError."""
        path = build_path(
            f"EntityDefinitions(LogicalName='{table}')/Attributes", {"$select": "LogicalName,AttributeType"}
        )
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                answer = await self._client.get_json(path)
        except TimeoutError as error:
            raise UnreadableAnswerError(f"no complete answer within {_TIMEOUT_SECONDS:g} seconds") from error
        return frozenset(name for row in read_rows(answer) for name in _spell(row))


async def read_known_columns(
    rules: CompiledRuleset, catalogue: ColumnCatalogue
) -> tuple[Mapping[str, frozenset[str]], list[Finding]]:
    """List the columns of the tables whose columns the rules read; a table that cannot be read is a warning."""
    selection = rules.selection
    wanted = {"contact": selection.contact_columns, "account": selection.account_columns}
    known: dict[str, frozenset[str]] = {}
    for table in (table for table, columns in wanted.items() if columns):
        try:
            known[table] = await catalogue.list_columns(table)
        except DataverseError as error:
            return known, [_warn(table, error)]
    return known, []


def _warn(table: str, error: DataverseError) -> Finding:
    return Finding(
        code="dataverse-silent",
        pointer="/rules",
        message=f"the columns of table {table} could not be checked: {error.detail}",
        hint="a column that does not exist is left out of look-ups, and facts about it are unknown",
        severity="warning",
    )


def _spell(row: Row) -> list[str]:
    name = str(row.get("LogicalName"))
    return [name, f"_{name}_value"] if row.get("AttributeType") in _LOOKUPS else [name]
