"""Literals of `$filter` and the columns they may be compared with (Dataverse contract, section 1.3)."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from odata_query import ast

from app.emulators.dataverse.errors import WireError, bad_query
from app.emulators.dataverse.schema import Column, Kind
from app.emulators.dataverse.values import store_guid, store_instant

_EDM = {
    Kind.TEXT: "Edm.String",
    Kind.INTEGER: "Edm.Int32",
    Kind.CHOICE: "Edm.Int32",
    Kind.CHOICES: "Edm.String",
    Kind.DECIMAL: "Edm.Decimal",
    Kind.BOOLEAN: "Edm.Boolean",
    Kind.GUID: "Edm.Guid",
    Kind.LOOKUP: "Edm.Guid",
    Kind.INSTANT: "Edm.DateTimeOffset",
}
_LITERAL_EDM: dict[type, str] = {
    ast.String: "Edm.String",
    ast.Integer: "Edm.Int32",
    ast.Float: "Edm.Decimal",
    ast.Boolean: "Edm.Boolean",
    ast.GUID: "Edm.Guid",
    ast.DateTime: "Edm.DateTimeOffset",
    ast.Date: "Edm.Date",
}


def fold(text: str) -> str:
    """Return what SQL compares: case and trailing blanks do not count."""
    return text.rstrip(" ").casefold()


def read_literal(column: Column, node: ast._Literal, operator: str) -> Any:
    """Return the value to compare with what `column` stores; text is folded.

    Raises WireError (400) when column and literal are of different types.
    """
    if isinstance(node, ast.Null):
        return None
    read = _READ.get((_EDM[column.kind], type(node)))
    if read is not None:
        with suppress(ValueError):
            return read(node.val)  # type: ignore[attr-defined] # every literal has one
    raise _incompatible(column, _LITERAL_EDM.get(type(node), "Edm.Untyped"), operator)


def require_same_type(left: Column, right: Column, operator: str) -> None:
    """Refuse to compare columns of different types."""
    if _EDM[left.kind] != _EDM[right.kind]:
        raise _incompatible(left, _EDM[right.kind], operator)


_READ: Mapping[tuple[str, type], Callable[[str], Any]] = {
    ("Edm.String", ast.String): fold,
    ("Edm.Int32", ast.Integer): int,
    ("Edm.Decimal", ast.Integer): float,
    ("Edm.Decimal", ast.Float): float,
    ("Edm.Boolean", ast.Boolean): lambda text: text.lower() == "true",
    ("Edm.Guid", ast.GUID): store_guid,
    ("Edm.Guid", ast.String): store_guid,
    ("Edm.DateTimeOffset", ast.DateTime): store_instant,
    ("Edm.DateTimeOffset", ast.Date): store_instant,
}


def compile_pattern(text: str, *, anchor_start: bool, anchor_end: bool) -> Callable[[str], bool]:
    """Return a test for `contains`, `startswith` or `endswith`, whose argument is a SQL `LIKE` pattern.

    `%`, `_`, `[…]` and `[^…]` are wildcards (Dataverse contract, section 1.3).
    """
    body = "".join(_translate(part) for part in re.findall(r"\[\^?[^\]]+\]|.", text, re.DOTALL))
    pattern = re.compile(f"{'' if anchor_start else '.*'}{body}{'' if anchor_end else '.*'}", re.IGNORECASE | re.DOTALL)
    return lambda value: pattern.fullmatch(value) is not None


def _translate(part: str) -> str:
    match part:
        case "%":
            return ".*"
        case "_":
            return "."
        case _ if len(part) > 1:
            inner = re.sub(r"([\\\[&~|])", r"\\\1", part[1:-1])
            return f"[{inner}]"
        case _:
            return re.escape(part)


def _incompatible(column: Column, found: str, operator: str) -> WireError:
    return bad_query(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{_EDM[column.kind]}' and '{found}' for operator kind '{operator}'."
    )
