"""The data of the emulated API: rows in wire spelling, by table.

Keys that begin with an underscore are the emulator's own and never leave it: `_minutes_ago` dates a call relative to
the start, `_user_id` says whose call it is, `_user_ids` who serves a queue, `_availability` what a user is at the
moment, `_modified` when a call was last changed.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

__all__ = ["PRIVACY_FIELD", "Clock", "Row", "Tables", "build_tables", "load_sample", "put_call", "serve"]

Clock = Callable[[], datetime]
"""Tells the time, aware."""
Row = dict[str, Any]
Tables = dict[str, list[Row]]
"""Table name -> rows. Names: users, queues, directories, entries, calls, service_calls, credentials."""

PRIVACY_FIELD = "EmulatedPrivacy"
"""The key that tells work from private here. The vendor's own is not public (Enreach contract, section 6)."""
_NAMES = ("users", "queues", "directories", "entries", "calls", "service_calls", "credentials")
_VISIBLE_AFTER = timedelta(seconds=10)


def load_sample() -> Tables:
    """Return the packaged sample organisation, with undated calls."""
    text = files(__package__).joinpath("sample.json").read_text(encoding="utf-8")
    sample: Tables = json.loads(text)
    return sample


def build_tables(data: Mapping[str, Iterable[Mapping[str, Any]]] | None, now: datetime) -> Tables:
    """Return the emulator's own copy of the data, or of the sample, with calls dated relative to `now`.

    Absent tables are empty, but for the credentials, which are then the sample's. Raises ValueError for unknown tables.
    """
    given = load_sample() if data is None else data
    if unknown := sorted(set(given) - set(_NAMES)):
        raise ValueError(f"Unknown tables: {', '.join(unknown)}. There are: {', '.join(_NAMES)}")
    tables: Tables = {name: [deepcopy(dict(row)) for row in given.get(name, ())] for name in _NAMES}
    if "credentials" not in given:
        tables["credentials"] = load_sample()["credentials"]
    for row in tables["calls"] + tables["service_calls"]:
        _date(row, now)
    return tables


def put_call(tables: Tables, changes: Row, now: datetime) -> None:
    """Change the rows of one user's part in a call, or add one; either way it was changed now.

    Without a `UserName` it is every part of that call. Raises KeyError without a `CallId`.
    """
    call_id, user = changes["CallId"], changes.get("UserName")
    mine = [row for row in tables["calls"] if row["CallId"] == call_id and user in {None, row.get("UserName")}]
    if not mine:
        mine = [{}]
        tables["calls"] += mine
    for row in mine:
        row.update(changes)
        _date(row, now)
        row["_modified"] = f"{now:%Y-%m-%dT%H:%M:%S}"


def serve(row: Row) -> Row:
    """Return a row as the API shows it."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _date(row: Row, now: datetime) -> None:
    """Fill in the times of a call from its `_minutes_ago`, where it has one."""
    if "_minutes_ago" not in row:
        return
    started = now - timedelta(minutes=row["_minutes_ago"])
    ended = started + timedelta(seconds=row.get("Duration") or 0)
    row.setdefault("TimeStamp", f"{started:%Y-%m-%dT%H:%M:%S}")
    row.setdefault("StartTime", f"{started:%Y-%m-%dT%H:%M:%S}")
    row.setdefault("_modified", f"{ended + _VISIBLE_AFTER:%Y-%m-%dT%H:%M:%S}")
