"""Who is calling: VIP through companies, shared numbers, owners."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from app.routing.identification import identify
from app.routing.number_blocks import NumberBlock
from app.routing.vip import VipCriterion, VipPolicy, VipRules

NOW = 1_800_000_000.0
PREFERRED = VipCriterion(
    table=CallerKind.ACCOUNT, column="accountcategorycode", value=1, label="is a preferred customer"
)
FLAG = VipCriterion(table=CallerKind.CONTACT, column="new_vip", value=True)
RULES = VipRules(criteria=(PREFERRED, FLAG))


def account(
    id_: str = "a1",
    name: str | None = "Contoso",
    *,
    preferred: bool = False,
    active: bool = True,
    parent: AccountRecord | None = None,
) -> AccountRecord:
    columns = {"accountcategorycode": 1 if preferred else 2}
    return AccountRecord(id=id_, name=name, columns=columns, active=active, parent=parent)


def contact(
    id_: str = "c1", *, vip: bool | None = None, company: AccountRecord | None = None, modified_at: float = 1.0
) -> Match:
    return Match(
        kind=CallerKind.CONTACT,
        id=id_,
        name=f"Name of {id_}",
        columns={"new_vip": vip},
        account=company,
        modified_at=modified_at,
    )


def company(record: AccountRecord, *, modified_at: float = 1.0) -> Match:
    return Match(
        kind=CallerKind.ACCOUNT,
        id=record.id,
        name=record.name,
        columns=record.columns,
        account=record,
        modified_at=modified_at,
    )


def judge(*matches: Match, rules: VipRules = RULES, cases: Mapping[str, int] | None = None) -> Caller:
    return identify(LookUp(matches=matches, open_cases=cases), vip=rules, agent_of=lambda _: None, now=NOW)


def test_nobody_is_unknown() -> None:
    """No record means an unknown caller, who is no VIP."""
    assert judge() == Caller(status=CallerStatus.UNKNOWN, vip=False, as_of=NOW)


def test_one_contact_is_identified_with_everything_known() -> None:
    """One contact gives id, name, columns, account, cases and the reason for VIP."""
    found = judge(contact(vip=False, company=account(preferred=True)), cases={"c1": 2, "a1": 3, "other": 9})

    assert found == Caller(
        status=CallerStatus.IDENTIFIED,
        kind=CallerKind.CONTACT,
        id="c1",
        name="Name of c1",
        vip=True,
        vip_reason="account Contoso is a preferred customer",
        matches=1,
        open_cases=5,
        columns={"new_vip": False},
        account=Account(id="a1", name="Contoso", columns={"accountcategorycode": 1}),
        as_of=NOW,
    )


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        pytest.param(contact(vip=True), "contact has new_vip = true", id="direct-flag-without-a-label"),
        pytest.param(
            contact(company=account(preferred=True)), "account Contoso is a preferred customer", id="the-company"
        ),
        pytest.param(
            contact(company=account(parent=account("a2", "Contoso Group", preferred=True))),
            "parent account Contoso Group is a preferred customer",
            id="the-parent",
        ),
        pytest.param(
            contact(company=account(parent=account("a2", parent=account("a3", None, preferred=True)))),
            "parent account is a preferred customer",
            id="two-up-without-a-name",
        ),
        pytest.param(
            contact(company=account(parent=account("a2", parent=account("a3", parent=account("a4", preferred=True))))),
            None,
            id="three-up-is-too-far",
        ),
        pytest.param(
            company(account(preferred=True)), "account Contoso is a preferred customer", id="an-account-by-its-number"
        ),
        pytest.param(contact(vip=False, company=account()), None, id="nothing-holds"),
        pytest.param(contact(vip=None), None, id="an-empty-column"),
    ],
)
def test_vip_is_found_directly_and_through_the_company(match: Match, reason: str | None) -> None:
    """A record is a VIP by its own columns, its company's, or those of the parents within the depth."""
    found = judge(match)

    assert (found.vip, found.vip_reason) == (reason is not None, reason)


def test_depth_zero_does_not_climb() -> None:
    """With depth zero the company counts and its parents do not."""
    rules = VipRules(criteria=(PREFERRED,), account_depth=0)

    assert judge(contact(company=account(preferred=True)), rules=rules).vip is True
    assert judge(contact(company=account(parent=account("a2", preferred=True))), rules=rules).vip is False


