"""Turns JSON values into stored column values, and guesses the type of a custom column."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.emulators.dataverse.schema import Column, Kind

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def store_value(column: Column, value: object) -> Any:
    """Return `value` as the column stores it: GUIDs in lower case, instants in UTC with whole seconds.

    Raises ValueError with the reason when the value has another type.
    """
    if value is None:
        return None
    return _STORE[column.kind](value)


def store_guid(value: object) -> str:
    """Return a GUID in lower case. Raises ValueError when it is none."""
    try:
        return str(UUID(_require(value, str, "a GUID")))
    except ValueError as exc:
        raise ValueError("expected a GUID") from exc


def store_instant(value: object) -> str:
    """Return a point in time as `2026-01-31T08:00:00Z`. A date alone is its midnight; a missing offset is UTC."""
    try:
        parsed = datetime.fromisoformat(_require(value, str, "a date and time"))
    except ValueError as exc:
        raise ValueError("expected a date and time in ISO 8601") from exc
    return render_instant(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))


def render_instant(moment: datetime) -> str:
    """Spell a point in time the way Dataverse does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def guess_column(name: str, values: Iterable[object], texts: Iterable[object] = ()) -> Column:
    """Return a custom column for `name`, typed after its first value that is not null; text without any.

    A column is one of choices when rows say their labels: `texts` are its formatted values, in the order of the values.
    """
    values = list(values)
    pairs = [(value, text) for value, text in zip(values, texts, strict=False) if isinstance(text, str)]
    if pairs:
        return _make_choice(name, pairs)
    known = [value for value in values if value is not None]
    if name.startswith("_") and name.endswith("_value"):
        return Column(name=name, kind=Kind.LOOKUP)
    if any(isinstance(value, float) for value in known):
        return Column(name=name, kind=Kind.DECIMAL)
    kind = _guess_kind(known[0] if known else "")
    return Column(name=name, kind=kind, labels={0: "No", 1: "Yes"} if kind is Kind.BOOLEAN else {})


def _make_choice(name: str, pairs: Sequence[tuple[object, str]]) -> Column:
    several = [(str(value).split(","), text.split("; ")) for value, text in pairs]
    labels = {int(value): label for values, names in several for value, label in zip(values, names, strict=False)}
    kind = Kind.CHOICES if any(isinstance(value, str) for value, _ in pairs) else Kind.CHOICE
    return Column(name=name, kind=kind, labels=labels)


def _guess_kind(sample: object) -> Kind:
    """An organisation cannot add columns of type GUID, so what looks like one is text."""
    match sample:
        case bool():
            return Kind.BOOLEAN
        case int():
            return Kind.INTEGER
        case str() if _INSTANT.fullmatch(sample):
            return Kind.INSTANT
        case _:
            return Kind.TEXT


def _describe(value: object) -> str:
    """Name a JSON type; the value itself may be personal."""
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")


def _require(value: object, kind: type, words: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"expected {words}, got {_describe(value)}")  # noqa: TRY004 - callers know one kind of error
    return value


def _require_number(value: object, kind: type[int] | type[float]) -> Any:
    words, accepted = ("a whole number", int) if kind is int else ("a number", int | float)
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise ValueError(f"expected {words}, got {_describe(value)}")  # noqa: TRY004 - callers know one kind of error
    return kind(value)


_STORE: Mapping[Kind, Callable[[object], Any]] = {
    Kind.TEXT: lambda value: _require(value, str, "text"),
    Kind.BOOLEAN: lambda value: _require(value, bool, "true or false"),
    Kind.INTEGER: lambda value: _require_number(value, int),
    Kind.CHOICE: lambda value: _require_number(value, int),
    Kind.CHOICES: lambda value: _require(value, str, "the values of choices with commas between"),
    Kind.DECIMAL: lambda value: _require_number(value, float),
    Kind.GUID: store_guid,
    Kind.LOOKUP: store_guid,
    Kind.INSTANT: store_instant,
}
