"""Who is calling, judged from the records that carry the number."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from app.routing.callers import (
    Account,
    AccountRecord,
    Caller,
    CallerKind,
    CallerStatus,
    Cause,
    LookUp,
    Match,
    MatchKind,
)
from app.routing.related import CASE_AGE, AgentOf, RelatedFacts, list_customers, resolve_users
from app.routing.vip import VipPolicy, VipRules, explain_inactive, explain_vip, list_ancestry

__all__ = ["identify", "list_candidates"]


class _Verdict(NamedTuple):
    """Whether a caller is a VIP, the reason people read, and how the records led to it."""

    vip: bool | None
    reason: str | None
    explanation: str


def identify(
    look_up: LookUp, *, vip: VipRules, agent_of: AgentOf | None, now: float, related: Iterable[str] = ()
) -> Caller:
    """Judge who is calling (Dataverse contract, section 3.4); never raises.

    Contacts count before accounts: an account that is the company of a matched contact, or stands above it, is no
    other caller. When the remaining records agree on VIP and on the account, the one modified last gives id and
    name; else the caller is ambiguous. An account that is not active makes nobody a VIP. How the records led to this
    is told by `Caller.detail` (decision record 0007). Accounts that were found by a number block are judged in the same
    way, and say so by `Caller.match`. `agent_of` is `None` only when nothing in this installation tells the Enreach ids
    of owners; `now` is when Dataverse answered, in seconds since the epoch. `related` names the facts about what
    belongs to the caller that the rules ask for.
    """
    records = _drop_companies(_sort(look_up.matches))
    if not records:
        return Caller(status=CallerStatus.UNKNOWN, as_of=now)
    reasons = [explain_vip(record, vip) for record in records]
    agree_on_vip = len({reason is not None for reason in reasons}) == 1
    agree_on_account = len({_read_account_id(record) for record in records}) == 1
    explanation = _explain(look_up, records, vip, agree_on_vip=agree_on_vip, agree_on_account=agree_on_account)
    if agree_on_vip:
        verdict = _Verdict(reasons[0] is not None, reasons[0], explanation)
    else:
        verdict = _decide_vip(reasons, vip.ambiguous, explanation)
    facts = RelatedFacts(look_up, related, vip=vip, agent_of=agent_of)
    if agree_on_vip and agree_on_account:
        caller = _describe_one(records[0], verdict, look_up, agent_of, now)
        caller = _relate(caller, records[:1], facts)
    else:
        caller = _relate(_describe_many(records, verdict, look_up, agent_of, now), records, facts)
    if look_up.block is None:
        return caller
    return replace(caller, match=MatchKind.BLOCK, confidence=look_up.block.confidence)


def list_candidates(matches: Iterable[Match]) -> tuple[list[Match], list[Match]]:
    """List the records that carry a number, the one modified last first: those that may be the customer, and the rest.

    The rest are companies of contacts with the same number.
    """
    records = _sort(matches)
    customers = _drop_companies(records)
    return customers, [record for record in records if record not in customers]


def _sort(matches: Iterable[Match]) -> list[Match]:
    """Order by who was modified last, once per record; ties by id, so that the order of arrival does not matter."""
    ordered = sorted(matches, key=lambda match: (-match.modified_at, match.kind, match.id))
    latest: dict[tuple[str, str], Match] = {}
    for match in ordered:
        latest.setdefault((match.kind, match.id), match)
    return list(latest.values())


def _drop_companies(records: Sequence[Match]) -> list[Match]:
    contacts = [record for record in records if record.kind is CallerKind.CONTACT]
    companies = {account.id for contact in contacts for account in list_ancestry(contact.account)}
    return [record for record in records if record.kind is CallerKind.CONTACT or record.id not in companies]


def _read_account_id(record: Match) -> str | None:
    return record.account.id if record.account else None


def _explain(
    look_up: LookUp, records: Sequence[Match], vip: VipRules, *, agree_on_vip: bool, agree_on_account: bool
) -> str:
    """Say how several records became one caller, and which account does not count; holds nothing personal."""
    parts: list[str] = []
    count, what = _count(look_up), "number"
    if look_up.block is not None:
        what = "number block"
        parts.append("nobody has the number itself: it lies in the number block of an account")
    if count > 1:
        parts.append(f"{count} active records carry the {what}")
    if (companies := count - len(records)) > 0:
        parts.append(f"{companies} of them {'is' if companies == 1 else 'are'} the company of a contact with it")
    if len(records) > 1 and agree_on_vip and agree_on_account:
        parts.append("they agree on VIP and company: the one modified last is taken")
    elif len(records) > 1:
        subjects = [name for name, agree in (("VIP", agree_on_vip), ("company", agree_on_account)) if not agree]
        parts.append(f"they differ in {' and '.join(subjects)}: nobody in particular is identified")
    inactive = {reason for record in records if (reason := explain_inactive(record, vip)) is not None}
    return "; ".join([*parts, *sorted(inactive)])


def _decide_vip(reasons: Sequence[str | None], policy: VipPolicy, explanation: str) -> _Verdict:
    count = sum(reason is not None for reason in reasons)
    words = f"{count} of {len(reasons)} records with this number {'is a VIP' if count == 1 else 'are VIPs'}"
    vip = {VipPolicy.ANY: True, VipPolicy.ALL: False, VipPolicy.UNKNOWN: None}[policy]
    return _Verdict(vip, f"{words}; policy {policy}", explanation)


def _describe_one(record: Match, verdict: _Verdict, look_up: LookUp, agent_of: AgentOf | None, now: float) -> Caller:
    agent = _find_agent(record, agent_of)
    return Caller(
        status=CallerStatus.IDENTIFIED,
        detail=verdict.explanation,
        kind=record.kind,
        id=record.id,
        name=record.name,
        vip=verdict.vip,
        vip_reason=verdict.reason,
        owner_agent=agent,
        owner_agent_cause=_explain_no_agent(agent, agent_of),
        matches=_count(look_up),
        open_cases=_sum_cases(record, look_up.open_cases),
        open_cases_cause=look_up.failure if look_up.open_cases_failed else None,
        columns=resolve_users(record.columns, record.users, agent_of),
        account=_describe_account(record.account, agent_of),
        as_of=now,
    )


def _describe_many(
    records: Sequence[Match], verdict: _Verdict, look_up: LookUp, agent_of: AgentOf | None, now: float
) -> Caller:
    """Tell only what all of them share."""
    agents = {_find_agent(record, agent_of) for record in records}
    agent = agents.pop() if len(agents) == 1 else None
    accounts = {_read_account_id(record) for record in records}
    asked = look_up.open_cases is not None or look_up.open_cases_failed
    columns = [resolve_users(record.columns, record.users, agent_of) for record in records]
    names = dict.fromkeys(name for each in columns for name in each)
    any_columns = {name: tuple(each[name] for each in columns if name in each) for name in names}
    shared = {name: values for name, values in any_columns.items() if len(values) == len(records)}
    return Caller(
        status=CallerStatus.AMBIGUOUS,
        detail=verdict.explanation,
        vip=verdict.vip,
        vip_reason=verdict.reason,
        owner_agent=agent,
        owner_agent_cause=Cause.AMBIGUOUS if agents else _explain_no_agent(agent, agent_of),
        matches=_count(look_up),
        open_cases_cause=Cause.AMBIGUOUS if asked else None,
        columns={name: first for name, (first, *others) in shared.items() if all(other == first for other in others)},
        any_columns=any_columns,
        account=_describe_account(records[0].account, agent_of) if len(accounts) == 1 else None,
        as_of=now,
    )


def _relate(caller: Caller, records: Sequence[Match], facts: RelatedFacts) -> Caller:
    """Add the facts about what belongs to the caller; several records tell those on which all of them agree."""
    first, *others = [facts.tell(record) for record in records]
    if not first:
        return caller
    told = {name: value if all(o[name] == value for o in others) else Cause.AMBIGUOUS for name, value in first.items()}
    created_at = told.get(CASE_AGE)
    since = created_at if isinstance(created_at, float) else None
    if since is not None:
        del told[CASE_AGE]
    return replace(
        caller,
        case_since=since,
        related={name: value for name, value in told.items() if not isinstance(value, Cause)},
        related_causes={name: value for name, value in told.items() if isinstance(value, Cause)},
    )


def _find_agent(record: Match, agent_of: AgentOf | None) -> str | None:
    """Return the Enreach id of the record's owner, else of its account's owner."""
    owners: list[Match | AccountRecord] = [record, *([record.account] if record.account else [])]
    for owner in owners:
        if owner.owner_agent is not None:
            return owner.owner_agent
        if agent_of is not None and owner.owner_id is not None and (agent := agent_of(owner.owner_id)) is not None:
            return agent
    return None


def _explain_no_agent(agent: str | None, agent_of: AgentOf | None) -> Cause | None:
    return Cause.NOT_CONFIGURED if agent is None and agent_of is None else None


def _count(look_up: LookUp) -> int:
    return len({(match.kind, match.id) for match in look_up.matches})


def _sum_cases(record: Match, cases: Mapping[str, int] | None) -> int | None:
    """Count the cases of the record and of its account, each once."""
    if cases is None:
        return None
    return sum(cases.get(customer, 0) for customer in list_customers(record))


def _describe_account(account: AccountRecord | None, agent_of: AgentOf | None) -> Account | None:
    if account is None:
        return None
    return Account(id=account.id, name=account.name, columns=resolve_users(account.columns, account.users, agent_of))
