"""One authorised request to the Web API, with what the handlers need of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.emulators.dataverse.errors import WireError, bad_payload, bad_query, unknown_segment
from app.emulators.dataverse.options import Preferences
from app.emulators.dataverse.schema import Schema, Table
from app.emulators.dataverse.tables import Row
from app.emulators.dataverse.values import store_guid

_SEGMENT = re.compile(r"(?P<name>[^()]+)(?:\((?P<key>.*)\))?")
_MAX_URL = 32_768


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a resource path: `contacts` or `contacts(<key>)`."""

    name: str
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request whose token has been accepted."""

    method: str
    root: str
    """Address of the service root, e.g. `https://host/api/data/v9.2`."""
    path: tuple[Segment, ...]
    raw_path: str
    """The path below the service root, as it came."""
    raw_query: str
    options: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    prefer: Preferences
    body: Any
    """Decoded JSON; None without a body."""
    user: Row
    """The application user that asks."""

    def read_object(self) -> dict[str, Any]:
        """Return the body as an object. Raises WireError (400) when it is none."""
        if not isinstance(self.body, dict):
            raise bad_payload("An error occurred while validating input parameters: a JSON object is required.")
        return self.body


def read_path(path: str) -> tuple[Segment, ...]:
    """Split `contacts(<key>)/navigation/$ref`. Raises WireError (404) for what is no path."""
    return tuple(_read_segment(part) for part in path.strip("/").split("/")) if path else (Segment("", None),)


def require_short(url: str) -> None:
    """Refuse a URL over 32 KB (contract, section 1.4)."""
    if len(url) > _MAX_URL:
        raise WireError(414, "0x0", "The request URL is too long.")


def find_table(schema: Schema, segment: Segment) -> Table:
    """Return the table an entity set names. Raises WireError (404)."""
    if segment.name not in schema:
        raise unknown_segment(segment.name)
    return schema[segment.name]


def read_key(table: Table, key: str) -> Mapping[str, Any]:
    """Return what a key says: the id, or the columns of the alternate key. Raises WireError (400)."""
    if "=" in key:
        return _read_alternate_key(table, key)
    return {table.key: read_id(key)}


def read_id(key: str) -> str:
    """Return a GUID in lower case. Raises WireError (400)."""
    try:
        return store_guid(key)
    except ValueError as exc:
        raise bad_query(f"Error in query syntax: '{key}' is not a GUID.") from exc


def _read_segment(part: str) -> Segment:
    match = _SEGMENT.fullmatch(part)
    if match is None:
        raise unknown_segment(part)
    return Segment(match["name"], match["key"])


def _read_alternate_key(table: Table, key: str) -> Mapping[str, Any]:
    pairs = dict(pair.split("=", 1) for pair in key.split(",") if "=" in pair)
    if tuple(pairs) != table.alternate_key:
        raise bad_query(f"The specified key attributes are not a defined key for the {table.logical_name} entity")
    return {name: int(text) if text.isdecimal() else text.strip("'").lower() for name, text in pairs.items()}
