"""Reports and decisions as CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

__all__ = ["protect_cell", "write_table"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def write_table(rows: Iterable[Any]) -> str:
    """Write dataclasses as a table; a mapping becomes a column for each of its keys."""
    flat = [_flatten(asdict(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([protect_cell(name) for name in names])
    writer.writerows([protect_cell(row.get(name)) for name in names] for row in flat)
    return text.getvalue()


def protect_cell(value: object) -> object:
    """Keep a text from being taken for a formula; a time becomes ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _flatten(row: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            flat[name] = value
    return flat
