"""Answers metadata queries: which tables and columns exist, and which choices (Dataverse contract, section 1.8)."""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.responses import Response

from app.emulators.dataverse.answers import answer_json
from app.emulators.dataverse.errors import NO_SUCH_ROW, WireError, bad_query, not_emulated, unknown_segment
from app.emulators.dataverse.options import split_outside
from app.emulators.dataverse.query import Query, read_query
from app.emulators.dataverse.requests import ApiRequest
from app.emulators.dataverse.schema import Column, Kind, Table
from app.emulators.dataverse.tables import Row, Tables

_NAMESPACE = "Microsoft.Dynamics.CRM."
_CAST_DEPTH = 2
_STATES = {"statecode": "State", "statuscode": "Status"}
_CASTS = {
    "PicklistAttributeMetadata": "Picklist",
    "MultiSelectPicklistAttributeMetadata": "Virtual",
    "StateAttributeMetadata": "State",
    "StatusAttributeMetadata": "Status",
}
_EXPAND = re.compile(r"(?P<name>OptionSet|GlobalOptionSet)(\(\$select=Options\))?")
_ENGLISH = 1033
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
    SchemaName=Kind.TEXT,
    EntitySetName=Kind.TEXT,
    PrimaryIdAttribute=Kind.TEXT,
    PrimaryNameAttribute=Kind.TEXT,
    ChangeTrackingEnabled=Kind.BOOLEAN,
    IsPrivate=Kind.BOOLEAN,
)
_ATTRIBUTES = _declare(
    "AttributeMetadata",
    "Attributes",
    MetadataId=Kind.GUID,
    LogicalName=Kind.TEXT,
    SchemaName=Kind.TEXT,
    AttributeType=Kind.TEXT,
    EntityLogicalName=Kind.TEXT,
    IsCustomAttribute=Kind.BOOLEAN,
)


class Catalogue:
    """Describes the tables as `EntityDefinitions`."""

    def __init__(self, *, tables: Tables) -> None:
        self._tables = tables

    def read(self, request: ApiRequest) -> Response:
        """Answer `EntityDefinitions`, `EntityDefinitions(LogicalName='…')`, `…/Attributes` and its casts to choices."""
        first, *rest = request.path
        if len(rest) == _CAST_DEPTH and rest[0].name == "Attributes" and rest[1].name.startswith(_NAMESPACE):
            return self._read_choices(request, self._find(first.key or ""), rest[1].name.removeprefix(_NAMESPACE))
        if {"$expand", "$orderby", "$top"} & set(request.options):
            raise not_emulated("This query option on metadata")
        if first.key is None and not rest:
            return _answer_rows(request, _ENTITIES, [_describe_table(t) for t in self._tables.schema.values()])
        table = self._find(first.key or "")
        match [segment.name for segment in rest]:
            case []:
                return _answer_row(request, _describe_table(table))
            case ["Attributes"] if rest[0].key is None:
                return _answer_rows(request, _ATTRIBUTES, [_describe_column(table, c) for c in table.columns.values()])
        raise unknown_segment(rest[-1].name)

    def _read_choices(self, request: ApiRequest, table: Table, cast: str) -> Response:
        """Answer the columns of one type of choices, with their options where they are asked for."""
        if cast not in _CASTS:
            raise unknown_segment(_NAMESPACE + cast)
        if {"$orderby", "$top"} & set(request.options):
            raise not_emulated("This query option on metadata")
        parts = [_EXPAND.fullmatch(part.strip()) for part in split_outside(request.options.get("$expand", ""), ",")]
        wanted = [part["name"] for part in parts if part is not None]
        if "$expand" in request.options and len(wanted) != len(parts):
            raise bad_query("Only OptionSet and GlobalOptionSet of such a column can be expanded.")
        columns = [column for column in table.columns.values() if _tell_type(column) == _CASTS[cast]]
        query = read_query({k: v for k, v in request.options.items() if k != "$expand"}, _ATTRIBUTES, Tables({}))
        chosen = {row["LogicalName"]: row for row in query.select_rows([_describe_column(table, c) for c in columns])}
        value = [
            _pick(query, chosen[column.attribute]) | {name: _describe_options(column, name) for name in wanted}
            for column in columns
            if column.attribute in chosen
        ]
        context = f"{request.root}/$metadata#EntityDefinitions('{table.logical_name}')/Attributes/{_NAMESPACE}{cast}"
        return answer_json({"@odata.context": context, "value": value})

    def _find(self, key: str) -> Table:
        match = _KEY.fullmatch(key)
        for table in self._tables.schema.values():
            if key == _identify(table.logical_name) or (match is not None and table.logical_name == match["name"]):
                return table
        raise WireError(404, NO_SUCH_ROW, f"Could not find an entity with the key {key}.")


def _describe_table(table: Table) -> Row:
    return {
        "MetadataId": _identify(table.logical_name),
        "LogicalName": table.logical_name,
        "SchemaName": table.logical_name,
        "EntitySetName": table.entity_set,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.name_column,
        "ChangeTrackingEnabled": table.tracks_changes,
        "IsPrivate": False,
    }


def _describe_column(table: Table, column: Column) -> Row:
    return {
        "MetadataId": _identify(f"{table.logical_name}/{column.attribute}"),
        "LogicalName": column.attribute,
        "SchemaName": column.attribute,
        "AttributeType": _tell_type(column),
        "EntityLogicalName": table.logical_name,
        "IsCustomAttribute": "_" in column.attribute and not column.attribute.startswith(("address", "msdyn_")),
    }


def _tell_type(column: Column) -> str:
    return _STATES.get(column.name, column.kind.value)


def _describe_options(column: Column, name: str) -> dict[str, Any] | None:
    """Describe the choices of a column; none of the emulated ones shares them with other columns."""
    if name == "GlobalOptionSet":
        return None
    options = [{"Value": value, "Label": _describe_label(label)} for value, label in column.labels.items()]
    return {"MetadataId": _identify(f"options/{column.name}"), "Options": options}


def _describe_label(text: str) -> dict[str, Any]:
    label = {"Label": text, "LanguageCode": _ENGLISH, "IsManaged": True, "HasChanged": None}
    return {"LocalizedLabels": [label], "UserLocalizedLabel": label}


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
