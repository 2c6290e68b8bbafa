"""The rows of the emulated organisation, with the versions that ETags and change tracking need."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from app.emulators.dataverse.schema import Navigation, Schema, Table
from app.emulators.dataverse.stored_table import Candidates, Row, StoredTable

__all__ = ["Row", "Tables", "lookup_type_of"]

_FIRST_VERSION = 1_000_000
_LOOKUP_TYPE = "@Microsoft.Dynamics.CRM.lookuplogicalname"


def lookup_type_of(column: str) -> str:
    """Return the key under which a row keeps the logical name of the table its lookup `column` points to."""
    return f"{column}{_LOOKUP_TYPE}"


class Tables:
    """All rows, by entity set and id.

    Every write gives the row the next version, and a removal is remembered with its version, so that a delta read
    can tell what happened since (Dataverse contract, section 1.8). A row must not be changed in place: store it.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = dict(schema)
        self.version = _FIRST_VERSION
        self._stored = {name: StoredTable(table.key) for name, table in schema.items()}
        self._tracked_since = dict.fromkeys(schema, 0)

    def rows(self, entity_set: str) -> Collection[Row]:
        """Return all rows of a table in the order they came."""
        return self._stored[entity_set].rows.values()

    def list_rows(self, entity_set: str) -> list[Row]:
        """Return all rows of a table in the order they came, in a list that nobody may change."""
        return self._stored[entity_set].list_rows()

    def find(self, entity_set: str, key: str) -> Row | None:
        """Return one row by its id in lower case."""
        return self._stored[entity_set].rows.get(key)

    def matching(self, entity_set: str, candidates: Candidates) -> list[Row]:
        """Return the rows that have one of the values in one of the columns, by indexes."""
        return self._stored[entity_set].matching(candidates)

    def store(self, entity_set: str, row: Mapping[str, Any]) -> Row:
        """Insert a row, or replace the one with the same id, under a new version."""
        stored = dict(row)
        self.fill(entity_set, (stored,))
        return stored

    def fill(self, entity_set: str, rows: Iterable[Row]) -> None:
        """Store many rows without copying them: they belong to the table from then on."""
        table = self._stored[entity_set]
        for row in rows:
            self.version += 1
            row["versionnumber"] = self.version
            table.put(row)

    def remove(self, entity_set: str, key: str) -> bool:
        """Remove a row; false when there is none."""
        if self.find(entity_set, key) is None:
            return False
        self.version += 1
        self._stored[entity_set].remove(key, self.version)
        return True

    def track_changes(self, entity_set: str, *, on: bool) -> None:
        """Switch change tracking of a table; what happened before it was switched on is not told."""
        if on and not self.schema[entity_set].tracks_changes:
            self._tracked_since[entity_set] = self.version
        self.schema[entity_set] = replace(self.schema[entity_set], tracks_changes=on)

    def knows_changes_since(self, entity_set: str, version: int) -> bool:
        """Whether the changes of a table after `version` can be told."""
        return self._tracked_since[entity_set] <= version <= self.version

    def rows_by_id(self, entity_set: str, *, after: str = "") -> Iterator[tuple[str, Row]]:
        """Yield (id, row) in the order of ids, those after `after` only."""
        return self._stored[entity_set].rows_by_id(after=after)

    def changed_rows(self, entity_set: str, *, after: int, upto: int) -> Iterator[Row]:
        """Yield the rows whose present version is in (after, upto], oldest first."""
        return self._stored[entity_set].changed_rows(after=after, upto=upto)

    def removals(self, entity_set: str, *, after: int, upto: int) -> Iterator[tuple[str, int]]:
        """Yield (id, version) of the rows removed with a version in (after, upto], oldest first."""
        return self._stored[entity_set].removals(after=after, upto=upto)

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
        target = navigation.target
        rows = self.rows(target) if only is None else self.matching(target, {navigation.column: [only]})
        for row in rows:
            key = row.get(navigation.column)
            if key is not None and row.get(type_key, table.logical_name) == table.logical_name:
                yield key, row

    def _points_to(self, row: Row, navigation: Navigation) -> bool:
        logical_name = self.schema[navigation.target].logical_name
        return bool(row.get(lookup_type_of(navigation.column), logical_name) == logical_name)
