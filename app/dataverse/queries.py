"""Query strings for the Web API, built without sending anything."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from app.routing.callers import CallerKind, Selection
from app.settings import DataverseSettings, PhoneSettings, VipSettings

__all__ = [
    "MAX_CASES",
    "MAX_CLAUSES",
    "MAX_MATCHES",
    "MAX_PHONE_CALLS",
    "SearchPlan",
    "build_account_query",
    "build_account_search",
    "build_case_query",
    "build_contact_query",
    "build_contact_search",
    "build_id_filters",
    "build_lead_query",
    "build_open_cases_query",
    "build_path",
    "build_phone_call_query",
    "build_record_query",
    "count_numbers",
    "encode",
    "plan_search",
    "quote_text",
    "write_literals",
]

MAX_MATCHES: Final = 10
"""Rows asked for per table and number: enough to see that a number is shared."""
MAX_CASES: Final = 250
"""Cases asked for per number."""
MAX_PHONE_CALLS: Final = 20
"""Phone calls asked for per contact or account: those that are open, then those that changed last."""
_MAX_FOUND: Final = 50
"""Rows asked for per table by a pattern, which may find other numbers too."""
MAX_CLAUSES: Final = 400
"""Comparisons in one question; Dataverse allows 500 (Dataverse contract, section 1.3)."""
_MAX_NUMBERS: Final = 8
"""Numbers in one question, which keeps its URL far below the 32 KB that Dataverse reads (section 1.4)."""

_NAME: Final = re.compile(r"_?[a-z][a-z0-9_]{0,99}")
_SAFE: Final = "(),/:"
_ESCAPES: Final = tuple((mark, quote(mark, safe="")) for mark in "% '+$;=&\"#<>?@!*[]\\^`{|}" if mark not in _SAFE)
"""The per cent sign first, since the others bring it along."""
_WILDCARDS: Final = re.compile(r"[%_\[\]\x00-\x1f\x7f]")
_OWNER: Final = ("_ownerid_value", "_owninguser_value")
_IDS_AT_ONCE: Final = 50
_FRAMES: Final = 16
"""Combinations of settings and rules whose queries are kept: the live one and a few of drafts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """Where this organisation keeps numbers, and what every look-up reads."""

    contact_phones: tuple[str, ...]
    account_phones: tuple[str, ...]
    lead_phones: tuple[str, ...] = ()
    """Without any, leads are not looked up."""
    typed_table: str = "account"
    typed_column: str | None = None
    """Where what a caller typed stands; `None` when that is not looked up."""
    contact_columns: frozenset[str] = frozenset()
    """Columns of VIP criteria; an organisation without them is set up wrong."""
    account_columns: frozenset[str] = frozenset()
    account_depth: int = 0
    """Parent accounts read above a contact's company."""
    agent_column: str | None = None
    """Column of systemuser that holds the Enreach user id."""
    number_blocks: bool = False
    """Whether numbers that nobody has are looked for in the number blocks of accounts."""


def plan_search(dataverse: DataverseSettings, vip: VipSettings, phone: PhoneSettings) -> SearchPlan:
    """Derive the plan from the settings."""
    typed = dataverse.typed_lookup
    return SearchPlan(
        contact_phones=dataverse.contact_phone_columns,
        account_phones=dataverse.account_phone_columns,
        lead_phones=dataverse.lead_phone_columns,
        typed_table=typed.table if typed else "account",
        typed_column=typed.column if typed else None,
        contact_columns=frozenset(c.column for c in vip.criteria if c.table == "contact"),
        account_columns=frozenset(c.column for c in vip.criteria if c.table == "account"),
        account_depth=vip.account_depth,
        agent_column=dataverse.agent_id_column,
        number_blocks=phone.number_blocks,
    )


