"""Columns whose types and choices a ruleset describes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Finding
from app.routing.callers import Cause
from app.routing.facts import Unknown
from app.routing.lint import lint_ruleset
from app.routing.lint_columns import list_undescribed
from app.routing.rule_tests import run_tests
from app.routing.ruleset import read_ruleset, ruleset_document
from app.routing.wire import ResponseProfile
from tests.routing.examples import NOW, leaf, make_document, make_rules

CATEGORY, HOBBIES = "account.columns.accountcategorycode", "caller.columns.new_hobbies"
SIZE, TITLE, CONSENT = "account.columns.new_size", "caller.columns.jobtitle", "caller.columns.donotphone"
OWNER, END = "caller.columns._ownerid_value", "caller.columns.new_contractend"
COLUMNS = {
    "account": {
        "accountcategorycode": {"type": "choice", "choices": {"1": "Preferred Customer", "2": "Standard"}},
        "new_size": {"type": "number"},
    },
    "contact": {
        "new_hobbies": {"type": "choices", "choices": {"1": "Golf", "12": "Golf courses", "2": "Tennis"}},
        "jobtitle": {"type": "text"},
        "donotphone": {"type": "boolean"},
        "_ownerid_value": {"type": "id"},
        "new_contractend": {"type": "date"},
    },
}
ZONE = {"time_zone": "Europe/Helsinki"}
CATEGORIES = "there are 1 (Preferred Customer), 2 (Standard)"
HOLDERS = " columns and parameters that hold one"
LIKE_A_DATE = "write it like 2026-03-04; `within_days` and `older_than_days` count from today"


def decide(condition: dict[str, Any], value: object) -> str:
    """Return the verdict of one condition."""
    fact = condition.get("fact", HOBBIES)
    rules = make_rules({"when": condition}, columns=COLUMNS, **ZONE)
    verdict: str = rules.trace({fact: value}, NOW).document()["rules"][0]["when"]["verdict"]  # type: ignore[dict-item]
    return verdict


def lint(condition: dict[str, Any], columns: object = COLUMNS) -> list[Finding]:
    """Lint one condition."""
    document = make_document({"when": condition}, columns=columns, **ZONE)
    return list(lint_ruleset(read_ruleset(document), ResponseProfile()))


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        (leaf(CATEGORY, "is", "Preferred Customer"), 1, "true"),
        (leaf(CATEGORY, "is", " preferred CUSTOMER"), 1, "true"),
        (leaf(CATEGORY, "is", 1), 1, "true"),
        (leaf(CATEGORY, "is", "Standard"), 1, "false"),
        (leaf(CATEGORY, "is_not", "Standard"), 1, "true"),
        (leaf(CATEGORY, "in", ["Standard", 1]), 1, "true"),
        (leaf(CATEGORY, "not_in", ["Standard"]), None, "true"),
        (leaf(CATEGORY, "is", "Standard"), Unknown(Cause.TIMEOUT), "unknown"),
        (leaf(HOBBIES, "contains", "Golf"), "1,2", "true"),
        (leaf(HOBBIES, "contains", "Golf"), "12", "false"),
        (leaf(HOBBIES, "contains", 2), "12", "false"),
        (leaf(HOBBIES, "contains", 2), "12, 2", "true"),
        (leaf(HOBBIES, "contains", 2), 2, "true"),
        (leaf(HOBBIES, "contains", "Tennis"), None, "false"),
        (leaf(HOBBIES, "contains", "Tennis"), Unknown(Cause.ERROR), "unknown"),
        (leaf(TITLE, "contains", "direct"), "Sales director", "true"),
    ],
)
def test_choices_are_compared_by_label_or_value(condition: dict[str, Any], value: object, expected: str) -> None:
    """A label stands for its value, and one of several choices is a whole value."""
    assert decide(condition, value) == expected


@given(values=st.lists(st.integers(0, 130), max_size=5, unique=True), wanted=st.integers(0, 130))
def test_one_of_several_choices_is_never_a_part_of_another(values: list[int], wanted: int) -> None:
    """A column contains exactly the choices that are set, and `not` turns the verdict round."""
    column, contains = ",".join(map(str, values)), leaf(HOBBIES, "contains", wanted)

    assert decide(contains, column) == ("true" if wanted in values else "false")
    assert decide({"not": contains}, Unknown(Cause.ERROR)) == "unknown"


def test_the_trace_shows_value_and_label() -> None:
    """Whoever reads why a rule did not match sees both spellings of both choices; what has no choices has no label."""
    rules = make_rules(
        {
            "when": {
                "all": [leaf(CATEGORY, "in", ["Standard", 9]), leaf(HOBBIES, "contains", "Golf"), leaf(SIZE, "is", 1)]
            }
        },
        columns=COLUMNS,
    )

    [rule] = rules.trace({CATEGORY: 1, HOBBIES: "12,2", SIZE: 1}, NOW).document()["rules"]

    names = ("expected", "expected_label", "actual", "actual_label")
    assert [{name: part[name] for name in names if name in part} for part in rule["when"]["all"]] == [
        {"expected": [2, 9], "expected_label": ["Standard", None]}
        | {"actual": 1, "actual_label": "Preferred Customer"},
        {"expected": 1, "expected_label": "Golf", "actual": "12,2", "actual_label": ["Golf courses", "Tennis"]},
        {"expected": 1, "actual": 1},
    ]


@pytest.mark.parametrize(
    ("condition", "code", "place", "hint"),
    [
        (leaf(CATEGORY, "is", "Prefered Customer"), "unknown-choice", "/value", 'did you mean "Preferred Customer"?'),
        (leaf(CATEGORY, "is", "x"), "unknown-choice", "/value", CATEGORIES),
        (leaf(CATEGORY, "in", [1, 3]), "unknown-choice", "/value", CATEGORIES),
        (leaf(CATEGORY, "is", "1"), "unknown-choice", "/value", "write 1 without quotes (Preferred Customer)"),
        (leaf(CATEGORY, "is", True), "unknown-choice", "/value", CATEGORIES),
        (leaf(CATEGORY, "starts_with", "Pref"), "wrong-type", "/op", "use `is`, or `in` for alternatives"),
        (leaf(HOBBIES, "is", "Golf"), "wrong-type", "/op", "use `contains`, and `any` for alternatives"),
        (
            leaf(HOBBIES, "contains", "Chess"),
            "unknown-choice",
            "/value",
            "there are 1 (Golf), 12 (Golf courses), 2 (Tennis)",
        ),
        (leaf(HOBBIES, "contains", "2"), "unknown-choice", "/value", "write 2 without quotes (Tennis)"),
        (leaf(SIZE, "gt", "500"), "wrong-type", "/value", "write 500 without quotes"),
        (leaf(SIZE, "gt", "many"), "wrong-type", "/value", "write a number"),
        (leaf(SIZE, "contains", "5"), "wrong-type", "/op", "use another operator"),
        (leaf(TITLE, "is", 5), "wrong-type", "/value", 'write "5" in quotes'),
        (leaf(TITLE, "contains", 5), "wrong-type", "/op", "write the value in quotes"),
        (leaf(CONSENT, "is", "true"), "wrong-type", "/value", "write true without quotes"),
        (leaf(CONSENT, "is", 1), "wrong-type", "/value", "write true or false"),
        (leaf(OWNER, "is", 7), "wrong-type", "/value", 'write "7" in quotes'),
        (leaf(SIZE, "before_today"), "wrong-type", "/op", "`before_today` compares" + HOLDERS),
        (leaf(END, "gt", "soon"), "wrong-date", "/value", LIKE_A_DATE),
    ],
)
def test_lint_finds_one_thing_wrong(condition: dict[str, Any], code: str, place: str, hint: str) -> None:
    """A value that a column never has is named with the right spelling, and nothing else is found."""
    found = [(finding.severity, finding.code, finding.pointer, finding.hint) for finding in lint(condition)]

    assert found == [("error", code, f"/rules/0/when{place}", hint)]


@pytest.mark.parametrize(
    "condition",
    [
        leaf(CATEGORY, "is", "Standard"),
        leaf(CATEGORY, "gte", 1),
        leaf(HOBBIES, "contains", 12),
        leaf(HOBBIES, "exists"),
        leaf(SIZE, "between", [1, 5.5]),
        leaf(TITLE, "in", ["CEO", "CFO"]),
        leaf(CONSENT, "is", False),
        leaf(OWNER, "is", "c2b7d0d4-6a43-5b0e-9e0b-3f6f5a1d7713"),
        leaf(END, "before_today"),
        leaf("caller.columns.unheard_of", "is", "1"),
    ],
)
def test_lint_is_silent_where_nothing_is_wrong(condition: dict[str, Any]) -> None:
    """Every right spelling passes, and so does a column that is not described."""
    assert lint(condition) == []


def test_a_label_and_its_value_contradict_nothing() -> None:
    """Lint compares choices as calls do."""
    same = {"all": [leaf(CATEGORY, "is", 2), leaf(CATEGORY, "in", ["Standard"])]}
    other = {"all": [leaf(CATEGORY, "is", 1), leaf(CATEGORY, "in", ["Standard"])]}

    assert [[finding.code for finding in lint(each)] for each in (same, other)] == [[], ["contradiction"]]


def test_columns_that_nothing_describes_are_listed() -> None:
    """What lint could not check can be told; a column that is only asked for is not compared."""
    document = make_document(
        {"when": {"any": [leaf(CATEGORY, "is", 1), leaf(TITLE, "exists"), {"defined": "old"}]}},
        define={"old": {"not": leaf(END, "before_today")}, "big": leaf(SIZE, "gt", 1)},
    )

    assert list_undescribed(read_ruleset(document)) == (SIZE, CATEGORY)
    assert list_undescribed(read_ruleset({**document, "columns": COLUMNS})) == ()


def test_stored_tests_may_name_a_choice_by_its_label() -> None:
    """A test's caller has the value that the label stands for."""
    test = {"name": "gold", "call": {"anum": "+358501234567"}, "expect": {"rule": "r0"}}
    account = {"columns": {"accountcategorycode": "Preferred Customer"}}
    document = make_document(
        {"when": leaf(CATEGORY, "is", 1)}, columns=COLUMNS, tests=[{**test, "caller": {"account": account}}]
    )

    assert [result.passed for result in run_tests(read_ruleset(document))] == [True]
    assert ruleset_document(read_ruleset(document)) == document
