"""What a table holds: read from CSV or JSON, changed row by row, and cut into parts to be kept."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.errors import MAX_FINDINGS, Finding, InvalidInputError
from app.routing.calls import Scalar
from app.routing.documents import join_pointer
from app.routing.numbers import NumberKind, read_number
from app.routing.quick_numbers import list_e164
from app.routing.rule_data import DataTable, make_key
from app.store.json_text import dump_text, load

__all__ = [
    "MAX_COLUMNS",
    "MAX_ROWS",
    "MAX_TABLE_BYTES",
    "MAX_TEXT",
    "ColumnChoice",
    "RowReader",
    "TableContent",
    "join_parts",
    "read_csv",
    "read_json",
    "write_csv",
]

MAX_ROWS = 100_000
MAX_TABLE_BYTES = 16 * 1024 * 1024
"""Of the CSV or JSON of a table."""
MAX_COLUMNS = 20
"""Besides the key."""
MAX_TEXT = 500
"""Characters of a key or a value."""
_ROWS_OF_PART = 1000
_NAME = re.compile(r"\w([\w -]{0,62}\w)?")
_MAX_INTEGER = 2**53

Row = tuple[Scalar, ...]
"""The key as it is shown, and the values in the order of the columns."""


@dataclass(frozen=True, slots=True)
class TableContent:
    """A whole table."""

    key: str
    """What the column of keys is called."""
    columns: tuple[str, ...]
    """The other columns."""
    region: str | None
    """Where keys are phone numbers: the region (ISO 3166-1) that completes them."""
    rows: Mapping[str, Row]
    """By key, as `make_key` makes it, in the order of the keys."""

    def make_table(self) -> DataTable:
        """Return it ready for look-ups."""
        places = {name: place for place, name in enumerate(self.columns, 1)}
        return DataTable(columns=places, rows=self.rows, region=self.region)

    def cut(self) -> list[str]:
        """Cut the rows into parts, each a JSON list of at most a thousand rows."""
        rows = list(self.rows.values())
        return [dump_text(rows[start : start + _ROWS_OF_PART]) for start in range(0, len(rows), _ROWS_OF_PART)]


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """How the keys of a table that is put are found."""

    key: str | None
    """The name of the column; `None` for the first one."""
    region: str | None
    """For phone numbers the region that completes them, `None` for texts."""


@dataclass(slots=True)
class RowReader:
    """Reads rows, and gathers what is wrong with them by row and column."""

    columns: Sequence[str]
    region: str | None
    findings: list[Finding] = field(default_factory=list)

    def read_key(self, value: object, place: int, label: str, column: str) -> tuple[str, str] | None:
        """Return a key as it is compared and as it is shown; `None` with a finding for what is none."""
        text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not text or len(text) > MAX_TEXT or not text.isprintable():
            self.refuse(place, label, column, "the key is empty, too long, or no text", "give each row its key")
            return None
        if self.region is None:
            return make_key(text) or "", text
        shown = _read_number(text, self.region)
        if shown is None:
            hint = "write it like +358401234567, or say keyed_by=text when the keys are no numbers"
            self.refuse(place, label, column, "this is no phone number", hint)
            return None
        return shown, shown

    def read_value(self, value: object, place: int, label: str, column: str) -> Scalar:
        """Return a value; nothing with a finding for one that a table cannot hold."""
        match value:
            case None | bool():
                return value
            case float() | int() if abs(value) <= _MAX_INTEGER:
                return value
            case str() if len(value) <= MAX_TEXT and "\0" not in value:
                return value.strip() or None
        message, hint = "a table holds short texts, numbers, true and false", f"at most {MAX_TEXT} characters"
        self.refuse(place, label, column, message, hint)
        return None

    def refuse(self, place: int, label: str, column: str, message: str, hint: str) -> None:
        """Add a finding."""
        if len(self.findings) < MAX_FINDINGS:
            pointer = join_pointer("rows", place, column)
            told = f"{label}, column {column}: {message}"
            self.findings.append(Finding(code="wrong-row", pointer=pointer, message=told, hint=hint))

    def require_sound(self) -> None:
        """Raise InvalidInputError when something is wrong."""
        if self.findings:
            raise InvalidInputError("some rows cannot be read; nothing was changed", findings=self.findings)


def read_csv(body: bytes, choice: ColumnChoice) -> TableContent:
    """Read a table from CSV in UTF-8 whose first line names the columns, with commas, semicolons or tabs between.

    Raises InvalidInputError with the first 200 mistakes by row and column; a row is named by its line.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError("the CSV is not UTF-8; save it as CSV UTF-8") from error
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        rows = ((f"line {reader.line_num}", row) for row in reader if any(row))
        return _read_rows(names, rows, choice, _fit_line)
    except csv.Error as error:
        raise InvalidInputError(f"line {reader.line_num} is not CSV: {error}") from error


