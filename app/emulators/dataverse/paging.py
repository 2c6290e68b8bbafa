"""Pages and delta links: the tokens that carry a reading on from one request to the next (contract, section 1.4)."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote, unquote

from app.emulators.dataverse.errors import VERSION_STAMP_EXPIRED, WireError, bad_query

Item = TypeVar("Item")

DELTA_LIFETIME = timedelta(days=7)
_STAMP = "%m/%d/%Y %H:%M:%S"
_COOKIE = re.compile(
    r'<cookie pagenumber="(?P<page>\d+)" pagingcookie="(?P<last>[^"]*)" '
    r'upto="(?P<upto>\d+)" check="(?P<check>\w+)" istracking="(?:True|False)" />'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a reading stands between two pages."""

    page: int
    last: str
    """Id of the last row already sent."""
    upto: int
    """Version of the organisation when the reading began."""


def write_skip_token(position: Position, *, raw_query: str, page_size: int) -> str:
    """Return an opaque `$skiptoken`, encoded for a URL. It fits only the same query with the same page size."""
    cookie = (
        f'<cookie pagenumber="{position.page}" pagingcookie="{position.last}" '
        f'upto="{position.upto}" check="{_check(raw_query, page_size)}" istracking="False" />'
    )
    return quote(cookie, safe="")


def read_skip_token(raw_query: str, *, page_size: int) -> Position | None:
    """Return the position in a query string, None on a first page.

    Raises WireError (400) when the link was edited or `Prefer` changed between two pages.
    """
    before, found, raw_token = raw_query.partition("$skiptoken=")
    if not found:
        if "skiptoken=" in unquote(raw_query):
            raise bad_query("The $skiptoken must be sent as it was received.")
        return None
    match = _COOKIE.fullmatch(unquote(raw_token))
    if match is None or match["check"] != _check(before.removesuffix("&"), page_size):
        raise bad_query("Paging cookie is malformed, or the query or the Prefer header changed between two pages.")
    return Position(page=int(match["page"]), last=match["last"], upto=int(match["upto"]))


def cut_page(items: Sequence[tuple[str, Item]], position: Position | None, size: int) -> tuple[list[Item], str | None]:
    """Return the items of a page, given as (id, item), and the id of its last one when more follow."""
    start = 0 if position is None else _find_start(items, position, size)
    page = items[start : start + size]
    more = start + size < len(items)
    return [item for _, item in page], page[-1][0] if more else None


def write_delta_token(version: int, now: datetime) -> str:
    """Return a `$deltatoken`, encoded for a URL."""
    return quote(f"{version}!{now.astimezone(UTC).strftime(_STAMP)}", safe="")


def read_delta_token(token: str, now: datetime) -> int:
    """Return the version in a decoded delta token. Raises WireError (400) when malformed or over seven days old."""
    version, _, stamp = token.partition("!")
    try:
        issued = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
        number = int(version)
    except ValueError as exc:
        raise bad_query("The delta token is malformed.") from exc
    if now - issued > DELTA_LIFETIME:
        message = "Version stamp associated with the client has expired. Please perform a full sync."
        raise WireError(400, VERSION_STAMP_EXPIRED, message)
    return number


def _find_start(items: Sequence[tuple[str, Item]], position: Position, size: int) -> int:
    """After the last row sent; by number when that row has gone since."""
    places = (index for index, (key, _) in enumerate(items) if key == position.last)
    return next(places, (position.page - 1) * size - 1) + 1


def _check(raw_query: str, page_size: int) -> str:
    return hashlib.sha256(f"{page_size}?{raw_query}".encode()).hexdigest()[:16]
