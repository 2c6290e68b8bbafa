"""Reads what may stand in a row of JSON: columns, `@odata.bind` references and annotations."""

import re
from collections.abc import Mapping
from typing import Any

from app.emulators.dataverse.schema import Kind, Schema, Table
from app.emulators.dataverse.tables import Row, lookup_type_of
from app.emulators.dataverse.values import store_guid, store_value

BIND = "@odata.bind"
_REFERENCE = re.compile(r"(?:https?://[^/]+)?/?(?:api/data/v[\d.]+/)?(?P<set>\w+)\((?P<key>[^()]+)\)")
_TYPE_SUFFIX = lookup_type_of("")


def read_reference(reference: object) -> tuple[str, str]:
    """Return entity set and id of `/accounts(<guid>)`, with or without the address before it.

    Raises ValueError when it is no such reference.
    """
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if match is None:
        raise ValueError("expected a reference such as /accounts(<guid>)")
    return match["set"], store_guid(match["key"])


def read_field(schema: Schema, table: Table, name: str, value: object) -> Mapping[str, Any]:
    """Return what one JSON member contributes to a row: nothing for an annotation, two entries for a bind.

    Raises KeyError for an unknown name and ValueError for an unusable value.
    """
    if name.endswith(BIND):
        return _read_bind(schema, table, name.removesuffix(BIND), value)
    if name.endswith(_TYPE_SUFFIX):
        return {name: value}
    if "@" in name:
        return {}
    return {name: store_value(table.columns[name], value)}


def _read_bind(schema: Schema, table: Table, navigation: str, value: object) -> Mapping[str, Any]:
    column = table.binds[navigation]
    if value is None:
        return {column: None}
    entity_set, key = read_reference(value)
    _require_target(table, navigation, column, entity_set)
    return {column: key, lookup_type_of(column): schema[entity_set].logical_name}


def _require_target(table: Table, navigation: str, column: str, entity_set: str) -> None:
    exact = table.navigations.get(navigation)
    allowed = (exact.target,) if exact else table.columns[column].targets
    if entity_set not in allowed:
        raise ValueError(f"expected a reference to {' or '.join(allowed)}, got one to {entity_set}")


def complete_lookups(table: Table, row: Row) -> None:
    """Keep what depends on lookups true: the owning user or team follows the owner."""
    for column in table.columns.values():
        if column.kind is Kind.LOOKUP and row.get(column.name) is None:
            row.pop(lookup_type_of(column.name), None)
    if "_ownerid_value" in table.columns:
        owner_type = row.get(lookup_type_of("_ownerid_value"), "systemuser")
        owner = row.get("_ownerid_value")
        row["_owninguser_value"] = owner if owner_type == "systemuser" else None
        row["_owningteam_value"] = owner if owner_type == "team" else None
