"""Tables as CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

__all__ = ["list_columns", "write_lines"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def list_columns(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Name the columns of rows: a member that is a mapping has one for each of its keys, such as `by_rule.vip`."""
    return list(dict.fromkeys(name for row in rows for name in _flatten(row)))


def write_lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, header: bool = True) -> str:
    """Write rows (RFC 4180); texts that could be formulas begin with an apostrophe, times are ISO 8601."""
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow([_protect(name) for name in columns])
    for row in rows:
        flat = _flatten(row)
        writer.writerow([_protect(flat.get(name)) for name in columns])
    return text.getvalue()


def _flatten(row: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            flat[name] = value
    return flat


def _protect(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