def test_a_circle_of_parents_ends() -> None:
    """Companies that own each other are walked once."""
    circle = account("a1", parent=account("a2", parent=account("a1", parent=account("a2", preferred=True))))
    rules = VipRules(criteria=(PREFERRED,), account_depth=100)

    assert judge(contact(company=circle), rules=rules).vip is False


def test_the_company_of_a_matched_contact_is_no_conflict() -> None:
    """A contact who stored the switchboard's number is identified although company and group have it too."""
    group = account("a2", "Contoso Group")
    own = account("a1", parent=group)

    found = judge(contact(company=own), company(own), company(group))

    assert (found.status, found.id, found.matches) == (CallerStatus.IDENTIFIED, "c1", 3)


def test_colleagues_with_one_number_are_identified_as_the_latest() -> None:
    """Records that agree on VIP and account are one caller, named after the one modified last."""
    own = account()

    found = judge(contact("c1", company=own, modified_at=1), contact("c2", company=own, modified_at=2))

    assert (found.status, found.id, found.name, found.matches) == (CallerStatus.IDENTIFIED, "c2", "Name of c2", 2)


def test_records_of_different_companies_are_ambiguous() -> None:
    """Agreeing on VIP but not on the account tells VIP and hides who it is."""
    found = judge(
        contact("c1", vip=True, company=account("a1")), contact("c2", vip=True, company=account("a2")), cases={"c1": 1}
    )

    assert found == Caller(
        status=CallerStatus.AMBIGUOUS,
        detail="2 active records carry the number; they differ in company: nobody in particular is identified",
        vip=True,
        vip_reason="contact has new_vip = true",
        matches=2,
        columns={"new_vip": True},
        any_columns={"new_vip": (True, True)},
        open_cases_cause=Cause.AMBIGUOUS,
        as_of=NOW,
    )


@pytest.mark.parametrize(("policy", "vip"), [(VipPolicy.ANY, True), (VipPolicy.ALL, False), (VipPolicy.UNKNOWN, None)])
def test_records_that_disagree_on_vip_follow_the_policy(policy: VipPolicy, vip: bool | None) -> None:  # noqa: FBT001
    """The policy decides VIP, and the reason tells the count and the policy."""
    own = account()
    rules = VipRules(criteria=(PREFERRED, FLAG), ambiguous=policy)

    found = judge(contact("c1", vip=True, company=own), contact("c2"), contact("c3", company=own), rules=rules)

    assert (found.status, found.vip, found.vip_reason) == (
        CallerStatus.AMBIGUOUS,
        vip,
        f"1 of 3 records with this number is a VIP; policy {policy}",
    )


def test_an_account_that_is_nobodys_company_is_a_conflict() -> None:
    """A contact and an unrelated account with one number are ambiguous."""
    found = judge(contact(company=account("a1")), company(account("a9", "Fabrikam")))

    assert (found.status, found.account, found.matches) == (CallerStatus.AMBIGUOUS, None, 2)


def test_the_owner_is_the_records_else_the_accounts() -> None:
    """The record's owner counts first, then its account's, by the user's column or by the ids we keep."""
    agents = {"u1": "agent-1", "u2": "agent-2"}
    own = AccountRecord(id="a1", owner_id="u2")

    def owner_of(match: Match) -> str | None:
        return identify(LookUp(matches=(match,)), vip=RULES, agent_of=agents.get, now=NOW).owner_agent

    base = {"kind": CallerKind.CONTACT, "id": "c1", "account": own}
    assert owner_of(Match(**base, owner_id="u1")) == "agent-1"
    assert owner_of(Match(**base, owner_id="u1", owner_agent="from-column")) == "from-column"
    assert owner_of(Match(**base, owner_id="stranger")) == "agent-2"
    assert owner_of(Match(**base)) == "agent-2"


