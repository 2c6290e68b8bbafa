"""What is known of a caller whom several records describe, or whose record has no such column."""

import json
from collections.abc import Mapping

import pytest

from app.routing.callers import AccountRecord, Caller, CallerKind, Cause, LookUp, Match
from app.routing.calls import Scalar
from app.routing.facts import FactValue, Unknown, caller_facts, complete_facts, decode_facts, encode_facts
from app.routing.identification import identify
from app.routing.vip import VipRules
from tests.routing.examples import NOW, leaf, make_call, make_rules

TIER, ANY_TIER = "caller.columns.tier", "caller.any.columns.tier"
DISAGREE = Unknown(Cause.AMBIGUOUS, "several records carry the number and disagree")


def contact(number: int, columns: Mapping[str, Scalar]) -> Match:
    """Make one of the records that carry the number, each of another company."""
    account = AccountRecord(id=f"a{number}")
    return Match(kind=CallerKind.CONTACT, id=f"c{number}", columns=columns, account=account)


def find_caller(*records: Match) -> Caller:
    """Judge who is calling."""
    return identify(LookUp(matches=records), vip=VipRules(), agent_of=None, now=NOW)


def decide(caller: Caller, condition: dict[str, object]) -> bool:
    """Tell whether a rule with this condition decides."""
    rules = make_rules({"when": condition})
    return rules.decide(rules.gather(make_call(), caller, NOW), NOW).rule is not None


def test_what_all_records_agree_on_is_known() -> None:
    """Of an ambiguous caller a column with the same value in every record is known, and another one is not."""
    caller = find_caller(contact(1, {"tier": "gold", "language": "fi"}), contact(2, {"tier": "gold", "language": "sv"}))

    facts = complete_facts(caller_facts(caller), [TIER, "caller.columns.language", ANY_TIER])

    assert (facts[TIER], facts["caller.columns.language"]) == ("gold", DISAGREE)
    assert facts[ANY_TIER] == ("gold", "gold")
    assert facts["caller.any.columns.language"] == ("fi", "sv")


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("is", "Gold", True),
        ("is", "silver", True),
        ("is", "bronze", False),
        ("is_not", "gold", True),
        ("in", ["bronze", "silver"], True),
        ("not_in", ["gold", "silver"], False),
        ("starts_with", "sil", True),
        ("exists", None, True),
        ("is_unknown", None, False),
        ("before_today", None, False),
    ],
)
def test_one_of_the_records_is_enough(op: str, value: object, expected: object) -> None:
    """A comparison of any caller's column is true when it is of one record."""
    caller = find_caller(contact(1, {"tier": "gold"}), contact(2, {"tier": "silver"}))

    assert decide(caller, leaf(ANY_TIER, op, value)) is expected


def test_rules_for_other_values_are_not_passed_over() -> None:
    """Many rules that each ask for another value find the one of any record."""
    rules = make_rules(*({"when": leaf(ANY_TIER, "is", tier)} for tier in ("iron", "silver", "gold")))
    caller = find_caller(contact(1, {"tier": "gold"}), contact(2, {"tier": "silver"}))

    assert rules.decide(rules.gather(make_call(), caller, NOW), NOW).rule == "r1"
    assert rules.selection.contact_columns == {"tier"}


def test_one_record_is_any_record() -> None:
    """With a single record its own column counts; an empty one, and nobody's, is absent; an unread one is unknown."""
    one, empty = find_caller(contact(1, {"tier": "gold"})), find_caller(contact(1, {"tier": None}))

    assert complete_facts(caller_facts(one), [ANY_TIER])[ANY_TIER] == ("gold",)
    assert complete_facts(caller_facts(empty), [ANY_TIER])[ANY_TIER] is None
    assert complete_facts(caller_facts(find_caller()), [ANY_TIER])[ANY_TIER] is None
    unread = complete_facts(caller_facts(find_caller(contact(1, {}))), [ANY_TIER])[ANY_TIER]
    assert isinstance(unread, Unknown)
    assert unread.cause is Cause.NOT_FETCHED


@pytest.mark.parametrize("condition", [leaf(TIER, "is_not", "gold"), {"not": leaf(TIER, "is", "gold")}])
def test_not_means_not_for_a_caller_who_is_an_account(condition: dict[str, object]) -> None:
    """A contact's column is absent from an account, so that `is_not` and `not` hold, and agree."""
    account = AccountRecord(id="a", columns={"revenue": 5})
    caller = find_caller(Match(kind=CallerKind.ACCOUNT, id="a", columns=account.columns, account=account))

    assert decide(caller, condition)
    assert not decide(caller, leaf(TIER, "is_unknown"))


def test_values_of_many_records_are_recorded_and_read_back() -> None:
    """The decision log keeps the values of every record, for replays and explanations."""
    facts: dict[str, FactValue] = {ANY_TIER: ("gold", None, 7)}

    assert decode_facts(json.loads(json.dumps(encode_facts(facts)))) == facts
