"""Rows of Dataverse as rows of the index."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from app.dataverse.client import Row
from app.dataverse.errors import UnreadableAnswerError
from app.dataverse.records import LOOKUP_TYPE
from app.directory.mirror.plan import ACCOUNT, CONTACT, USER, MirrorPlan
from app.routing.number_hygiene import NumberFault, list_faults
from app.routing.number_regions import region_of_country
from app.routing.quick_numbers import list_e164

__all__ = ["Changes", "IndexRecord", "read_changes", "read_faults", "write_faults"]

_KEYS: Final[Mapping[str, str]] = {CONTACT: "contactid", ACCOUNT: "accountid", USER: "systemuserid"}
_MAX_COUNTRIES: Final = 10_000
_BITS: Final[Mapping[NumberFault, int]] = {fault: bit for bit, fault in enumerate(NumberFault)}


class IndexRecord(NamedTuple):
    """One row of the index."""

    id: str
    active: bool
    parent: str | None
    """Id of a contact's company, or of the account above an account; of whatever table Dataverse says."""
    owner: str | None
    numbers: tuple[str, ...]
    """In E.164; none for a record that is not active."""
    data: dict[str, Any]
    """What a look-up tells of it, and its phone columns as they stand there."""
    faults: int = 0
    """What is wrong with its phone columns, as `write_faults` writes it."""
    spellings: Mapping[str, str] = {}
    """Number -> how it is stored, where it is stored otherwise."""


class Changes(NamedTuple):
    """What one page says."""

    records: list[IndexRecord]
    removed: list[str]
    """Ids of records that have gone, or that nobody can be recognised by any more."""


def read_changes(rows: Iterable[Row], table: str, plan: MirrorPlan) -> Changes:
    """Read a page of rows and removals. Takes 20 µs a row, so run it in a thread.

    A contact is kept while it is active and has something in a phone column: it serves nothing else. Raises
    UnreadableAnswerError for rows without an id.
    """
    key, read = _KEYS[table], _READERS[table]
    records: dict[str, IndexRecord] = {}
    removed: dict[str, None] = {}
    for row in rows:
        gone = row.get("reason") is not None and key not in row
        row_id = row.get("id" if gone else key)
        if not isinstance(row_id, str) or not row_id:
            raise UnreadableAnswerError(f"a row came without its {key}")
        row_id = row_id.lower()
        record = None if gone else read(row_id, row, plan)
        records.pop(row_id, None)
        removed.pop(row_id, None)
        if record is None:
            removed[row_id] = None
        else:
            records[row_id] = record
    return Changes(list(records.values()), list(removed))


def write_faults(faults: Iterable[NumberFault]) -> int:
    """Write faults as one number: a bit for each, so that an index can hold them."""
    return sum(1 << _BITS[fault] for fault in set(faults))


def read_faults(bits: int) -> tuple[NumberFault, ...]:
    """Read what `write_faults` wrote."""
    return tuple(fault for fault, bit in _BITS.items() if bits >> bit & 1)


def _read_contact(row_id: str, row: Row, plan: MirrorPlan) -> IndexRecord | None:
    phones = _read_phones(row, plan.contact_phones)
    if row.get("statecode") != 0 or not phones:
        return None
    region = _read_region(row.get("address1_country")) or plan.region
    numbers = {text: list_e164(text, region) for text in phones.values()}
    return IndexRecord(
        id=row_id,
        active=True,
        parent=_read_reference(row.get("_parentcustomerid_value")),
        owner=_read_owner(row),
        numbers=_list_numbers(numbers),
        data=_describe(row, row.get("fullname"), phones, region, plan.contact_columns),
        faults=_list_faults(numbers),
        spellings=_list_spellings(numbers),
    )


def _read_account(row_id: str, row: Row, plan: MirrorPlan) -> IndexRecord:
    active = row.get("statecode") == 0
    phones = _read_phones(row, plan.account_phones) if active else {}
    region = _read_region(row.get("address1_country")) or plan.region
    numbers = {text: list_e164(text, region) for text in phones.values()}
    return IndexRecord(
        id=row_id,
        active=active,
        parent=_read_reference(row.get("_parentaccountid_value")),
        owner=_read_owner(row),
        numbers=_list_numbers(numbers),
        data=_describe(row, row.get("name"), phones, region, plan.account_columns),
        faults=_list_faults(numbers),
        spellings=_list_spellings(numbers),
    )


def _read_user(row_id: str, row: Row, plan: MirrorPlan) -> IndexRecord | None:
    agent = row.get(plan.agent_column or "")
    if not isinstance(agent, str) or not agent.strip():
        return None
    return IndexRecord(row_id, active=True, parent=None, owner=None, numbers=(), data={"agent": agent.strip()})


_READERS: Final[Mapping[str, Callable[[str, Row, MirrorPlan], IndexRecord | None]]] = {
    CONTACT: _read_contact,
    ACCOUNT: _read_account,
    USER: _read_user,
}


def _describe(row: Row, name: object, phones: dict[str, str], region: str, columns: Iterable[str]) -> dict[str, Any]:
    return {
        "name": name.strip() or None if isinstance(name, str) else None,
        "at": _read_time(row.get("modifiedon")),
        "region": region,
        "phones": phones,
        "columns": {c: v for c in columns if isinstance(v := row.get(c), str | int | float | bool)},
        "users": [column for column in columns if row.get(column + LOOKUP_TYPE) == USER],
    }


def _read_phones(row: Row, columns: Iterable[str]) -> dict[str, str]:
    return {column: text for column in columns if isinstance(text := row.get(column), str) and text.strip()}


def _list_numbers(numbers: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(number for each in numbers.values() for number in each))


def _list_faults(numbers: Mapping[str, Sequence[str]]) -> int:
    return write_faults(fault for text, each in numbers.items() for fault in list_faults(text, each))


def _list_spellings(numbers: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    return {number: text for text, each in numbers.items() for number in each if number != text}


def _read_owner(row: Row) -> str | None:
    """Return the user who owns the row. The id of a team, which stands in the second column, is nobody's."""
    return _read_reference(row.get("_owninguser_value") or row.get("_ownerid_value"))


def _read_reference(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None


@lru_cache(_MAX_COUNTRIES)
def _read_region(country: str | None) -> str | None:
    return region_of_country(country)


def _read_time(value: object) -> float:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0
