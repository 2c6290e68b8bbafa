"""Facts about what belongs to a caller: the company's owner and parent, preferred users, the newest case, phone calls.

They are told only while a published rule asks for them: nothing else is read, or recorded.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from app.routing.callers import AccountRecord, Cause, LookUp, Match, OpenCase
from app.routing.calls import Scalar
from app.routing.vip import VipRules, list_ancestry, meets_criteria

__all__ = ["CASE_AGE", "PREFERRED_USER", "AgentOf", "RelatedFacts", "list_customers", "resolve_users"]

AgentOf = Callable[[str], str | None]
"""Turns a `systemuserid` into an Enreach user id, where it is known."""
Told = Scalar | Cause
"""The value of a fact, or why it is not known."""

CASE_AGE = "caller.case.age_hours"
"""Told here as when the case was created: how old it is follows at the moment of a call."""
PREFERRED_USER = "_preferredsystemuserid_value"
"""The column of contacts and accounts that looks up the user whom they prefer."""
_PARENT, _PARENT_COLUMNS = "account.parent.", "account.parent.columns."
_CASE, _CASE_COLUMNS = "caller.case.", "caller.case.columns."
_PRIORITY, _ESCALATED = "caller.case.priority", "caller.case.escalated"


class RelatedFacts:
    """Tells the facts that the rules ask for, for the records of one look-up."""

    def __init__(self, look_up: LookUp, asked: Iterable[str], *, vip: VipRules, agent_of: AgentOf | None) -> None:
        """`agent_of` is `None` when nothing tells the Enreach ids of users."""
        self._look_up = look_up
        self._asked = sorted(asked)
        self._vip = vip
        self._agent_of = agent_of

    def tell(self, record: Match) -> dict[str, Told]:
        """Tell every fact that is asked for, of one record."""
        return {name: self._tell(name, record) for name in self._asked}

    def _tell(self, name: str, record: Match) -> Told:
        if name.startswith(_CASE):
            return self._tell_case(name, record)
        if name.startswith(_PARENT):
            return self._tell_parent(name, record)
        if name == "caller.preferred_agent":
            return self._find_preferred(record)
        if name == "account.owner_agent":
            account = record.account
            return None if account is None else self._find_agent(account.owner_id, account.owner_agent)
        return self._tell_phone_calls(name, record)

    def _tell_parent(self, name: str, record: Match) -> Told:
        parent = next(islice(list_ancestry(record.account), 1, None), None)
        if name == "account.parent.vip":
            return parent is not None and parent.active and meets_criteria(parent, self._vip)
        return None if parent is None else self._read_column(parent, name.removeprefix(_PARENT_COLUMNS))

    def _tell_case(self, name: str, record: Match) -> Told:
        if self._look_up.open_cases is None:
            return self._look_up.failure
        case = _find_newest_case(record, self._look_up)
        if case is None:
            return None
        if name == "caller.case.owner_agent":
            return self._find_agent(case.owner_id, case.owner_agent)
        if name.startswith(_CASE_COLUMNS):
            return self._read_column(case, name.removeprefix(_CASE_COLUMNS))
        return {_PRIORITY: case.priority, _ESCALATED: case.escalated, CASE_AGE: case.created_at}[name]

    def _tell_phone_calls(self, name: str, record: Match) -> Told:
        if self._look_up.phone_calls is None:
            return self._look_up.failure
        calls = self._look_up.phone_calls.get(record.id)
        if name == "caller.callback_pending":
            return calls is not None and calls.pending
        return None if calls is None else self._find_agent(calls.last_owner_id, None)

    def _find_preferred(self, record: Match) -> Told:
        """Take the preferred user of the record itself, else of its company."""
        own = self._read_column(record, PREFERRED_USER)
        return own if own is not None or record.account is None else self._read_column(record.account, PREFERRED_USER)

    def _find_agent(self, owner_id: str | None, known: str | None) -> Told:
        if known is not None or owner_id is None:
            return known
        return Cause.NOT_CONFIGURED if self._agent_of is None else self._agent_of(owner_id)

    def _read_column(self, record: Match | AccountRecord | OpenCase, column: str) -> Told:
        if column in record.users:
            return self._find_agent(record.users[column], None)
        return record.columns.get(column, Cause.NOT_FETCHED)


def _find_newest_case(record: Match, look_up: LookUp) -> OpenCase | None:
    """Return the open case of a record and its company that was created last."""
    found = [case for customer in list_customers(record) if (case := look_up.newest_cases.get(customer)) is not None]
    return max(found, key=lambda case: case.created_at, default=None)


def list_customers(record: Match) -> tuple[str, ...]:
    """List the ids under which cases of a record may be: its own and that of its company."""
    return tuple(dict.fromkeys((record.id, record.account.id if record.account else record.id)))


def resolve_users(
    columns: Mapping[str, Scalar], users: Mapping[str, str], agent_of: AgentOf | None
) -> Mapping[str, Scalar]:
    """Put the Enreach id of the user where a column looks up one; without `agent_of` such a column is left out."""
    if not users:
        return columns
    if agent_of is None:
        return {name: value for name, value in columns.items() if name not in users}
    return {**columns, **{name: agent_of(user) for name, user in users.items()}}
