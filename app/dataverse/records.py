"""Rows of the Web API as records of the domain."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from app.dataverse.client import Row, read_id
from app.dataverse.queries import SearchPlan
from app.routing.callers import AccountRecord, CallerKind, Match, Selection
from app.routing.calls import Scalar

__all__ = ["LOOKUP_TYPES", "Numbers", "count_cases", "read_accounts", "read_contacts"]

LOOKUP_TYPES: Final = 'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"'
"""The preference that tells whether a user or a team owns a row."""
_ACTIVE: Final = 0
"""The state of rows in use; matched rows are asked for by it, and do not bring it along."""
_OWNER_TYPE: Final = "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"


class Numbers:
    """The numbers that are looked for, and how they are read from what a record holds."""

    def __init__(self, wanted: Iterable[str], read: Callable[[object], Iterable[str]]) -> None:
        """`wanted` and what `read` returns are in E.164."""
        self._wanted = frozenset(wanted)
        self._read = read

    def find(self, texts: Iterable[object]) -> frozenset[str]:
        """Return those that stand in these texts; most are stored as E.164, and need no reading."""
        found: set[str] = set()
        for text in texts:
            if isinstance(text, str) and text in self._wanted:
                found.add(text)
            elif text is not None:
                found.update(self._wanted.intersection(self._read(text)))
        return frozenset(found)


def read_contacts(
    rows: Iterable[Row], plan: SearchPlan, selection: Selection, numbers: Numbers
) -> Mapping[str, list[Match]]:
    """Read contacts by number, leaving out those that carry none of the numbers when read as E.164 (section 3.4).

    Raises UnreadableAnswerError for rows without an id.
    """
    columns = plan.contact_columns | selection.contact_columns

    def read(row: Row) -> Match:
        return Match(
            kind=CallerKind.CONTACT,
            id=read_id(row, "contactid"),
            name=_read_text(row.get("fullname")),
            columns=_read_columns(row, columns),
            owner_id=_read_owner(row),
            owner_agent=_read_agent(row, plan),
            account=_read_account(row.get("parentcustomerid_account"), plan, selection),
            modified_at=_read_time(row.get("modifiedon")),
        )

    return _read_matching(rows, read, plan.contact_phones, numbers)


def read_accounts(
    rows: Iterable[Row], plan: SearchPlan, selection: Selection, numbers: Numbers
) -> Mapping[str, list[Match]]:
    """Read accounts in the same way."""

    def read(row: Row) -> Match:
        account = _read_account(row, plan, selection)
        return Match(
            kind=CallerKind.ACCOUNT,
            id=read_id(row, "accountid"),
            name=_read_text(row.get("name")),
            columns=account.columns if account else {},
            owner_id=_read_owner(row),
            owner_agent=_read_agent(row, plan),
            account=account,
            modified_at=_read_time(row.get("modifiedon")),
        )

    return _read_matching(rows, read, plan.account_phones, numbers)


def count_cases(rows: Iterable[Row]) -> dict[str, int]:
    """Count cases by the id of their customer."""
    return dict(Counter(read_id(row, "_customerid_value") for row in rows))


def _read_matching(
    rows: Iterable[Row], read: Callable[[Row], Match], phones: Sequence[str], numbers: Numbers
) -> Mapping[str, list[Match]]:
    found: dict[str, list[Match]] = {}
    for row in rows:
        if carried := numbers.find(row.get(phone) for phone in phones):
            match = read(row)
            for number in carried:
                found.setdefault(number, []).append(match)
    return found


def _read_account(row: object, plan: SearchPlan, selection: Selection) -> AccountRecord | None:
    """Read an account with its parents; the depth of nesting is what was asked for."""
    if not isinstance(row, dict):
        return None
    return AccountRecord(
        id=read_id(row, "accountid"),
        name=_read_text(row.get("name")),
        columns=_read_columns(row, plan.account_columns | selection.account_columns),
        owner_id=_read_owner(row),
        owner_agent=_read_agent(row, plan),
        active=row.get("statecode") in {None, _ACTIVE},
        parent=_read_account(row.get("parentaccountid"), plan, selection),
    )


def _read_columns(row: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Scalar]:
    return {column: _read_scalar(row.get(column)) for column in sorted(columns)}


def _read_owner(row: Mapping[str, Any]) -> str | None:
    """Return the user who owns the row; nobody when a team does."""
    user = row.get("_owninguser_value")
    if user is None and row.get(_OWNER_TYPE) != "team":
        user = row.get("_ownerid_value")
    return user.lower() if isinstance(user, str) else None


def _read_agent(row: Mapping[str, Any], plan: SearchPlan) -> str | None:
    user = row.get("owninguser")
    return _read_text(user.get(plan.agent_column)) if plan.agent_column and isinstance(user, dict) else None


def _read_text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _read_scalar(value: object) -> Scalar:
    return value if isinstance(value, str | int | float | bool) else None


def _read_time(value: object) -> float:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0