def read_json(body: bytes, choice: ColumnChoice) -> TableContent:
    """Read a table from `{"rows": [{column: value}, …]}`; raises InvalidInputError as `read_csv` does."""
    try:
        # Row by row, so that the interpreter is never kept from calls for as long as the whole takes.
        raw = msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]])["rows"]
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, RecursionError) as error:
        message = 'the JSON must be {"rows": [{"number": "+358501234567", "queue": "sales"}]}'
        raise InvalidInputError(message) from error
    rows = [_read_object(each, place) for place, each in enumerate(raw[: MAX_ROWS + 1])]
    names = list(dict.fromkeys(name for row in rows for name in row))
    labelled = ((f"row {place}", row) for place, row in enumerate(rows, 1))
    return _read_rows(names, labelled, choice, lambda row, names: [row.get(name) for name in names])


def join_parts(parts: Iterable[str]) -> dict[str, Row]:
    """Put the rows of parts together; equal values are kept once."""
    known: dict[Scalar, Scalar] = {}
    rows: dict[str, Row] = {}
    for part in parts:
        for row in load(part):
            # True is 1, so that only texts may stand for each other.
            shared = tuple(known.setdefault(each, each) if isinstance(each, str) else each for each in row)
            rows[make_key(shared[0]) or ""] = shared
    return rows


def write_csv(content: TableContent, rows: Iterable[Row]) -> bytes:
    """Write rows as CSV with a line of names."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow((content.key, *content.columns))
    writer.writerows([_spell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def _read_number(text: str, region: str) -> str | None:
    """Read one number, quickly where it is written as usual; `None` for none, and for several."""
    found = list_e164(text, region)
    if found:
        return found[0] if len(found) == 1 else None
    number = read_number(text, region)
    return text if number.kind is NumberKind.SHORT else number.e164


def _spell(value: Scalar) -> Scalar:
    return str(value).lower() if isinstance(value, bool) else value


def _read_object(raw: msgspec.Raw, place: int) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        finding = Finding(code="wrong-row", pointer=join_pointer("rows", place), message="must be an object of columns")
        raise InvalidInputError(f"row {place + 1} is no object", findings=[finding]) from error


def _fit_line(row: Sequence[str], names: Sequence[str]) -> Sequence[object] | None:
    return row if len(row) == len(names) else None


Fit = Callable[[Any, Sequence[str]], Sequence[object] | None]


def _read_rows(names: Sequence[str], rows: Iterable[tuple[str, Any]], choice: ColumnChoice, fit: Fit) -> TableContent:
    key = choice.key if choice.key is not None else names[0] if names else ""
    _check_names(names, key)
    reader = RowReader([name for name in names if name != key], choice.region)
    at = names.index(key)
    found: dict[str, Row] = {}
    first: dict[str, str] = {}
    for place, (label, row) in enumerate(rows):
        if place >= MAX_ROWS:
            raise InvalidInputError(f"a table has at most {MAX_ROWS:,} rows; split it into several")
        values = fit(row, names)
        if values is None:
            reader.refuse(
                place, label, key, f"the line has not {len(names)} values", "quote values with commas in them"
            )
            continue
        read = reader.read_key(values[at], place, label, key)
        if read is None:
            continue
        if read[0] in found:
            reader.refuse(place, label, key, f"{first[read[0]]} has this key too", "give each key one row")
            continue
        first[read[0]] = label
        others = (reader.read_value(each, place, label, names[i]) for i, each in enumerate(values) if i != at)
        found[read[0]] = (read[1], *others)
    reader.require_sound()
    return TableContent(key, tuple(reader.columns), choice.region, {name: found[name] for name in sorted(found)})


def _check_names(names: Sequence[str], key: str) -> None:
    if not names:
        raise InvalidInputError("the table is empty: at least its column of keys must be named")
    if key not in names:
        raise InvalidInputError(f'there is no column "{key[:100]}" to take the keys from')
    if len(names) > MAX_COLUMNS + 1:
        raise InvalidInputError(
            f"a table has at most {MAX_COLUMNS} columns besides its key, this one has {len(names) - 1}"
        )
    odd = [name for name in names if not _NAME.fullmatch(name) or names.count(name) > 1]
    if odd:
        raise InvalidInputError(
            f'the column "{odd[0][:100]}" is named twice, or not with letters, digits, spaces, "_" and "-", at most 64'
        )
