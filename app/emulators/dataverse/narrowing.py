"""Finds in a `$filter` what lets an index leave most rows out: columns that must equal one of some values."""

from collections.abc import Iterable, Iterator

from odata_query import ast

from app.emulators.dataverse.literals import read_literal
from app.emulators.dataverse.paths import Scope
from app.emulators.dataverse.schema import Kind
from app.emulators.dataverse.stored_table import Candidates

_INDEXED = frozenset({Kind.TEXT, Kind.GUID, Kind.LOOKUP})


def find_candidates(node: ast._Node, scope: Scope) -> Candidates | None:
    """Return values of which every row that passes has one; None when rows without any may pass too."""
    match node:
        case ast.BoolOp(op=ast.Or()):
            return _unite([find_candidates(part, scope) for part in flatten(node, ast.Or)])
        case ast.BoolOp():
            return next(filter(None, (find_candidates(part, scope) for part in flatten(node, ast.And))), None)
        case ast.Compare(comparator=ast.Eq(), left=ast.Identifier() as name, right=literal):
            return _read_equality(name, literal, scope)
        case _:
            return None


def flatten(node: ast._Node, kind: type) -> Iterator[ast._Node]:
    """Yield the operands of a chain of the same operator, however long, without recursion."""
    stack = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, ast.BoolOp) and isinstance(top.op, kind):
            stack += [top.right, top.left]
        else:
            yield top


def _read_equality(name: ast.Identifier, literal: ast._Node, scope: Scope) -> Candidates | None:
    column = scope.table.columns.get(name.name)
    if column is None or column.kind not in _INDEXED or not isinstance(literal, ast._Literal):  # noqa: SLF001 - see `grammar`
        return None
    value = read_literal(column, literal, "Equal")
    return None if value is None else {column.name: [value]}


def _unite(parts: Iterable[Candidates | None]) -> Candidates | None:
    united: dict[str, list[str]] = {}
    for part in parts:
        if part is None:
            return None
        for column, values in part.items():
            united.setdefault(column, []).extend(values)
    return united