def test_owners_are_not_configured_when_nothing_tells_their_ids() -> None:
    """Without any source the owner's agent is unknown, which differs from having none."""
    match = Match(kind=CallerKind.CONTACT, id="c1", owner_id="u1")

    unconfigured = identify(LookUp(matches=(match,)), vip=RULES, agent_of=None, now=NOW)
    configured = identify(LookUp(matches=(match,)), vip=RULES, agent_of=lambda _: None, now=NOW)

    assert (unconfigured.owner_agent, unconfigured.owner_agent_cause) == (None, Cause.NOT_CONFIGURED)
    assert (configured.owner_agent, configured.owner_agent_cause) == (None, None)


def test_ambiguous_callers_keep_an_owner_they_share() -> None:
    """Records that disagree but have one owner tell it; otherwise it is ambiguous."""
    one = Match(kind=CallerKind.CONTACT, id="c1", owner_agent="agent-1", account=account("a1"))
    two = Match(kind=CallerKind.CONTACT, id="c2", owner_agent="agent-1", account=account("a2"))
    three = Match(kind=CallerKind.CONTACT, id="c3", owner_agent="agent-3", account=account("a2"))

    assert judge(one, two).owner_agent == "agent-1"
    assert (judge(one, three).owner_agent, judge(one, three).owner_agent_cause) == (None, Cause.AMBIGUOUS)


def test_failed_cases_are_unknown_with_a_cause() -> None:
    """Cases that could not be read are not zero."""
    look_up = LookUp(matches=(contact(),), open_cases_failed=True)

    found = identify(look_up, vip=RULES, agent_of=None, now=NOW)

    assert (found.open_cases, found.open_cases_cause) == (None, Cause.ERROR)


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.sampled_from(["", "a", "B", "1,13", "true"])
COLUMNS = st.dictionaries(st.sampled_from(["x", "y"]), SCALARS)
IDS = st.sampled_from(["1", "2", "3", "4"])
ACCOUNTS = st.recursive(
    st.none(),
    lambda parent: st.builds(
        AccountRecord, id=IDS, name=st.none() | st.just("Contoso"), columns=COLUMNS, owner_id=st.none() | IDS,
        parent=parent,
    ),
    max_leaves=6,
)  # fmt: skip
MATCHES = st.lists(
    st.builds(
        Match,
        kind=st.sampled_from(CallerKind),
        id=IDS,
        columns=COLUMNS,
        owner_id=st.none() | IDS,
        account=ACCOUNTS,
        modified_at=st.sampled_from([0.0, 1.0, 2.0]),
    ),
    max_size=6,
    unique_by=lambda match: (match.kind, match.id),
)
CRITERIA = st.lists(
    st.builds(
        VipCriterion,
        table=st.sampled_from(CallerKind),
        column=st.sampled_from(["x", "y"]),
        op=st.sampled_from(["is", "is_not", "in", "gt", "gte", "lt", "lte", "contains"]),
        value=SCALARS | st.lists(SCALARS, max_size=3).map(tuple),
    ),
    max_size=3,
).map(tuple)


def judge_any(matches: list[Match], criteria: tuple[VipCriterion, ...], policy: VipPolicy) -> Caller:
    rules = VipRules(criteria=criteria, ambiguous=policy)
    return identify(LookUp(matches=tuple(matches)), vip=rules, agent_of={"1": "agent"}.get, now=NOW)


@given(matches=MATCHES, criteria=CRITERIA, shuffled=st.randoms())
def test_the_order_of_records_does_not_matter(matches, criteria, shuffled) -> None:
    """Any order in which Dataverse sends the records gives the same status, VIP and id."""
    before = judge_any(matches, criteria, VipPolicy.ANY)
    shuffled.shuffle(matches)
    after = judge_any(matches, criteria, VipPolicy.ANY)

    assert repr(after) == repr(before)


@given(matches=MATCHES, criteria=CRITERIA)
def test_any_makes_at_least_the_vips_of_all(matches, criteria) -> None:
    """Whoever is a VIP under policy all is one under policy any; unknown never contradicts agreement."""
    strict = judge_any(matches, criteria, VipPolicy.ALL)
    loose = judge_any(matches, criteria, VipPolicy.ANY)
    unknown = judge_any(matches, criteria, VipPolicy.UNKNOWN)

    assert loose.vip or not strict.vip
    assert unknown.vip in {None, strict.vip}
    assert (strict.status, strict.id, strict.matches) == (loose.status, loose.id, loose.matches)


