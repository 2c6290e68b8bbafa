"""Reads rows of Dataverse in as few questions as it takes."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice

from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import UnreadableAnswerError
from app.dataverse.queries import build_path

__all__ = ["build_any", "quote_text", "read_page_rows", "read_rows", "read_rows_for"]

_PAGE = 2000
_IDS_AT_ONCE = 50
"""Clauses in one filter: far below the 500 conditions and the 32 KB of a URL (Dataverse contract, 1.3 and 1.4)."""


async def read_rows(client: DataverseClient, table: str, *, strong: bool = False, **options: str) -> list[Row]:
    """Read every row of a query; `strong` reads one page past the server's caches. Raises DataverseError."""
    path = build_path(table, {f"${name}": value for name, value in options.items()})
    if strong:
        return read_page_rows(await client.get_json(path, strong=True))
    return [row async for page in client.get_pages(path, page_size=_PAGE) for row in read_page_rows(page)]


async def read_rows_for(
    client: DataverseClient, table: str, column: str, ids: Iterable[str], *, select: str, strong: bool = False
) -> list[Row]:
    """Read the rows whose `column` is one of these ids, some fifty ids a question. Raises DataverseError."""
    found: list[Row] = []
    async for rows in _read_batches(client, table, column, ids, select=select, strong=strong):
        found += rows
    return found


def quote_text(text: str) -> str:
    """Write a text as an OData string for `eq`.

    Dataverse may take `%`, `_` and `[` in it for wildcards (contract, section 1.3), so compare what comes back.
    """
    return "'" + text.replace("'", "''") + "'"


def build_any(column: str, ids: Sequence[str]) -> str:
    """Write a filter for any of these ids."""
    return " or ".join(f"{column} eq {each}" for each in ids)


async def _read_batches(
    client: DataverseClient, table: str, column: str, ids: Iterable[str], *, select: str, strong: bool
) -> AsyncIterator[list[Row]]:
    for batch in _cut(sorted(set(ids))):
        yield await read_rows(client, table, strong=strong, select=select, filter=build_any(column, batch))


def _cut(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, _IDS_AT_ONCE)):
        yield batch


def read_page_rows(page: Row) -> list[Row]:
    """Take the rows out of one page; raises UnreadableAnswerError."""
    rows = page.get("value")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError("the answer holds no list of rows: the URL is not a Dataverse organisation")
    return rows
