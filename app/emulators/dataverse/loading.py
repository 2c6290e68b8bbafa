"""Reads a data file: rows in Dataverse's own wire names, defaults for what they leave out."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from app.emulators.dataverse.binding import BIND, complete_lookups, read_field
from app.emulators.dataverse.catalogue import standard_schema
from app.emulators.dataverse.errors import DataFileError
from app.emulators.dataverse.rendering import FORMATTED
from app.emulators.dataverse.schema import Column, Kind, Schema, Table
from app.emulators.dataverse.tables import Row, Tables, lookup_type_of
from app.emulators.dataverse.values import guess_column

_NAMESPACE = UUID("5c1b1f0e-7c39-4d0e-9d7e-6a0f5b2a8d11")
_LONG_AGO = "2026-01-01T08:00:00Z"
_COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
Document = Mapping[str, Sequence[Mapping[str, Any]]]


def load_tables(path: Path) -> Tables:
    """Read a JSON data file: `{"contacts": [{…}], "accounts": [{…}], …}`, keyed by entity set name.

    Raises DataFileError when it cannot be read or used.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as exc:
        raise DataFileError(f"{path}: cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise DataFileError(f"{path}: not JSON ({exc})") from exc
    return read_tables(document)


def sample_tables() -> Tables:
    """Return the sample organisation that the demo shows."""
    return read_tables(json.loads(files(__package__).joinpath("sample.json").read_bytes()))


def read_tables(document: object) -> Tables:
    """Build tables from a parsed data file.

    A column no standard table has becomes a custom column, typed after its values; one of choices when rows annotate
    their formatted values, with the labels between `; `. A row without an id gets one
    derived from its place. Raises DataFileError naming table, row and column.
    """
    checked = _check_shape(document, standard_schema())
    tables = Tables(_add_custom_columns(standard_schema(), checked))
    for entity_set, rows in checked.items():
        for index, fields in enumerate(rows):
            _store(tables, entity_set, index, fields)
    for entity_set in checked:
        for row in tables.rows(entity_set):
            _resolve_lookup_types(tables, tables.schema[entity_set], row)
    return tables


def put_rows(tables: Tables, document: object, *, now: str) -> None:
    """Change rows of tables in use, or add them where the id is new; all of a parsed data file or nothing.

    Raises DataFileError naming table, row and column.
    """
    read: list[tuple[Table, Row]] = []
    for entity_set, rows in _check_shape(document, tables.schema).items():
        table = tables.schema[entity_set]
        read += [(table, _read_row(tables.schema, table, index, fields)) for index, fields in enumerate(rows)]
        for index, fields in enumerate(rows):
            if table.key not in fields:
                raise DataFileError(f"{entity_set}[{index}].{table.key}: say which row it is")
    for table, row in read:
        before = tables.find(table.entity_set, row[table.key])
        after = fill_defaults(table, row, now=now) if before is None else _change(table, before, row, now=now)
        _resolve_lookup_types(tables, table, after)
        tables.store(table.entity_set, after)


def fill_defaults(table: Table, row: Row, *, now: str) -> Row:
    """Return the row with the values a standard organisation gives: active, not merged, dated, named.

    Custom Booleans, which have a prefix in their name, stay null.
    """
    defaults: Row = {c.name: False for c in table.columns.values() if c.kind is Kind.BOOLEAN and "_" not in c.name}
    defaults |= {"statecode": 0, "statuscode": 1, "createdon": now, "modifiedon": now}
    filled = {name: value for name, value in defaults.items() if name in table.columns} | row
    if table.name_column == "fullname" and not filled.get("fullname"):
        filled["fullname"] = compose_full_name(filled)
    if table.logical_name == "role":
        filled.setdefault("_parentrootroleid_value", filled[table.key])
    return filled


def compose_full_name(row: Row) -> str | None:
    """Return first and last name as one, None without either."""
    return " ".join(filter(None, (row.get("firstname"), row.get("lastname")))) or None


def _check_shape(document: object, schema: Schema) -> Document:
    if not isinstance(document, dict):
        raise DataFileError('the data must be a JSON object of tables, e.g. {"contacts": [...]}')
    for entity_set, rows in document.items():
        if entity_set not in schema:
            raise DataFileError(f"{entity_set}: no such table; known are {', '.join(sorted(schema))}")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataFileError(f"{entity_set}: expected a list of rows, each a JSON object")
    return document


def _add_custom_columns(schema: Schema, document: Document) -> Schema:
    return {
        entity_set: table.add_columns({c.name: c for c in _custom_columns(table, document.get(entity_set, ()))})
        for entity_set, table in schema.items()
    }


def _custom_columns(table: Table, rows: Sequence[Mapping[str, Any]]) -> Iterator[Column]:
    names = dict.fromkeys(name for row in rows for name in row if "@" not in name and not isinstance(row[name], list))
    for name in names:
        if name not in table.columns and _COLUMN_NAME.fullmatch(name):
            label = f"{name}@{FORMATTED}"
            yield guess_column(name, (row.get(name) for row in rows), (row.get(label) for row in rows))


def _store(tables: Tables, entity_set: str, index: int, fields: Mapping[str, Any]) -> None:
    table = tables.schema[entity_set]
    row = {table.key: str(uuid5(_NAMESPACE, f"{entity_set}/{index}"))} | _read_row(tables.schema, table, index, fields)
    if tables.find(entity_set, row[table.key]) is not None:
        raise DataFileError(f"{entity_set}[{index}].{table.key}: another row has this id")
    filled = fill_defaults(table, row, now=_LONG_AGO)
    tables.store(entity_set, filled)


def _read_row(schema: Schema, table: Table, index: int, fields: Mapping[str, Any]) -> Row:
    row: Row = {}
    for name, value in fields.items():
        row |= _read(schema, table, f"{table.entity_set}[{index}].{name}", name, value)
    return row


def _change(table: Table, before: Row, fields: Row, *, now: str) -> Row:
    changed = before | ({"modifiedon": now} if "modifiedon" in table.columns else {}) | fields
    if table.name_column == "fullname" and "fullname" not in fields and {"firstname", "lastname"} & set(fields):
        changed["fullname"] = compose_full_name(changed)
    return changed


def _read(schema: Schema, table: Table, place: str, name: str, value: object) -> Mapping[str, Any]:
    try:
        return read_field(schema, table, name, value)
    except KeyError as exc:
        reason = f"{name.removesuffix(BIND)} is no lookup of {table.logical_name}" if BIND in name else "no such column"
        raise DataFileError(f"{place}: {reason}") from exc
    except ValueError as exc:
        raise DataFileError(f"{place}: {exc}") from exc


def _resolve_lookup_types(tables: Tables, table: Table, row: Row) -> None:
    """Find out, for each polymorphic lookup that does not say, which table its id is in."""
    for column in table.columns.values():
        key = row.get(column.name)
        if len(column.targets) > 1 and key is not None and lookup_type_of(column.name) not in row:
            holder = next((t for t in column.targets if tables.find(t, key)), column.targets[0])
            row[lookup_type_of(column.name)] = tables.schema[holder].logical_name
    complete_lookups(table, row)
