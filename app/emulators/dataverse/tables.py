"""The rows of the emulated organisation, with the versions that ETags and change tracking need."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from app.emulators.dataverse.schema import Navigation, Schema, Table

Row = dict[str, Any]
"""One row under its wire names; a polymorphic lookup has its table beside it (see `lookup_type_of`)."""

_FIRST_VERSION = 1_000_000
_LOOKUP_TYPE = "@Microsoft.Dynamics.CRM.lookuplogicalname"


def lookup_type_of(column: str) -> str:
    """Return the key under which a row keeps the logical name of the table its lookup `column` points to."""
    return f"{column}{_LOOKUP_TYPE}"


class Tables:
    """All rows, by entity set and id.

    Every write gives the row the next version, and a removal is remembered with its version, so that a delta read
    can tell what happened since (Dataverse contract, section 1.8).
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = dict(schema)
        self.version = _FIRST_VERSION
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in schema}
        self._removed: dict[str, dict[str, int]] = {name: {} for name in schema}

    def rows(self, entity_set: str) -> Collection[Row]:
        """Return all rows of a table in the order they came."""
        return self._rows[entity_set].values()

    def find(self, entity_set: str, key: str) -> Row | None:
        """Return one row by its id in lower case."""
        return self._rows[entity_set].get(key)

    def store(self, entity_set: str, row: Mapping[str, Any]) -> Row:
        """Insert a row, or replace the one with the same id, under a new version."""
        self.version += 1
        key = row[self.schema[entity_set].key]
        self._rows[entity_set][key] = stored = {**row, "versionnumber": self.version}
        self._removed[entity_set].pop(key, None)
        return stored

    def remove(self, entity_set: str, key: str) -> bool:
        """Remove a row; false when there is none."""
        if self._rows[entity_set].pop(key, None) is None:
            return False
        self.version += 1
        self._removed[entity_set][key] = self.version
        return True

    def removals(self, entity_set: str, *, since: int) -> dict[str, int]:
        """Return id -> version of the rows removed after version `since`."""
        return {key: version for key, version in self._removed[entity_set].items() if version > since}

    def follow(self, row: Row, navigation: Navigation) -> Row | None:
        """Return the row an N:1 navigation leads to."""
        key = row.get(navigation.column)
        if key is None or not self._points_to(row, navigation):
            return None
        return self.find(navigation.target, key)

    def related(self, table: Table, row: Row, navigation: Navigation) -> list[Row]:
        """Return the rows a 1:N or N:N navigation leads to from one row."""
        return [far for _, far in self._pairs(table, navigation, only=row[table.key])]

    def group_related(self, table: Table, navigation: Navigation) -> dict[str, list[Row]]:
        """Return id -> related rows for a 1:N or N:N navigation, in one pass."""
        groups: dict[str, list[Row]] = {}
        for near, far in self._pairs(table, navigation):
            groups.setdefault(near, []).append(far)
        return groups

    def _pairs(self, table: Table, navigation: Navigation, *, only: str | None = None) -> Iterator[tuple[str, Row]]:
        if navigation.link:
            for link in self.rows(navigation.link):
                near = link.get(navigation.column, "")
                if only not in {None, near}:
                    continue
                if (far := self.find(navigation.target, link.get(navigation.far_column, ""))) is not None:
                    yield near, far
            return
        type_key = lookup_type_of(navigation.column)
        for row in self.rows(navigation.target):
            key = row.get(navigation.column)
            if key is None or only not in {None, key}:
                continue
            if row.get(type_key, table.logical_name) == table.logical_name:
                yield key, row

    def _points_to(self, row: Row, navigation: Navigation) -> bool:
        logical_name = self.schema[navigation.target].logical_name
        return bool(row.get(lookup_type_of(navigation.column), logical_name) == logical_name)
