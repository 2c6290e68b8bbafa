"""Reads which columns a table has, their types and the labels of their choices (Dataverse contract, section 1.8).

For administrators' work only: `client` must leave the request budget to calls. What was read is kept for ten minutes.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from cachetools import TTLCache

from app.dataverse.client import DataverseClient, Row, read_rows, read_text
from app.dataverse.errors import DataverseError, UnreadableAnswerError
from app.dataverse.queries import build_path
from app.routing.columns import ColumnKind, Columns, ColumnSpec

__all__ = ["ColumnTypes"]

_TIMEOUT_SECONDS = 10.0
"""An administrator waits for the answer."""
_KEPT_SECONDS = 600.0
_SILENT_SECONDS = 30.0
_TABLES_KEPT = 64
_LOOKUPS = frozenset({"Customer", "Lookup", "Owner"})
_KINDS = {
    "String": ColumnKind.TEXT,
    "Memo": ColumnKind.TEXT,
    "Integer": ColumnKind.NUMBER,
    "BigInt": ColumnKind.NUMBER,
    "Decimal": ColumnKind.NUMBER,
    "Double": ColumnKind.NUMBER,
    "Money": ColumnKind.NUMBER,
    "Boolean": ColumnKind.BOOLEAN,
    "DateTime": ColumnKind.DATE,
    "Picklist": ColumnKind.CHOICE,
    "State": ColumnKind.CHOICE,
    "Status": ColumnKind.CHOICE,
    "Uniqueidentifier": ColumnKind.ID,
    **dict.fromkeys(_LOOKUPS, ColumnKind.ID),
}
_CASTS = {
    "Picklist": "PicklistAttributeMetadata",
    "State": "StateAttributeMetadata",
    "Status": "StatusAttributeMetadata",
    # Of several choices, the general list of columns only says that they are stored elsewhere.
    "Virtual": "MultiSelectPicklistAttributeMetadata",
}
Choices = Mapping[str, dict[str, str]]
"""The labels of choices by their values, by column."""


class ColumnTypes:
    """Knows the columns of tables."""

    def __init__(self, *, client: DataverseClient, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._types: TTLCache[str, Mapping[str, str]] = TTLCache(_TABLES_KEPT, _KEPT_SECONDS, timer=monotonic)
        self._choices: TTLCache[tuple[str, str], Choices] = TTLCache(_TABLES_KEPT, _KEPT_SECONDS, timer=monotonic)
        self._silent: TTLCache[str, DataverseError] = TTLCache(_TABLES_KEPT, _SILENT_SECONDS, timer=monotonic)

    async def list_types(self, table: str) -> Mapping[str, str]:
        """List the columns of a table with their types as Dataverse calls them; raises DataverseError.

        A look-up counts also as `_name_value` (section 6.4).
        """
        if (known := self._types.get(table)) is None:
            path = build_path(_locate(table), {"$select": "LogicalName,AttributeType"})
            rows = await self._ask(table, path)
            known = {name: str(read_text(row, "AttributeType")) for row in rows for name in _spell(row)}
            self._types[table] = known
        return known

    async def describe(self, wanted: Mapping[str, Collection[str]]) -> Columns:
        """Describe the wanted columns by table, as far as they exist; raises DataverseError."""
        return {table: await self._describe(table, names) for table, names in wanted.items() if names}

    async def _describe(self, table: str, names: Collection[str]) -> dict[str, ColumnSpec]:
        types = await self.list_types(table)
        found = {name: types[name] for name in sorted(names) if name in types}
        choices: dict[str, dict[str, dict[str, str]]] = {}
        for kind in sorted(set(found.values()) & set(_CASTS)):
            choices[kind] = dict(await self._list_choices(table, kind))
        return {name: _make_spec(kind, choices.get(kind, {}).get(name)) for name, kind in found.items()}

    async def _list_choices(self, table: str, kind: str) -> Choices:
        if (known := self._choices.get((table, kind))) is None:
            query = {"$select": "LogicalName", "$expand": "OptionSet($select=Options),GlobalOptionSet($select=Options)"}
            path = build_path(f"{_locate(table)}/Microsoft.Dynamics.CRM.{_CASTS[kind]}", query)
            known = {str(row.get("LogicalName")): dict(_read_labels(row)) for row in await self._ask(table, path)}
            self._choices[table, kind] = known
        return known

    async def _ask(self, table: str, path: str) -> list[Row]:
        if (error := self._silent.get(table)) is not None:
            raise error
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return read_rows(await self._client.get_json(path))
        except TimeoutError as error:
            silence = UnreadableAnswerError(f"no complete answer within {_TIMEOUT_SECONDS:g} seconds")
            self._silent[table] = silence
            raise silence from error
        except DataverseError as error:
            self._silent[table] = error
            raise


def _locate(table: str) -> str:
    return f"EntityDefinitions(LogicalName='{table}')/Attributes"


def _spell(row: Row) -> list[str]:
    name = str(read_text(row, "LogicalName"))
    return [name, f"_{name}_value"] if row.get("AttributeType") in _LOOKUPS else [name]


def _make_spec(kind: str, choices: dict[str, str] | None) -> ColumnSpec:
    if choices:
        return ColumnSpec(type=_KINDS.get(kind, ColumnKind.CHOICES), choices=choices)
    return ColumnSpec(type=_KINDS.get(kind, ColumnKind.OTHER))


def _read_labels(row: Row) -> Iterator[tuple[str, str]]:
    """Read the choices of a column, whether they are its own or shared with others."""
    sets = [_read_object(row, name) for name in ("OptionSet", "GlobalOptionSet")]
    options: list[object] = next((found["Options"] for found in sets if isinstance(found.get("Options"), list)), [])
    for option in options:
        if isinstance(option, dict) and isinstance(value := option.get("Value"), int):
            label = _read_object(_read_object(option, "Label"), "UserLocalizedLabel").get("Label")
            yield str(value), label if isinstance(label, str) and label.strip() else str(value)


def _read_object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}
