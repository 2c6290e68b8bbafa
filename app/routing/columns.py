"""Columns of Dataverse as a ruleset describes them: their types, and the labels of their choices.

The description is part of the ruleset, so that a revision decides alike whatever becomes of a label later.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from app.routing.calls import Scalar
from app.routing.documents import Part
from app.routing.registry import COLUMN_TABLES

__all__ = ["ColumnKind", "ColumnSpec", "Columns", "find_column", "list_columns", "locate_column"]


class ColumnKind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    CHOICE = "choice"
    CHOICES = "choices"
    """Several choices at once; read as their values with commas between."""
    ID = "id"
    """A record's id."""
    OTHER = "other"


class ColumnSpec(Part):
    """One column."""

    type: ColumnKind
    choices: dict[Annotated[str, StringConstraints(pattern=r"^-?\d{1,10}$")], str] = Field(default={}, max_length=5_000)
    """The label of each choice by its value."""

    def find_values(self, label: str) -> Iterator[int]:
        """List the values of the choices with this label; capitals and outer blanks do not count."""
        wanted = _fold(label)
        return (int(value) for value, known in self.choices.items() if _fold(known) == wanted)

    def translate(self, value: Scalar) -> Scalar:
        """Return the value of a choice for its label, and anything else as it is."""
        return next(self.find_values(value), value) if isinstance(value, str) else value

    def name(self, value: object) -> object:
        """Return the labels of a value as a column or a condition has it; `None` when it has none."""
        several = value.split(",") if self.type is ColumnKind.CHOICES and isinstance(value, str) else value
        if not isinstance(several, list | tuple):
            return self._name_one(several)
        names = [self._name_one(each) for each in several]
        return names if any(names) else None

    def _name_one(self, value: object) -> str | None:
        return None if isinstance(value, bool) else self.choices.get(str(value).strip())


Columns = Mapping[str, Mapping[str, ColumnSpec]]
"""By table and logical name; a look-up goes by `_name_value`."""


def locate_column(fact: str) -> tuple[str, str] | None:
    """Return table and logical name of the column that a fact reads; `None` for other facts."""
    for prefix, table in COLUMN_TABLES.items():
        if fact.startswith(prefix):
            return table, fact.removeprefix(prefix)
    return None


def list_columns(facts: Iterable[str]) -> dict[str, set[str]]:
    """List the columns that facts read, by table."""
    found: dict[str, set[str]] = {}
    for table, column in filter(None, map(locate_column, facts)):
        found.setdefault(table, set()).add(column)
    return found


def find_column(columns: Columns, fact: str) -> ColumnSpec | None:
    """Return what is known about the column that a fact reads."""
    place = locate_column(fact)
    return None if place is None else columns.get(place[0], {}).get(place[1])


def _fold(label: str) -> str:
    return label.strip().casefold()
