"""What makes a record a VIP, and how to say why."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from app.routing.callers import AccountRecord, CallerKind, Match
from app.routing.calls import Scalar

__all__ = [
    "VipCriterion",
    "VipOp",
    "VipPolicy",
    "VipRules",
    "explain_inactive",
    "explain_vip",
    "list_ancestry",
    "meets_criteria",
]

VipOp = Literal["is", "is_not", "in", "gt", "gte", "lt", "lte", "contains"]

_SPOKEN: Mapping[VipOp, str] = {
    "is": "=",
    "is_not": "!=",
    "in": "in",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "contains": "containing",
}


_ORDER: Mapping[VipOp, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class VipPolicy(StrEnum):
    """What counts when several records share a number and disagree."""

    ANY = "any"
    ALL = "all"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class VipCriterion:
    """One test on one column."""

    table: CallerKind
    column: str
    op: VipOp = "is"
    value: Scalar | tuple[Scalar, ...] = True
    label: str | None = None
    """How to say it after the name of the record: `is a preferred customer`."""

    def holds(self, columns: Mapping[str, Scalar]) -> bool:
        """Tell whether the record passes; an empty column passes no test, not even `is_not`."""
        found = columns.get(self.column)
        wanted = self.value if isinstance(self.value, tuple) else (self.value,)
        if found is None or not wanted:
            return False
        match self.op:
            case "is" | "in":
                return any(_is_same(found, value) for value in wanted)
            case "is_not":
                return not any(_is_same(found, value) for value in wanted)
            case "contains":
                return any(_contains(found, value) for value in wanted)
            case "gt" | "gte" | "lt" | "lte":
                return _compare(self.op, found, wanted[0])

    def say(self) -> str:
        """Return the label, or the test itself in words."""
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return self.label or f"has {self.column} {_SPOKEN[self.op]} {', '.join(_spell(v) for v in values)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VipRules:
    """Any one criterion makes a VIP, on the record itself, its company, or a company above that, if it is active."""

    criteria: tuple[VipCriterion, ...] = ()
    account_depth: int = 2
    """Parent accounts followed upwards: what counts as indirectly related (administrator guide, VIP routing)."""
    ambiguous: VipPolicy = VipPolicy.ANY


def explain_vip(match: Match, rules: VipRules) -> str | None:
    """Say why this record is a VIP, or `None`: `parent account Contoso Group is a preferred customer`."""
    if match.kind is CallerKind.CONTACT and (why := _find_reason(CallerKind.CONTACT, match.columns, rules)):
        return f"contact {why}"
    for height, account, why in _list_account_reasons(match, rules):
        if account.active:
            words = ("parent" if height else "", "account", account.name or "", why)
            return " ".join(word for word in words if word)
    return None


def explain_inactive(match: Match, rules: VipRules) -> str | None:
    """Say which account would make this record a VIP if it were active, without its name; `None` when none would."""
    for height, account, _ in _list_account_reasons(match, rules):
        if not account.active:
            return f"{'a parent account' if height else 'the account'} meets a VIP criterion, but is inactive"
    return None


def meets_criteria(account: AccountRecord, rules: VipRules) -> bool:
    """Tell whether an account itself is a VIP."""
    return _find_reason(CallerKind.ACCOUNT, account.columns, rules) is not None


def list_ancestry(account: AccountRecord | None) -> Iterator[AccountRecord]:
    """Walk from an account up through its parents; a circle ends where it closes."""
    seen: set[str] = set()
    while account is not None and account.id not in seen:
        seen.add(account.id)
        yield account
        account = account.parent


def _list_account_reasons(match: Match, rules: VipRules) -> Iterator[tuple[int, AccountRecord, str]]:
    """Walk upwards through the accounts that meet a criterion, with their height and the words for it."""
    for height, account in enumerate(list_ancestry(match.account)):
        if height > rules.account_depth:
            return
        if why := _find_reason(CallerKind.ACCOUNT, account.columns, rules):
            yield height, account, why


def _find_reason(table: CallerKind, columns: Mapping[str, Scalar], rules: VipRules) -> str | None:
    return next((c.say() for c in rules.criteria if c.table is table and c.holds(columns)), None)


def _is_same(found: Scalar, value: Scalar) -> bool:
    """Compare numbers as numbers and anything with text as text, without regard to case, as Dataverse does."""
    if isinstance(found, str) or isinstance(value, str):
        return _spell(found).casefold() == _spell(value).casefold()
    return found == value


def _contains(found: Scalar, value: Scalar) -> bool:
    """Find text in text; a number among the choices of a multi-select column, which come as `1,13`."""
    if isinstance(value, str):
        return value.casefold() in _spell(found).casefold()
    return any(_is_same(part.strip(), value) for part in _spell(found).split(","))


def _compare(op: VipOp, found: Scalar, value: Scalar) -> bool:
    """Order numbers with numbers and text (dates as ISO 8601) with text; nothing else has an order."""
    texts = isinstance(found, str) and isinstance(value, str)
    numbers = isinstance(found, int | float) and isinstance(value, int | float)
    return (texts or numbers) and _ORDER[op](found, value)


def _spell(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