def count_numbers(plan: SearchPlan, spellings: int) -> int:
    """Return how many numbers one question may hold when each has so many spellings; at least 1."""
    columns = max(len(plan.contact_phones), len(plan.account_phones), len(plan.lead_phones))
    return max(1, min(_MAX_NUMBERS, MAX_CLAUSES // (columns * spellings)))


def build_contact_query(plan: SearchPlan, selection: Selection, literals: Sequence[str], top: int = MAX_MATCHES) -> str:
    """Build the GET for active contacts with one of these numbers, their companies and those companies' parents.

    `literals` come from `write_literals`, and `top` limits the rows. Source: Dataverse contract, section 3.4. Raises
    ValueError for a column name that could not be one.
    """
    return _frame_contacts(plan, selection) + _limit(top) + _match_any(plan.contact_phones, literals)


def build_account_query(plan: SearchPlan, selection: Selection, literals: Sequence[str], top: int = MAX_MATCHES) -> str:
    """Build the GET for active accounts with one of these numbers, and their parents (section 3.4)."""
    return _frame_accounts(plan, selection) + _limit(top) + _match_any(plan.account_phones, literals)


def build_lead_query(plan: SearchPlan, literals: Sequence[str], top: int = MAX_MATCHES) -> str:
    """Build the GET for open leads with one of these numbers."""
    columns = ("leadid", "fullname", *plan.lead_phones, "modifiedon", *_OWNER)
    options = {"$select": _select(columns, ()), "$expand": ",".join(_expand_owner(plan))}
    return build_path("leads", options) + _limit(top) + _match_any(plan.lead_phones, literals)


def build_contact_search(plan: SearchPlan, selection: Selection, patterns: Sequence[str]) -> str:
    """Build the GET for active contacts whose numbers match a pattern of `tolerant_patterns` (section 3.7)."""
    return _frame_contacts(plan, selection) + _limit(_MAX_FOUND) + _match_patterns(plan.contact_phones, patterns)


def build_account_search(plan: SearchPlan, selection: Selection, patterns: Sequence[str]) -> str:
    """Build the GET for active accounts in the same way."""
    return _frame_accounts(plan, selection) + _limit(_MAX_FOUND) + _match_patterns(plan.account_phones, patterns)


def build_case_query(
    customer_ids: Iterable[str],
    top: int = MAX_CASES,
    *,
    selection: Selection = Selection(),  # noqa: B008 - a frozen value
    agent_column: str | None = None,
) -> str:
    """Build the GET for the active cases of these contacts and accounts (section 2.4).

    When the selection reads the newest case, its columns come along, and those created last come first.
    """
    customers = " or ".join(f"_customerid_value eq {customer_id}" for customer_id in sorted(customer_ids))
    newest = selection.newest_case
    more = ("createdon", "prioritycode", "isescalated", *_OWNER, *sorted(selection.case_columns)) if newest else ()
    options = {
        "$select": _select(("incidentid", "_customerid_value"), more),
        "$expand": _expand_user("owninguser", agent_column) if newest and agent_column else "",
        "$filter": f"({customers}) and statecode eq 0",
        "$orderby": "createdon desc" if newest else "",
        "$top": str(top),
    }
    return build_path("incidents", options)


def build_open_cases_query(customer_id: str, top: int) -> str:
    """Build the GET for what people know the active cases of a contact or an account by, the newest first."""
    options = {
        "$select": "incidentid,ticketnumber,title,createdon",
        "$filter": f"_customerid_value eq {customer_id} and statecode eq 0",
        "$orderby": "createdon desc",
        "$top": str(top),
    }
    return build_path("incidents", options)


def build_record_query(plan: SearchPlan, kind: CallerKind, record_id: str) -> str:
    """Build the GET for one contact or account as `build_contact_query` and `build_account_query` read it."""
    frame = _frame_contacts if kind is CallerKind.CONTACT else _frame_accounts
    return frame(plan, Selection()) + _limit(1) + encode(f"{kind}id eq {record_id}")


def build_phone_call_query(record_ids: Iterable[str], top: int) -> str:
    """Build the GET for the open and the last completed phone calls about these contacts and accounts (section 7.5)."""
    regarding = " or ".join(f"_regardingobjectid_value eq {record_id}" for record_id in sorted(record_ids))
    options = {
        "$select": _select(
            ("activityid", "_regardingobjectid_value", "statecode", "directioncode", "actualend", "modifiedon"), _OWNER
        ),
        "$filter": f"({regarding}) and statecode ne 2",
        "$orderby": "statecode asc,modifiedon desc",
        "$top": str(top),
    }
    return build_path("phonecalls", options)


def build_id_filters(column: str, ids: Iterable[str]) -> list[str]:
    """Write as many filters as it takes to match any of these ids, fifty in each.

    Far below the 500 conditions and the 32 KB of a URL that Dataverse takes (sections 1.3 and 1.4).
    """
    distinct = sorted(set(ids))
    batches = (distinct[start : start + _IDS_AT_ONCE] for start in range(0, len(distinct), _IDS_AT_ONCE))
    return [" or ".join(f"{column} eq {each}" for each in batch) for batch in batches]


def build_path(table: str, options: Mapping[str, str]) -> str:
    """Join an entity set and its query options, encoded so that `+` arrives as `+`; empty options are left out."""
    return f"{table}?" + "&".join(f"{name}={encode(text)}" for name, text in options.items() if text)


def encode(text: str) -> str:
    """Percent-encode an option as `urllib.parse.quote` does, in a tenth of the time for the usual characters."""
    return _escape(text) if text.isascii() and text.isprintable() else quote(text, safe=_SAFE)


def write_literals(spellings: Iterable[str]) -> tuple[str, ...]:
    """Write numbers as OData strings, encoded; what holds wildcards or control characters is left out."""
    literals = [quote_text(spelling) for spelling in spellings if not _WILDCARDS.search(spelling)]
    if not all(map(str.isascii, literals)):
        return tuple(map(encode, literals))
    return tuple(_escape("\n".join(literals)).split("\n"))  # at once, for nothing in them is a line break


def quote_text(text: str) -> str:
    """Write a text as an OData string.

    Dataverse may take `%`, `_` and `[` in it for wildcards (section 1.3), so compare what comes back.
    """
    return "'" + text.replace("'", "''") + "'"


@lru_cache(_FRAMES)
def _frame_contacts(plan: SearchPlan, selection: Selection) -> str:
    """Write everything but limit and filter, which alone differ from call to call."""
    columns = ("contactid", "fullname", *plan.contact_phones, "modifiedon", *_OWNER)
    accounts = _nest_accounts(plan, selection, max(plan.account_depth, selection.parents))
    options = {
        "$select": _select(columns, plan.contact_columns | selection.contact_columns),
        "$expand": ",".join([f"parentcustomerid_account({accounts})", *_expand_users(plan, selection)]),
        "$orderby": "modifiedon desc",
    }
    return build_path("contacts", options)


@lru_cache(_FRAMES)
def _frame_accounts(plan: SearchPlan, selection: Selection) -> str:
    """Write everything but limit and filter."""
    columns = ("accountid", "name", *plan.account_phones, "modifiedon", *_OWNER)
    depth = max(plan.account_depth, selection.parents)
    parents = [_expand_parent(plan, selection, depth)] if depth else []
    options = {
        "$select": _select(columns, plan.account_columns | selection.account_columns),
        "$expand": ",".join([*parents, *_expand_users(plan, selection)]),
    }
    return build_path("accounts", options)


def _escape(text: str) -> str:
    for character, code in _ESCAPES:
        text = text.replace(character, code)
    return text


def _limit(top: int) -> str:
    return f"&$top={top}&$filter="


def _match_patterns(columns: Iterable[str], patterns: Sequence[str]) -> str:
    """Write the filter, encoded; unlike in `eq`, wildcards in the argument of `contains` are meant."""
    clauses = [f"contains({column},{quote_text(pattern)})" for column in columns for pattern in patterns]
    return encode(f"({' or '.join(clauses)}) and statecode eq 0")


def _match_any(columns: Iterable[str], literals: Sequence[str]) -> str:
    """Write the filter, encoded."""
    clauses = [f"{column}%20eq%20" + f"%20or%20{column}%20eq%20".join(literals) for column in columns]
    return f"({'%20or%20'.join(clauses)})%20and%20statecode%20eq%200"


def _select(always: Iterable[str], more: Iterable[str]) -> str:
    columns = dict.fromkeys((*always, *sorted(more)))
    for column in columns:
        if not _NAME.fullmatch(column):
            raise ValueError(f"{column!r} is no logical name")
    return ",".join(columns)


def _nest_accounts(plan: SearchPlan, selection: Selection, depth: int) -> str:
    """Write the options inside an expanded company: its columns, its owner, its parents."""
    expands = [*([_expand_parent(plan, selection, depth)] if depth else []), *_expand_users(plan, selection)]
    return _join_options(_select_account(plan, selection), expands)


def _expand_parent(plan: SearchPlan, selection: Selection, depth: int) -> str:
    expands = [_expand_parent(plan, selection, depth - 1)] if depth > 1 else []
    return f"parentaccountid({_join_options(_select_account(plan, selection), expands)})"


def _select_account(plan: SearchPlan, selection: Selection) -> str:
    return _select(("accountid", "name", "statecode", *_OWNER), plan.account_columns | selection.account_columns)


def _expand_owner(plan: SearchPlan) -> list[str]:
    return [] if plan.agent_column is None else [_expand_user("owninguser", plan.agent_column)]


def _expand_users(plan: SearchPlan, selection: Selection) -> list[str]:
    """Expand the owner, and the preferred user where a rule asks for it, where a column of users is the Enreach id."""
    if plan.agent_column is None or "caller.preferred_agent" not in selection.related:
        return _expand_owner(plan)
    return [*_expand_owner(plan), _expand_user("preferredsystemuserid", plan.agent_column)]


def _expand_user(navigation: str, agent_column: str) -> str:
    return f"{navigation}($select={_select(('systemuserid', agent_column), ())})"


def _join_options(select: str, expands: list[str]) -> str:
    return f"$select={select}" + (f";$expand={','.join(expands)}" if expands else "")
