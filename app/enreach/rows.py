"""Reads the rows of an answer one by one, so that one odd row does not cost the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from app.enreach.errors import EnreachUnreadableError
from app.enreach.transmission import Answer

__all__ = ["Rows", "read_list", "read_row", "read_rows"]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """The rows that were understood, in the order of the answer, and what is known about the others."""

    rows: tuple[Row, ...]
    not_understood: tuple[str, ...] = ()
    """One text per skipped row: its index and the fields at fault, never a value; e.g. `row 3: Id`."""

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def read_rows(kind: type[Row], raw: Sequence[object]) -> Rows[Row]:
    """Read each row as `kind`; rows that cannot be understood are skipped and reported."""
    adapter = TypeAdapter(kind)
    understood: list[Row] = []
    skipped: list[str] = []
    for index, row in enumerate(raw):
        try:
            understood.append(adapter.validate_python(row))
        except ValidationError as exc:
            skipped.append(f"row {index}: {_name_faults(exc)}")
    return Rows(tuple(understood), tuple(skipped))


def read_row(kind: type[Row], answer: Answer) -> Row:
    """Read an answer that is one object; raises `EnreachUnreadableError` naming the fields at fault."""
    try:
        return TypeAdapter(kind).validate_python(answer.payload)
    except ValidationError as exc:
        # The validation error quotes the values it refuses, so it is no cause to carry along.
        raise _explain(answer, _name_faults(exc)) from None


def read_list(answer: Answer) -> list[object]:
    """Return the bare JSON array the contract promises; raises `EnreachUnreadableError`."""
    if not isinstance(answer.payload, list):
        raise _explain(answer, "not an array")
    return answer.payload


def _name_faults(error: ValidationError) -> str:
    places = (".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False, include_url=False))
    return ", ".join(place or "not an object" for place in dict.fromkeys(places))


def _explain(answer: Answer, reason: str) -> EnreachUnreadableError:
    return EnreachUnreadableError(f"GET {answer.exchange.path}: {reason}", exchange=answer.exchange)
