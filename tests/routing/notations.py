"""Numbers as people of ten countries type them: `tests/data/notations.csv`, written before any notation was chosen."""

import csv
from pathlib import Path
from typing import NamedTuple

__all__ = ["TypedNumber", "read_typed_numbers"]

_FILE = Path(__file__).parents[1] / "data" / "notations.csv"


class TypedNumber(NamedTuple):
    """One row."""

    country: str
    e164: str
    typed: str
    source: str
    """Where such typing is asked for, accepted or seen."""


def read_typed_numbers() -> list[TypedNumber]:
    """Read all rows."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [TypedNumber(**row) for row in csv.DictReader(file)]
