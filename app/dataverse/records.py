"""Rows of the Web API as records of the domain."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from app.dataverse.client import Row, read_id
from app.dataverse.queries import SearchPlan
from app.routing.callers import AccountRecord, CallerKind, Match, OpenCase, PhoneCalls, Selection
from app.routing.calls import Scalar

__all__ = [
    "LOOKUP_TYPE",
    "LOOKUP_TYPES",
    "Numbers",
    "count_cases",
    "read_account_match",
    "read_accounts",
    "read_contact_match",
    "read_contacts",
    "read_leads",
    "read_newest_cases",
    "read_phone_calls",
]

LOOKUP_TYPES: Final = 'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"'
"""The preference that tells to which table a look-up leads, and so whether a user or a team owns a row."""
LOOKUP_TYPE: Final = "@Microsoft.Dynamics.CRM.lookuplogicalname"
"""What follows the name of a look-up where its table is told."""
_OPEN: Final = 0
"""The state of phone calls that are yet to be made, or under way."""
_ACTIVE: Final = 0
"""The state of rows in use; matched rows are asked for by it, and do not bring it along."""
_OWNER_TYPE: Final = f"_ownerid_value{LOOKUP_TYPE}"
_USER: Final = "systemuser"


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
    return _read_matching(rows, lambda row: read_contact_match(row, plan, selection), plan.contact_phones, numbers)


def read_accounts(
    rows: Iterable[Row], plan: SearchPlan, selection: Selection, numbers: Numbers
) -> Mapping[str, list[Match]]:
    """Read accounts in the same way."""
    return _read_matching(rows, lambda row: read_account_match(row, plan, selection), plan.account_phones, numbers)


def read_contact_match(row: Row, plan: SearchPlan, selection: Selection) -> Match:
    """Read one contact with its company; raises UnreadableAnswerError."""
    values, users = _read_columns(row, plan.contact_columns | selection.contact_columns, plan)
    return Match(
        kind=CallerKind.CONTACT,
        id=read_id(row, "contactid"),
        name=_read_text(row.get("fullname")),
        columns=values,
        owner_id=_read_owner(row),
        owner_agent=_read_agent(row, "owninguser", plan),
        users=users,
        account=_read_account(row.get("parentcustomerid_account"), plan, selection),
        modified_at=_read_time(row.get("modifiedon")),
    )


def read_account_match(row: Row, plan: SearchPlan, selection: Selection) -> Match:
    """Read one account with its parents; raises UnreadableAnswerError."""
    account = _read_account(row, plan, selection)
    return Match(
        kind=CallerKind.ACCOUNT,
        id=read_id(row, "accountid"),
        name=_read_text(row.get("name")),
        columns=account.columns if account else {},
        owner_id=_read_owner(row),
        owner_agent=_read_agent(row, "owninguser", plan),
        users=account.users if account else {},
        account=account,
        modified_at=_read_time(row.get("modifiedon")),
    )


def read_leads(rows: Iterable[Row], plan: SearchPlan, numbers: Numbers) -> Mapping[str, list[Match]]:
    """Read leads in the same way; they have no company and no columns that rules read."""

    def read(row: Row) -> Match:
        return Match(
            kind=CallerKind.LEAD,
            id=read_id(row, "leadid"),
            name=_read_text(row.get("fullname")),
            owner_id=_read_owner(row),
            owner_agent=_read_agent(row, "owninguser", plan),
            modified_at=_read_time(row.get("modifiedon")),
        )

    return _read_matching(rows, read, plan.lead_phones, numbers)


def count_cases(rows: Iterable[Row]) -> dict[str, int]:
    """Count cases by the id of their customer."""
    return dict(Counter(read_id(row, "_customerid_value") for row in rows))


def read_newest_cases(rows: Iterable[Row], plan: SearchPlan, selection: Selection) -> dict[str, OpenCase]:
    """Read, by the id of their customer, the cases that were created last."""
    newest: dict[str, OpenCase] = {}
    for row in rows:
        customer, created_at = read_id(row, "_customerid_value"), _read_time(row.get("createdon"))
        if customer not in newest or created_at > newest[customer].created_at:
            columns, users = _read_columns(row, selection.case_columns, plan)
            priority = row.get("prioritycode")
            newest[customer] = OpenCase(
                created_at=created_at,
                priority=priority if isinstance(priority, int) else None,
                escalated=row.get("isescalated") is True,
                owner_id=_read_owner(row),
                owner_agent=_read_agent(row, "owninguser", plan),
                columns=columns,
                users=users,
            )
    return newest


def read_phone_calls(rows: Iterable[Row]) -> dict[str, PhoneCalls]:
    """Read phone calls by the id of the contact or account that they are about.

    One that is open and not incoming is a call that somebody is to make.
    """
    pending: set[str] = set()
    last: dict[str, tuple[float, str | None]] = {}
    for row in rows:
        record = read_id(row, "_regardingobjectid_value")
        if row.get("statecode") == _OPEN:
            pending |= {record} if row.get("directioncode") is not False else set()
            continue
        ended_at = _read_time(row.get("actualend") or row.get("modifiedon"))
        if record not in last or ended_at > last[record][0]:
            last[record] = (ended_at, _read_owner(row))
    return {
        record: PhoneCalls(last_owner_id=last.get(record, (0.0, None))[1], pending=record in pending)
        for record in {*pending, *last}
    }


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
    columns, users = _read_columns(row, plan.account_columns | selection.account_columns, plan)
    return AccountRecord(
        id=read_id(row, "accountid"),
        name=_read_text(row.get("name")),
        columns=columns,
        owner_id=_read_owner(row),
        owner_agent=_read_agent(row, "owninguser", plan),
        users=users,
        active=row.get("statecode") in {None, _ACTIVE},
        parent=_read_account(row.get("parentaccountid"), plan, selection),
    )


def _read_columns(
    row: Mapping[str, Any], columns: Iterable[str], plan: SearchPlan
) -> tuple[dict[str, Scalar], dict[str, str]]:
    """Read columns, and apart from them the ids of users whom columns look up and no expanded row describes."""
    values, users = dict[str, Scalar](), dict[str, str]()
    for column in sorted(columns):
        value = row.get(column)
        if isinstance(value, str) and row.get(column + LOOKUP_TYPE) == _USER:
            navigation = column.removeprefix("_").removesuffix("_value")
            values[column] = _read_agent(row, navigation, plan)
            if navigation not in row:
                users[column] = value.lower()
        else:
            values[column] = _read_scalar(value)
    return values, users


def _read_owner(row: Mapping[str, Any]) -> str | None:
    """Return the user who owns the row; nobody when a team does."""
    user = row.get("_owninguser_value")
    if user is None and row.get(_OWNER_TYPE) != "team":
        user = row.get("_ownerid_value")
    return user.lower() if isinstance(user, str) else None


def _read_agent(row: Mapping[str, Any], navigation: str, plan: SearchPlan) -> str | None:
    """Return the Enreach id of an expanded user."""
    user = row.get(navigation)
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
