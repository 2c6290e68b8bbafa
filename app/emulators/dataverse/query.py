"""A read request as the emulator understands it: columns, filter, order and expands of one table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.emulators.dataverse.errors import bad_query, unknown_property
from app.emulators.dataverse.filters import Filter, compile_filter
from app.emulators.dataverse.options import split_outside
from app.emulators.dataverse.paths import Reader, compile_path
from app.emulators.dataverse.schema import Cardinality, Navigation, Table
from app.emulators.dataverse.tables import Row, Tables

PAGE_LIMIT = 5000
_MAX_EXPANDS = 15
_EXPAND_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$expand"})
_COLLECTION_OPTIONS = ("$filter", "$orderby", "$top")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to read from one table; the same for the request itself and for each expand in it."""

    table: Table
    columns: tuple[str, ...] | None
    """Selected columns; None for all."""
    shown: tuple[str, ...]
    """The columns an answer has: the selected ones and the primary key, which always comes along."""
    filter: Filter | None = None
    order: tuple[tuple[Reader, bool], ...] = ()
    """Readers, most important first, each with whether it descends."""
    top: int | None = None
    count: bool = False
    expands: tuple["Expand", ...] = ()

    def select_rows(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that pass the filter, in order, before `$top`. Nulls sort first."""
        chosen = rows if self.filter is None else filter(self.filter.test, rows)
        for read, descending in reversed(self.order):
            chosen = sorted(chosen, key=lambda row: _sort_key(read(row)), reverse=descending)
        return chosen if isinstance(chosen, list) else list(chosen)

    def read_rows(self, tables: Tables) -> list[Row]:
        """Return the rows of the whole table that pass the filter, in order, before `$top`."""
        candidates = self.filter.candidates if self.filter else None
        if candidates is None:
            return self.select_rows(tables.list_rows(self.table.entity_set))
        return self.select_rows(tables.matching(self.table.entity_set, candidates))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """Related rows to put into each row."""

    navigation: Navigation
    query: Query


def read_query(options: Mapping[str, str], table: Table, tables: Tables) -> Query:
    """Understand the options of a request on `table`. Raises WireError (400) for what Dataverse refuses."""
    query = _read(options, table, tables, nested=False)
    if _count_expands(query) > _MAX_EXPANDS:
        raise bad_query(f"The number of $expand options exceeds the limit of {_MAX_EXPANDS}.")
    return query


def _read(options: Mapping[str, str], table: Table, tables: Tables, *, nested: bool) -> Query:
    text = options.get("$filter")
    columns = _read_select(options.get("$select"), table)
    return Query(
        table=table,
        columns=columns,
        shown=tuple(table.columns if columns is None else dict.fromkeys((*columns, table.key))),
        filter=None if text is None else compile_filter(text, table, tables),
        order=_read_order(options.get("$orderby"), table, tables),
        top=_read_top(options.get("$top")),
        count=_read_count(options.get("$count")),
        expands=_read_expands(options.get("$expand"), table, tables, nested=nested),
    )


def _read_select(text: str | None, table: Table) -> tuple[str, ...] | None:
    if text is None or text.strip() == "*":
        return None
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in table.columns:
            raise unknown_property(name, table.logical_name)
    return tuple(dict.fromkeys(names))


def _read_order(text: str | None, table: Table, tables: Tables) -> tuple[tuple[Reader, bool], ...]:
    return tuple(_read_order_part(part.split(), table, tables) for part in text.split(",")) if text else ()


def _read_order_part(words: list[str], table: Table, tables: Tables) -> tuple[Reader, bool]:
    match words:
        case [path]:
            direction = "asc"
        case [path, ("asc" | "desc") as direction]:
            pass
        case _:
            raise bad_query("There is a syntax error in the $orderby expression.")
    return compile_path(path, table, tables)[1], direction == "desc"


def _read_top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 0 < int(text) <= PAGE_LIMIT:
        raise bad_query(f"Invalid value '{text}' for $top query option found. It must be from 1 to {PAGE_LIMIT}.")
    return int(text)


def _read_count(text: str | None) -> bool:
    if text not in {None, "true", "false"}:
        raise bad_query(f"Invalid value '{text}' for $count query option found. Valid values are 'true' and 'false'.")
    return text == "true"


def _read_expands(text: str | None, table: Table, tables: Tables, *, nested: bool) -> tuple[Expand, ...]:
    if text is None:
        return ()
    expands = tuple(_read_expand(part.strip(), table, tables) for part in split_outside(text, ","))
    kinds = {expand.navigation.cardinality for expand in expands}
    if nested and Cardinality.LINKED in kinds:
        raise bad_query("Expanding a many-to-many navigation inside another expand is not supported.")
    if {Cardinality.LINKED, Cardinality.COLLECTION} <= kinds:
        raise bad_query("Expanding many-to-many together with one-to-many navigations is not supported.")
    return expands


def _read_expand(part: str, table: Table, tables: Tables) -> Expand:
    name, parenthesis, rest = part.partition("(")
    navigation = table.navigations.get(name.strip())
    if navigation is None:
        raise unknown_property(name.strip(), table.logical_name)
    if parenthesis and not rest.endswith(")"):
        raise bad_query("There is a syntax error in the $expand expression.")
    options = _read_expand_options(rest[:-1])
    _require_allowed(options, navigation)
    return Expand(navigation=navigation, query=_read(options, tables.schema[navigation.target], tables, nested=True))


def _read_expand_options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(str.strip, split_outside(text, ";")):
        name, _, value = part.strip().partition("=")
        if name not in _EXPAND_OPTIONS or name in options:
            raise bad_query(f"The query option '{name}' is not supported inside $expand.")
        options[name] = value
    return options


def _require_allowed(options: Mapping[str, str], navigation: Navigation) -> None:
    used = [name for name in _COLLECTION_OPTIONS if name in options]
    if used and navigation.is_single:
        raise bad_query(f"{used[0]} is only supported inside an expand of a collection-valued navigation property.")
    if used and "$expand" in options:
        raise bad_query(f"{used[0]} is not supported together with a nested $expand.")


def _count_expands(query: Query) -> int:
    return sum(1 + _count_expands(expand.query) for expand in query.expands)


def _sort_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)
