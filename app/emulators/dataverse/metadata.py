"""Answers metadata queries: which tables and columns exist (Dataverse contract, section 1.8)."""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.responses import Response

from app.emulators.dataverse.answers import answer_json
from app.emulators.dataverse.errors import NO_SUCH_ROW, WireError, bad_query, not_emulated, unknown_segment
from app.emulators.dataverse.query import Query, read_query
from app.emulators.dataverse.requests import ApiRequest
from app.emulators.dataverse.schema import Column, Kind, Table
from app.emulators.dataverse.tables import Row, Tables

_KEY = re.compile(r"LogicalName='(?P<name>[^']*)'")


def _declare(logical_name: str, entity_set: str, **kinds: Kind) -> Table:
    return Table(
        logical_name=logical_name,
        entity_set=entity_set,
        key="MetadataId",
        name_column="LogicalName",
        columns={name: Column(name=name, kind=kind) for name, kind in kinds.items()},
    )


_ENTITIES = _declare(
    "EntityMetadata",
    "EntityDefinitions",
    MetadataId=Kind.GUID,
    LogicalName=Kind.TEXT,
    EntitySetName=Kind.TEXT,
    PrimaryIdAttribute=Kind.TEXT,
    PrimaryNameAttribute=Kind.TEXT,
    ChangeTrackingEnabled=Kind.BOOLEAN,
)
_ATTRIBUTES = _declare(
    "AttributeMetadata",
    "Attributes",
    MetadataId=Kind.GUID,
    LogicalName=Kind.TEXT,
    AttributeType=Kind.TEXT,
    EntityLogicalName=Kind.TEXT,
    IsCustomAttribute=Kind.BOOLEAN,
)


class Catalogue:
    """Describes the tables as `EntityDefinitions`."""

    def __init__(self, *, tables: Tables) -> None:
        self._tables = tables

    def read(self, request: ApiRequest) -> Response:
        """Answer `EntityDefinitions`, `EntityDefinitions(LogicalName='…')` and `…/Attributes`."""
        if {"$expand", "$orderby", "$top"} & set(request.options):
            raise not_emulated("This query option on metadata")
        first, *rest = request.path
        if first.key is None and not rest:
            return _answer_rows(request, _ENTITIES, [_describe_table(t) for t in self._tables.schema.values()])
        table = self._find(first.key or "")
        match [segment.name for segment in rest]:
            case []:
                return _answer_row(request, _describe_table(table))
            case ["Attributes"] if rest[0].key is None:
                return _answer_rows(request, _ATTRIBUTES, [_describe_column(table, c) for c in table.columns.values()])
        raise unknown_segment(rest[-1].name)

    def _find(self, key: str) -> Table:
        match = _KEY.fullmatch(key)
        if match is None:
            raise bad_query("Only the key LogicalName='…' is supported.")
        for table in self._tables.schema.values():
            if table.logical_name == match["name"]:
                return table
        raise WireError(404, NO_SUCH_ROW, f"Could not find an entity with name {match['name']}.")


def _describe_table(table: Table) -> Row:
    return {
        "MetadataId": _identify(table.logical_name),
        "LogicalName": table.logical_name,
        "EntitySetName": table.entity_set,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.name_column,
        "ChangeTrackingEnabled": table.tracks_changes,
    }


def _describe_column(table: Table, column: Column) -> Row:
    return {
        "MetadataId": _identify(f"{table.logical_name}/{column.attribute}"),
        "LogicalName": column.attribute,
        "AttributeType": column.kind.value,
        "EntityLogicalName": table.logical_name,
        "IsCustomAttribute": "_" in column.attribute and not column.attribute.startswith(("address", "msdyn_")),
    }


def _identify(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def _answer_rows(request: ApiRequest, table: Table, rows: list[Row]) -> Response:
    query = read_query(request.options, table, Tables({}))
    value = [_pick(query, row) for row in query.select_rows(rows)]
    return answer_json({"@odata.context": f"{request.root}/$metadata#{table.entity_set}", "value": value})


def _answer_row(request: ApiRequest, row: Row) -> Response:
    query = read_query(request.options, _ENTITIES, Tables({}))
    context = f"{request.root}/$metadata#EntityDefinitions/$entity"
    return answer_json({"@odata.context": context} | _pick(query, row))


def _pick(query: Query, row: Row) -> dict[str, Any]:
    names = row if query.columns is None else dict.fromkeys((*query.columns, "MetadataId"))
    return {name: row[name] for name in names}
