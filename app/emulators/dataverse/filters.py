"""Compiles `$filter` into a test on rows: odata-query parses, a walk over its tree refuses what Dataverse refuses."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from odata_query import ast

from app.emulators.dataverse.errors import NOT_IMPLEMENTED, WireError, bad_query, not_emulated, unknown_property
from app.emulators.dataverse.grammar import parse_filter
from app.emulators.dataverse.literals import compile_pattern, read_literal, require_same_type
from app.emulators.dataverse.narrowing import find_candidates, flatten
from app.emulators.dataverse.paths import Reader, Scope, find_column, read_name
from app.emulators.dataverse.schema import Cardinality, Column, Kind, Table
from app.emulators.dataverse.stored_table import Candidates
from app.emulators.dataverse.tables import Row, Tables

Predicate = Callable[[Row], bool]

_ORDERINGS: Mapping[type, tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Lt: ("LessThan", operator.lt),
    ast.LtE: ("LessThanOrEqual", operator.le),
    ast.Gt: ("GreaterThan", operator.gt),
    ast.GtE: ("GreaterThanOrEqual", operator.ge),
}
_ANCHORS = {"contains": (False, False), "startswith": (True, False), "endswith": (False, True)}


@dataclass(frozen=True, slots=True)
class Filter:
    """The test that a `$filter` puts to each row, and which rows an index can leave out beforehand."""

    test: Predicate
    candidates: Candidates | None
    """A row that passes has one of these values; None when the filter does not say so of its whole."""

    def __call__(self, row: Row) -> bool:
        """Whether a row passes."""
        return self.test(row)


def compile_filter(text: str, table: Table, tables: Tables) -> Filter:
    """Return the test that `$filter=text` puts to each row of `table`.

    A comparison with null is false, except `ne`, which includes it, and so does `not` around any test: that is how
    Dataverse words its SQL, while the OData standard leaves such rows out. Raises WireError (400) as the real one does.
    """
    tree, scope = parse_filter(text), Scope(tables=tables, table=table)
    return Filter(_compile(tree, scope), find_candidates(tree, scope))


def _compile(node: ast._Node, scope: Scope) -> Predicate:
    match node:
        case ast.BoolOp(op=ast.Or()):
            return _compile_any(list(flatten(node, ast.Or)), scope)
        case ast.BoolOp():
            parts = [_compile(part, scope) for part in flatten(node, ast.And)]
            return lambda row: all(part(row) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _compile(operand, scope)
            return lambda row: not inner(row)
        case _:
            return _compile_test(node, scope)


def _compile_test(node: ast._Node, scope: Scope) -> Predicate:
    match node:
        case ast.Compare():
            return _compile_comparison(node, scope)
        case ast.Call():
            return _compile_call(node, scope)
        case ast.CollectionLambda():
            return _compile_lambda(node, scope)
        case ast.Identifier() | ast.Attribute():
            return _compile_flag(node, scope)
        case _:
            raise bad_query("The $filter expression must evaluate to a single boolean value.")


def _compile_any(parts: list[ast._Node], scope: Scope) -> Predicate:
    """Candidates for one column become one look-up in a set, as 50 of them over 5,000 rows must stay fast."""
    candidates: dict[ast._Node, tuple[Reader, set[Any]]] = {}
    tests: list[Predicate] = []
    for part in parts:
        match part:
            case ast.Compare(comparator=ast.Eq(), left=(ast.Identifier() | ast.Attribute()) as path, right=literal) if (
                isinstance(literal, ast._Literal)  # noqa: SLF001 - see `grammar`
            ):
                column, read = find_column(path, scope)
                candidates.setdefault(path, (read, set()))[1].add(read_literal(column, literal, "Equal"))
            case _:
                tests.append(_compile(part, scope))
    tests = [*(_one_of(read, frozenset(values)) for read, values in candidates.values()), *tests]
    return lambda row: any(test(row) for test in tests)


def _one_of(read: Reader, values: frozenset[Any]) -> Predicate:
    return lambda row: read(row) in values


def _compile_comparison(node: ast.Compare, scope: Scope) -> Predicate:
    if isinstance(node.comparator, ast.In):
        raise WireError(501, NOT_IMPLEMENTED, "The method or operation is not implemented.")
    if isinstance(node.left, ast._Literal) or not isinstance(node.left, ast.Identifier | ast.Attribute):  # noqa: SLF001 - see `grammar`
        raise bad_query("The left side of a comparison in $filter must be a property.")
    column, read = find_column(node.left, scope)
    expected = _right_side(node, column, scope)
    match node.comparator:
        case ast.Eq():
            return lambda row: read(row) == expected(row)
        case ast.NotEq():
            return lambda row: read(row) != expected(row)
        case _:
            return _ordering(_ORDERINGS[type(node.comparator)][1], read, expected)


def _ordering(compare: Callable[[Any, Any], bool], read: Reader, expected: Reader) -> Predicate:
    def test(row: Row) -> bool:
        left, right = read(row), expected(row)
        return left is not None and right is not None and compare(left, right)

    return test


def _right_side(node: ast.Compare, column: Column, scope: Scope) -> Reader:
    kind = _ORDERINGS.get(type(node.comparator), (type(node.comparator).__name__.replace("Eq", "Equal"), None))[0]
    if isinstance(node.right, ast._Literal):  # noqa: SLF001 - see `grammar`
        value = read_literal(column, node.right, kind)
        return lambda _row: value
    if not isinstance(node.right, ast.Identifier | ast.Attribute):
        raise bad_query("Only a literal or a property may stand right of a comparison in $filter.")
    other, read = find_column(node.right, scope)
    require_same_type(column, other, kind)
    return read


def _compile_call(node: ast.Call, scope: Scope) -> Predicate:
    anchors = _ANCHORS.get(read_name(node.func))
    match node.args:
        case [(ast.Identifier() | ast.Attribute()) as path, ast.String() as argument] if anchors:
            column, read = find_column(path, scope, folded=False)
        case _:
            raise bad_query(f"The function '{read_name(node.func)}' is not supported in $filter with such arguments.")
    if column.kind is not Kind.TEXT:
        raise bad_query(f"No function signature for the function '{node.func.name}' matches the specified arguments.")
    matches = compile_pattern(argument.val, anchor_start=anchors[0], anchor_end=anchors[1])
    return lambda row: (value := read(row)) is not None and matches(value)


def _compile_flag(node: ast._Node, scope: Scope) -> Predicate:
    column, read = find_column(node, scope)
    if column.kind is not Kind.BOOLEAN:
        raise bad_query("The $filter expression must evaluate to a single boolean value.")
    return lambda row: read(row) is True


def _compile_lambda(node: ast.CollectionLambda, scope: Scope) -> Predicate:
    if not isinstance(node.owner, ast.Identifier):
        raise not_emulated("A lambda over a navigation path")
    navigation = scope.table.navigations.get(node.owner.name)
    if navigation is None or navigation.cardinality is Cardinality.SINGLE:
        raise unknown_property(node.owner.name, scope.table.logical_name)
    groups = scope.tables.group_related(scope.table, navigation)
    test = _lambda_body(node, replace(scope, table=scope.tables.schema[navigation.target]))
    quantify = any if isinstance(node.operator, ast.Any) else all
    key = scope.table.key
    return lambda row: quantify(test(related) for related in groups.get(row[key], ()))


def _lambda_body(node: ast.CollectionLambda, scope: Scope) -> Predicate:
    if node.lambda_ is None:
        return lambda _row: True
    return _compile(node.lambda_.expression, replace(scope, variable=node.lambda_.identifier.name))
