"""Running the tests a ruleset carries."""

import pytest

from app.routing.decisions import Outcome
from app.routing.rule_tests import StoredTestResult, run_tests
from app.routing.ruleset import read_ruleset
from tests.routing.examples import leaf, make_document

CALL = {"anum": "050 123 4567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"}
OFFICE = {"office": {"time_zone": "Europe/Helsinki", "weekly": {"wed": ["08:00-16:00"]}}}


def run(rule: dict[str, object], **test: object) -> StoredTestResult:
    """Run one test of a ruleset with one rule in front of a catch-all."""
    stored = {"name": "t", "call": CALL, "expect": {}, **test}
    document = make_document(rule, {"id": "else", "then": {"no_change": True}}, tests=[stored], calendars=OFFICE)
    [result] = run_tests(read_ruleset(document))
    return result


def test_passing_test() -> None:
    """A test passes when everything it names came out."""
    result = run(
        {"when": leaf("caller.vip", "is", True), "then": {"redirect": "vip", "on_fail": "out", "extra_priority": 5}},
        caller={"vip": True},
        expect={
            "rule": "r0",
            "redirect": "vip",
            "on_fail": "out",
            "extra_priority": 5,
            "disconnect": False,
            "messages": [],
        },
    )

    assert (result.name, result.position, result.passed, result.mismatches, result.explanation) == (
        "t",
        0,
        True,
        (),
        "",
    )


def test_failing_test_says_why() -> None:
    """A failure names what differs, and why the expected rule did not decide."""
    result = run({"when": leaf("caller.vip", "is", True)}, expect={"rule": "r0", "redirect": "vip"})

    assert result.decision.outcome is Outcome.NO_CHANGE
    assert result.mismatches == ('rule should be "r0" and is "else"', 'redirect should be "vip" and is null')
    assert result.explanation == "caller.vip is false and must be true"


def test_expecting_no_rule() -> None:
    """`null` expects that no rule matches; what is not named is not compared."""
    assert run({}, expect={"rule": None}).mismatches == ('rule should be null and is "r0"',)
    assert run({"enabled": False}, expect={}).passed


@pytest.mark.parametrize(
    ("condition", "test"),
    [
        pytest.param(leaf("call.caller", "is", "+358501234567"), {}, id="numbers are completed"),
        pytest.param(leaf("caller.status", "is", "unknown"), {}, id="nobody by default"),
        pytest.param(leaf("caller.status", "is", "withheld"), {"call": {"anum": "anonymous"}}, id="withheld"),
        pytest.param(leaf("caller.matches", "is", 1), {"caller": {}}, id="one record"),
        pytest.param(leaf("caller.matches", "is", 3), {"caller": {"matches": 3}}, id="several records"),
        pytest.param(leaf("caller.open_cases", "is", 0), {"caller": {}}, id="no cases"),
        pytest.param(
            leaf("caller.open_cases", "is_unknown"), {"caller": {"open_cases_cause": "error"}}, id="unknown cases"
        ),
        pytest.param({"not": leaf("caller.columns.x", "exists")}, {"caller": {}}, id="empty column"),
        pytest.param(leaf("caller.columns.x", "is", 1), {"caller": {"columns": {"x": 1}}}, id="column"),
        pytest.param({"not": leaf("account.columns.x", "exists")}, {"caller": {}}, id="no company"),
        pytest.param(leaf("account.columns.x", "is", 1), {"caller": {"account": {"columns": {"x": 1}}}}, id="company"),
        pytest.param(leaf("caller.age_seconds", "is", 60), {"caller": {"age_seconds": 60}}, id="age"),
        pytest.param(leaf("caller.vip", "is_unknown"), {"caller": {"status": "unavailable"}}, id="silent CRM"),
        pytest.param(leaf("caller.vip", "is_unknown"), {"facts": {"caller.vip": {"unknown": "error"}}}, id="override"),
        pytest.param(leaf("time.open", "is", True), {}, id="usual moment"),
        pytest.param(leaf("time.open", "is", False), {"at": "2026-03-04T20:00:00+02:00"}, id="another moment"),
        pytest.param(leaf("time.open", "is", False), {"facts": {"time.open": False}}, id="clock override"),
    ],
)
def test_what_a_test_sets_up(condition: dict[str, object], test: dict[str, object]) -> None:
    """Call, caller, moment and facts are as the test says; what it leaves out is empty, not unknown."""
    assert run({"when": condition}, **{"expect": {"rule": "r0"}, **test}).mismatches == ()
