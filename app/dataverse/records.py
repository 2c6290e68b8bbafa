"""Rows of the Web API as records of the domain."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from app.dataverse.client import Row, read_rows
from app.dataverse.errors import UnreadableAnswerError
from app.dataverse.queries import SearchPlan
from app.routing.callers import AccountRecord, CallerKind, Match, Selection
from app.routing.calls import Scalar
from app.routing.numbers import read_number

__all__ = ["LOOKUP_TYPES", "count_cases", "read_accounts", "read_contacts"]

LOOKUP_TYPES: Final = 'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"'
"""The preference that tells whether a user or a team owns a row."""
_OWNER_TYPE: Final = "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"


def read_contacts(answer: Row, plan: SearchPlan, selection: Selection, *, e164: str, region: str) -> list[Match]:
    """Read contacts, leaving out those none of whose numbers is this one when read as E.164 (contract, section 3.4).

    Raises UnreadableAnswerError for rows without an id.
    """
    columns = plan.contact_columns | selection.contact_columns

    def read(row: Row) -> Match:
        return Match(
            kind=CallerKind.CONTACT,
            id=_read_id(row, "contactid"),
            name=_read_text(row.get("fullname")),
            columns=_read_columns(row, columns),
            owner_id=_read_owner(row),
            owner_agent=_read_agent(row, plan),
            account=_read_account(row.get("parentcustomerid_account"), plan, selection),
            modified_at=_read_time(row.get("modifiedon")),
        )

    return _read_matching(answer, read, plan.contact_phones, e164, region)


def read_accounts(answer: Row, plan: SearchPlan, selection: Selection, *, e164: str, region: str) -> list[Match]:
    """Read accounts in the same way."""

    def read(row: Row) -> Match:
        account = _read_account(row, plan, selection)
        return Match(
            kind=CallerKind.ACCOUNT,
            id=_read_id(row, "accountid"),
            name=_read_text(row.get("name")),
            columns=account.columns if account else {},
            owner_id=_read_owner(row),
            owner_agent=_read_agent(row, plan),
            account=account,
            modified_at=_read_time(row.get("modifiedon")),
        )

    return _read_matching(answer, read, plan.account_phones, e164, region)


def count_cases(answer: Row) -> dict[str, int]:
    """Count cases by the id of their customer."""
    return dict(Counter(_read_id(row, "_customerid_value") for row in read_rows(answer)))


def _read_matching(
    answer: Row, read: Callable[[Row], Match], phones: Iterable[str], e164: str, region: str
) -> list[Match]:
    rows = read_rows(answer)
    return [read(row) for row in rows if any(_is_same(row.get(phone), e164, region) for phone in phones)]


def _is_same(number: object, e164: str, region: str) -> bool:
    """Tell whether a stored number is this one; most are stored as E.164, and need no reading."""
    return number == e164 or read_number(number, region).e164 == e164


def _read_account(row: object, plan: SearchPlan, selection: Selection) -> AccountRecord | None:
    """Read an account with its parents; the depth of nesting is what was asked for."""
    if not isinstance(row, dict):
        return None
    return AccountRecord(
        id=_read_id(row, "accountid"),
        name=_read_text(row.get("name")),
        columns=_read_columns(row, plan.account_columns | selection.account_columns),
        owner_id=_read_owner(row),
        owner_agent=_read_agent(row, plan),
        parent=_read_account(row.get("parentaccountid"), plan, selection),
    )


def _read_columns(row: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Scalar]:
    return {column: _read_scalar(row.get(column)) for column in sorted(columns)}


def _read_id(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str) or not value:
        raise UnreadableAnswerError(f"a row came without its {column}")
    return value.lower()


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