@given(criteria=CRITERIA, height=st.integers(1, 5))
def test_a_true_circle_ends(criteria, height) -> None:
    """An account that is its own ancestor, even as the same object, is walked once."""
    records = [AccountRecord(id=str(number), columns={"x": number}) for number in range(height)]
    for number, record in enumerate(records):
        object.__setattr__(record, "parent", records[(number + 1) % height])
    match = Match(kind=CallerKind.CONTACT, id="c1", account=records[0])
    rules = VipRules(criteria=criteria, account_depth=10_000)

    found = identify(LookUp(matches=(match,)), vip=rules, agent_of=None, now=NOW)

    assert found.status is CallerStatus.IDENTIFIED


INACTIVE_COMPANY = account(preferred=True, active=False)
INACTIVE_PARENT = account(parent=account("a2", "Group", preferred=True, active=False))


@pytest.mark.parametrize(
    ("match", "explanation"),
    [
        (contact(company=INACTIVE_COMPANY), "the account meets a VIP criterion, but is inactive"),
        (company(INACTIVE_COMPANY), "the account meets a VIP criterion, but is inactive"),
        (contact(company=INACTIVE_PARENT), "a parent account meets a VIP criterion, but is inactive"),
        (company(INACTIVE_PARENT), "a parent account meets a VIP criterion, but is inactive"),
    ],
    ids=["company", "matched", "parent of the company", "parent of the matched"],
)
def test_inactive_accounts_make_nobody_a_vip(match: Match, explanation: str) -> None:
    """An account that is not in use any more does not count, and the trace says that it would have."""
    found = judge(match)

    assert (found.vip, found.vip_reason, found.detail) == (False, None, explanation)


def test_active_account_above_an_inactive_one_counts() -> None:
    """An inactive company does not cut its active parent off."""
    found = judge(contact(company=account(preferred=True, active=False, parent=account("a2", "Group", preferred=True))))

    assert (found.vip, found.vip_reason) == (True, "parent account Group is a preferred customer")


@pytest.mark.parametrize(
    ("matches", "explanation"),
    [
        ([contact()], ""),
        (
            [contact(company=account()), company(account())],
            "2 active records carry the number; 1 of them is the company of a contact with it",
        ),
        (
            [contact(company=account()), contact("c2", company=account())],
            "2 active records carry the number; they agree on VIP and company: the one modified last is taken",
        ),
        (
            [contact(company=account()), contact("c2", vip=True, company=account("a2"))],
            "2 active records carry the number; they differ in VIP and company: nobody in particular is identified",
        ),
        (
            [contact(company=account()), contact("c2", company=account("a2"))],
            "2 active records carry the number; they differ in company: nobody in particular is identified",
        ),
    ],
    ids=["one", "with its company", "agreeing", "differing in both", "differing in company"],
)
def test_how_several_records_became_one_caller_is_told(matches: list[Match], explanation: str) -> None:
    """The trace says how many records share the number, in what they differ and what follows."""
    assert judge(*matches).detail == explanation


def test_customer_without_cases_has_none() -> None:
    """Cases of other customers are not counted, and nothing is not unknown."""
    assert judge(contact(company=account()), cases={"c9": 3}).open_cases == 0
    assert judge(contact(company=account()), cases={}).open_cases == 0


def test_ambiguous_records_of_one_account_keep_it() -> None:
    """Records that differ in VIP but share their company tell the company, and nobody in particular."""
    found = judge(contact(company=account()), contact("c2", vip=True, company=account()))

    assert (found.status, found.account, found.id, found.name) == (
        CallerStatus.AMBIGUOUS,
        Account(id="a1", name="Contoso", columns={"accountcategorycode": 2}),
        None,
        None,
    )


def test_account_found_by_a_number_block_says_so() -> None:
    """The account is judged as if it carried the number; how it was found, and how sure that is, is told."""
    block = NumberBlock("+493023125", 0.7)
    look_up = LookUp(matches=(company(account(preferred=True)),), block=block)

    found = identify(look_up, vip=RULES, agent_of=None, now=NOW)

    assert (found.status, found.id, found.vip, found.match, found.confidence, found.detail) == (
        CallerStatus.IDENTIFIED,
        "a1",
        True,
        MatchKind.BLOCK,
        0.7,
        "nobody has the number itself: it lies in the number block of an account",
    )
