"""Pages: the tokens that carry a reading on from one request to the next (Dataverse contract, section 1.4)."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from urllib.parse import quote, unquote

from app.emulators.dataverse.errors import bad_query
from app.emulators.dataverse.query import PAGE_LIMIT
from app.emulators.dataverse.requests import ApiRequest
from app.emulators.dataverse.tables import Row

Item = TypeVar("Item")
_COOKIE = re.compile(
    r'<cookie pagenumber="(?P<page>\d+)" pagingcookie="(?P<last>[^"]*)" '
    r'start="(?P<start>[^"]*)" check="(?P<check>\w+)" istracking="(?:True|False)" />'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a reading stands between two pages."""

    page: int
    last: str
    """What the last page ended with: the id of a row or, among changes, a place in their order."""
    start: str = ""
    """For tracked changes: the token of the moment the reading began."""


def size_page(request: ApiRequest) -> int:
    """Return how many rows a page of the answer may hold."""
    return request.prefer.page_size or PAGE_LIMIT


def read_position(request: ApiRequest) -> Position | None:
    """Return where the requested page begins, None for a first page.

    Raises WireError (400) when the link was edited or `Prefer` changed between two pages.
    """
    before, found, raw_token = request.raw_query.partition("$skiptoken=")
    if not found:
        if "skiptoken=" in unquote(request.raw_query):
            raise bad_query("The $skiptoken must be sent as it was received.")
        return None
    match = _COOKIE.fullmatch(unquote(raw_token))
    if match is None or match["check"] != _check(request, before.removesuffix("&")):
        raise bad_query("Paging cookie is malformed, or the query or the Prefer header changed between two pages.")
    return Position(page=int(match["page"]), last=match["last"], start=match["start"])


def write_next_link(request: ApiRequest, position: Position) -> str:
    """Return the link to the page at `position`. It fits only the same query with the same preferences."""
    raw = request.raw_query.partition("$skiptoken=")[0].removesuffix("&")
    cookie = (
        f'<cookie pagenumber="{position.page}" pagingcookie="{position.last}" '
        f'start="{position.start}" check="{_check(request, raw)}" istracking="{is_tracked(request)}" />'
    )
    return f"{request.root}/{request.raw_path}?{raw}{'&' if raw else ''}$skiptoken={quote(cookie, safe='')}"


def is_tracked(request: ApiRequest) -> bool:
    """Whether a request asks for a delta link or follows one."""
    return request.prefer.track_changes or "$deltatoken" in request.options


def cut_page(rows: Sequence[Row], key: str, position: Position | None, size: int) -> tuple[Sequence[Row], str | None]:
    """Return the rows of a page, and the id of its last one when more follow; `key` is the column of the id."""
    start = 0 if position is None else _find_start(rows, key, position, size)
    page = rows[start : start + size]
    return page, page[-1][key] if start + size < len(rows) else None


def take_page(items: Iterable[tuple[str, Item]], size: int) -> tuple[list[Item], str | None]:
    """Return the first items, given as (place, item), and the place of the last one when more follow."""
    taken = list(islice(items, size + 1))
    return [item for _, item in taken[:size]], taken[size - 1][0] if len(taken) > size else None


def _find_start(rows: Sequence[Row], key: str, position: Position, size: int) -> int:
    """After the last row sent; by number when that row has gone since."""
    expected = (position.page - 1) * size
    if expected <= len(rows) and rows[expected - 1][key] == position.last:
        return expected
    places = (index for index, row in enumerate(rows, 1) if row[key] == position.last)
    return next(places, expected)


def _check(request: ApiRequest, raw_query: str) -> str:
    preferences = f"{request.prefer.page_size} {is_tracked(request)}"
    return hashlib.sha256(f"{preferences}?{raw_query}".encode()).hexdigest()[:16]
