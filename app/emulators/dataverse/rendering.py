"""Turns rows into the JSON of the Web API: selected columns, expands, ETags and annotations (contract, section 1)."""

from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from app.emulators.dataverse.query import PAGE_LIMIT, Expand, Query
from app.emulators.dataverse.schema import Column, Kind, Table
from app.emulators.dataverse.tables import Row, Tables, lookup_type_of

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TYPE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


def render_etag(row: Row) -> str:
    """Return the weak ETag of a row's present version."""
    return f'W/"{row["versionnumber"]}"'


def render_context(base: str, query: Query, suffix: str = "") -> str:
    """Return the `@odata.context` of an answer; `base` is the service root."""
    return f"{base}/$metadata#{query.table.entity_set}{_shape(query)}{suffix}"


def _shape(query: Query) -> str:
    expands = [f"{expand.navigation.name}{_shape(expand.query) or '()'}" for expand in query.expands]
    names = [*(query.columns or ()), *expands]
    return f"({','.join(names)})" if names else ""


class Renderer:
    """Renders rows of one answer; it keeps the groups of related rows that the answer's expands need."""

    def __init__(self, *, tables: Tables, annotations: str) -> None:
        self._tables = tables
        self._wanted = [pattern.strip() for pattern in annotations.split(",") if pattern.strip()]
        self._groups: dict[int, dict[str, list[Row]]] = {}

    def render(self, row: Row, query: Query) -> dict[str, Any]:
        """Return one row; the primary key is always in it."""
        table = query.table
        rendered: dict[str, Any] = {"@odata.etag": render_etag(row)}
        for name in query.shown:
            if self._wanted:
                rendered |= self._annotate(table.columns[name], table, row)
            rendered[name] = row.get(name)
        for expand in query.expands:
            rendered[expand.navigation.name] = self._expand(row, table, expand)
        return rendered

    def wants(self, annotation: str) -> bool:
        """Whether the request asked for an annotation, by name or by pattern."""
        return any(fnmatchcase(annotation, pattern) for pattern in self._wanted)

    def _expand(self, row: Row, table: Table, expand: Expand) -> Any:
        if expand.navigation.is_single:
            target = self._tables.follow(row, expand.navigation)
            return None if target is None else self.render(target, expand.query)
        related = expand.query.select_rows(self._related(row, table, expand))
        return [self.render(one, expand.query) for one in related[: expand.query.top or PAGE_LIMIT]]

    def _related(self, row: Row, table: Table, expand: Expand) -> list[Row]:
        groups = self._groups.get(id(expand))
        if groups is None:
            groups = self._groups[id(expand)] = self._tables.group_related(table, expand.navigation)
        return groups.get(row[table.key], [])

    def _annotate(self, column: Column, table: Table, row: Row) -> Mapping[str, Any]:
        value = row.get(column.name)
        if value is None:
            return {}
        found = {FORMATTED: self._format(column, row, value)}
        if column.kind is Kind.LOOKUP:
            found |= {LOOKUP_TYPE: self._lookup_type(column, row), NAVIGATION: self._navigation(column, table, row)}
        return {f"{column.name}@{name}": text for name, text in found.items() if text and self.wants(name)}

    def _format(self, column: Column, row: Row, value: Any) -> str | None:
        match column.kind:
            case Kind.CHOICE | Kind.BOOLEAN:
                return column.labels.get(int(value))
            case Kind.CHOICES:
                return "; ".join(column.labels.get(int(each), each) for each in value.split(","))
            case Kind.INTEGER if column.name != "versionnumber":
                return f"{value:,}"
            case Kind.INSTANT:
                return _format_instant(value)
            case Kind.LOOKUP:
                return self._name_of(column, row, value)
            case _:
                return None

    def _name_of(self, column: Column, row: Row, key: str) -> str | None:
        table = self._target(column, row)
        target = self._tables.find(table.entity_set, key) if table else None
        return target.get(table.name_column) if table and target else None

    def _lookup_type(self, column: Column, row: Row) -> str | None:
        table = self._target(column, row)
        return table.logical_name if table else None

    def _navigation(self, column: Column, table: Table, row: Row) -> str | None:
        target = self._target(column, row)
        if target is None or column.name == "_ownerid_value":
            return column.attribute if target else None
        leads = (n for n in table.navigations.values() if n.column == column.name and n.target == target.entity_set)
        return next((n.name for n in leads if n.is_single), None)

    def _target(self, column: Column, row: Row) -> Table | None:
        named = row.get(lookup_type_of(column.name))
        tables = [self._tables.schema[target] for target in column.targets]
        return next((t for t in tables if named in {None, t.logical_name}), None)


def _format_instant(value: str) -> str:
    moment = datetime.fromisoformat(value)
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M %p}"
