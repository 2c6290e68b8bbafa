"""Finds the rows of a table that have a value in a column."""

from collections.abc import Collection

from app.emulators.dataverse.literals import fold


class ValueIndex:
    """Folded value -> ids. A value of one row only, as most phone numbers are, takes no list of its own."""

    def __init__(self) -> None:
        self._ids: dict[str, str | list[str]] = {}

    def find(self, folded: str) -> Collection[str]:
        """Return the ids of the rows with a value that is already folded."""
        found = self._ids.get(folded, ())
        return (found,) if isinstance(found, str) else found

    def add(self, value: str, row_id: str) -> None:
        """Note that a row has a value."""
        folded = fold(value)
        present = self._ids.get(folded)
        if present is None:
            self._ids[folded] = row_id
        elif isinstance(present, list):
            present.append(row_id)
        else:
            self._ids[folded] = [present, row_id]

    def discard(self, value: str, row_id: str) -> None:
        """Note that a row has a value no longer."""
        folded = fold(value)
        present = self._ids[folded]
        if isinstance(present, list):
            present.remove(row_id)
        else:
            del self._ids[folded]
