"""The rows of one table, with the indexes that keep a page of a big table as cheap as one of a small table."""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.emulators.dataverse.value_index import ValueIndex

Row = dict[str, Any]
"""One row under its wire names; a polymorphic lookup has its table beside it (see `lookup_type_of`)."""
Candidates = Mapping[str, Iterable[str]]
"""Column -> folded values; a row is wanted when one of the columns has one of its values."""
_SPARE_ENTRIES = 10_000


class StoredTable:
    """Rows by id, and what happened to them in the order of versions.

    The log holds every change; an entry counts only while it is the row's latest, and superseded ones are dropped
    from time to time. Sorted ids and value indexes are built when first asked for and kept from then on.
    """

    def __init__(self, key: str) -> None:
        self.rows: dict[str, Row] = {}
        self._key = key
        self._removed: dict[str, int] = {}
        self._log_versions = array("q")
        self._log_ids: list[str] = []
        self._listing: list[Row] | None = None
        self._sorted_ids: list[str] | None = None
        self._indexes: dict[str, ValueIndex] = {}

    def put(self, row: Row) -> None:
        """Insert a row, or replace the one with the same id; its version is the latest of all."""
        row_id = row[self._key]
        before = self.rows.get(row_id)
        self.rows[row_id] = row
        self._removed.pop(row_id, None)
        self._log(row_id, row["versionnumber"])
        if before is None and self._sorted_ids is not None:
            insort(self._sorted_ids, row_id)
        self._reindex(row_id, before, row)

    def remove(self, row_id: str, version: int) -> None:
        """Remove a row that is there."""
        before = self.rows.pop(row_id)
        self._removed[row_id] = version
        self._log(row_id, version)
        if self._sorted_ids is not None:
            del self._sorted_ids[bisect_left(self._sorted_ids, row_id)]
        self._reindex(row_id, before, {})

    def list_rows(self) -> list[Row]:
        """Return all rows in the order they came, in a list that nobody may change."""
        if self._listing is None:
            self._listing = list(self.rows.values())
        return self._listing

    def rows_by_id(self, *, after: str = "") -> Iterator[tuple[str, Row]]:
        """Yield (id, row) in the order of ids, those after `after` only."""
        if self._sorted_ids is None:
            self._sorted_ids = sorted(self.rows)
        for index in range(bisect_right(self._sorted_ids, after), len(self._sorted_ids)):
            row_id = self._sorted_ids[index]
            yield row_id, self.rows[row_id]

    def changed_rows(self, *, after: int, upto: int) -> Iterator[Row]:
        """Yield the rows whose present version is in (after, upto], oldest first."""
        for row_id, version in self._entries(after, upto):
            row = self.rows.get(row_id)
            if row is not None and row["versionnumber"] == version:
                yield row

    def removals(self, *, after: int, upto: int) -> Iterator[tuple[str, int]]:
        """Yield (id, version) of the rows removed with a version in (after, upto], oldest first."""
        for row_id, version in self._entries(after, upto):
            if self._removed.get(row_id) == version:
                yield row_id, version

    def matching(self, candidates: Candidates) -> list[Row]:
        """Return the rows that have one of the values, each once, in the order of ids."""
        found: set[str] = set()
        for column, values in candidates.items():
            index = self._index(column)
            for value in values:
                found.update(index.find(value))
        return [self.rows[row_id] for row_id in sorted(found)]

    def _entries(self, after: int, upto: int) -> Iterator[tuple[str, int]]:
        for index in range(bisect_right(self._log_versions, after), bisect_right(self._log_versions, upto)):
            yield self._log_ids[index], self._log_versions[index]

    def _log(self, row_id: str, version: int) -> None:
        self._listing = None
        self._log_versions.append(version)
        self._log_ids.append(row_id)
        if len(self._log_ids) > 2 * (len(self.rows) + len(self._removed)) + _SPARE_ENTRIES:
            self._drop_superseded()

    def _drop_superseded(self) -> None:
        latest = dict(zip(self._log_ids, self._log_versions, strict=True))
        kept = sorted((version, row_id) for row_id, version in latest.items())
        self._log_versions = array("q", (version for version, _ in kept))
        self._log_ids = [row_id for _, row_id in kept]

    def _index(self, column: str) -> ValueIndex:
        if column not in self._indexes:
            index = ValueIndex()
            for row_id, row in self.rows.items():
                if (value := row.get(column)) is not None:
                    index.add(value, row_id)
            self._indexes[column] = index
        return self._indexes[column]

    def _reindex(self, row_id: str, before: Row | None, after: Row) -> None:
        for column, index in self._indexes.items():
            old, new = before.get(column) if before else None, after.get(column)
            if old == new:
                continue
            if old is not None:
                index.discard(old, row_id)
            if new is not None:
                index.add(new, row_id)
