"""Columns an expression names, straight or through N:1 navigations, and how to read them from a row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from odata_query import ast

from app.emulators.dataverse.errors import bad_query, unknown_property
from app.emulators.dataverse.literals import fold
from app.emulators.dataverse.schema import Column, Kind, Table
from app.emulators.dataverse.tables import Row, Tables

Reader = Callable[[Row], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What names in an expression mean: the table, and the variable of a lambda while inside one."""

    tables: Tables
    table: Table
    variable: str = ""


def compile_path(path: str, table: Table, tables: Tables) -> tuple[Column, Reader]:
    """Return column and reader for `column` or `navigation/column`."""
    *owners, name = path.split("/")
    node: ast._Node = ast.Identifier(owners[0]) if owners else ast.Identifier(name)
    for owner in [*owners[1:], *([name] if owners else [])]:
        node = ast.Attribute(node, owner)
    return find_column(node, Scope(tables=tables, table=table))


def find_column(node: ast._Node, scope: Scope, *, folded: bool = True) -> tuple[Column, Reader]:
    """Return the column a path names, and how to read it from a row; text comes folded for comparing."""
    *owners, name = _names(node, scope)
    table = scope.table
    row_reader: Reader = _itself
    for owner in owners:
        table, row_reader = _step(table, owner, row_reader, scope.tables)
    column = table.columns.get(name)
    if column is None:
        raise unknown_property(name, table.logical_name)
    return column, _read_column(column, row_reader, folded=folded and column.kind is Kind.TEXT)


def read_name(node: ast.Identifier) -> str:
    """Return an identifier with its namespace."""
    return ".".join((*node.namespace, node.name))


def _names(node: ast._Node, scope: Scope) -> list[str]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.owner
    if not isinstance(node, ast.Identifier):
        raise bad_query("There is a syntax error in the $filter expression.")
    if scope.variable and read_name(node) != scope.variable:
        raise bad_query(f"Inside a lambda every property starts with its variable '{scope.variable}'.")
    return names if scope.variable else [read_name(node), *names]


def _step(table: Table, name: str, before: Reader, tables: Tables) -> tuple[Table, Reader]:
    navigation = table.navigations.get(name)
    if navigation is None or not navigation.is_single:
        raise unknown_property(name, table.logical_name)

    def read(row: Row) -> Row | None:
        owner = before(row)
        return None if owner is None else tables.follow(owner, navigation)

    return tables.schema[navigation.target], read


def _itself(row: Row) -> Row:
    return row


def _read_column(column: Column, read_row: Reader, *, folded: bool) -> Reader:
    name = column.name

    def read(row: Row) -> Any:
        owner = read_row(row)
        value = None if owner is None else owner.get(name)
        return fold(value) if folded and value is not None else value

    return read
