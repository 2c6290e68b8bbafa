"""Reading ruleset files: what is good is kept, what is bad is named with its place."""

import json
from math import inf
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import Finding, InvalidInputError
from app.routing.ruleset import Ruleset, read_ruleset, ruleset_document
from tests.routing.examples import any_rule, leaf, make_document

STORED = sorted((Path(__file__).parent.parent / "data" / "rulesets").glob("*.json"))


def refuse(document: object) -> tuple[Finding, ...]:
    """Read a document that must be refused and return the findings."""
    with pytest.raises(InvalidInputError) as caught:
        read_ruleset(document)
    return caught.value.findings


def say(document: object) -> list[tuple[str, str]]:
    """Return code and place of every finding."""
    return [(finding.code, finding.pointer) for finding in refuse(document)]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_rulesets_always_load(path: Path) -> None:
    """A ruleset that was published by an earlier version is read, and written as it was."""
    document = json.loads(path.read_text(encoding="utf-8"))

    assert ruleset_document(read_ruleset(document)) == document


def test_empty_ruleset() -> None:
    """Everything in a ruleset may be left out."""
    assert read_ruleset({}) == Ruleset()


def test_all_problems_are_named_at_once() -> None:
    """Each problem has its place, its rule and a way out."""
    document = {
        "rules": [
            {
                "id": "x",
                "when": {"all": [leaf("caller.vpi", "start_with", "a"), {"any": 3}, leaf("caller.vip", "is")]},
                "then": {"redirct": "y"},
            },
            {"then": {"disconnect": True, "no_change": True}, "share": 101},
        ]
    }

    findings = refuse(document)

    assert [(finding.code, finding.pointer, finding.rule) for finding in findings] == [
        ("unknown-fact", "/rules/0/when/all/0/fact", "x"),
        ("enum", "/rules/0/when/all/0/op", "x"),
        ("tuple-type", "/rules/0/when/all/1/any", "x"),
        ("wrong-value", "/rules/0/when/all/2", "x"),
        ("unknown-key", "/rules/0/then/redirct", "x"),
        ("missing", "/rules/1", None),
        ("not-one-action", "/rules/1/then", None),
        ("less-than-equal", "/rules/1/share", None),
    ]
    assert [finding.hint for finding in findings[:2]] == [
        'did you mean "caller.vip"?',
        'did you mean "starts_with"?',
    ]
    assert findings[4].hint == 'did you mean "redirect"?'
    assert findings[5].message == '"id" is missing'


@pytest.mark.parametrize(
    ("op", "value"),
    [
        ("is", [1]),
        ("is", None),
        ("in", "a"),
        ("in", []),
        ("not_in", list(range(1001))),
        ("between", [1]),
        ("between", 1),
        ("exists", False),
        ("is_unknown", "timeout"),
        ("is", {"a": 1}),
        ("in", [[1]]),
    ],
)
def test_value_must_fit_its_operator(op: str, value: object) -> None:
    """Each operator takes its own number of values."""
    [finding] = refuse(make_document({"when": {"fact": "call.id", "op": op, "value": value}}))

    assert (finding.code, finding.pointer) == ("wrong-value", "/rules/0/when/value")


@pytest.mark.parametrize(
    ("then", "place"),
    [
        ({"redirect_to_agent": "caller.agnt"}, "redirect_to_agent"),
        ({"redirect": "vip", "preferred_agents": ["caller.agnt"]}, "preferred_agents/0"),
    ],
)
def test_agents_must_be_facts(then: dict[str, object], place: str) -> None:
    """An agent is taken from a fact that exists."""
    assert say(make_document({"then": then})) == [("unknown-fact", f"/rules/0/then/{place}")]


@pytest.mark.parametrize(
    ("calendar", "code", "place", "hint"),
    [
        ({"time_zone": "Europe/Helsinkk"}, "unknown-time-zone", "/time_zone", 'did you mean "Europe/Helsinki"?'),
        ({"time_zone": "../etc"}, "unknown-time-zone", "/time_zone", "an IANA name like Europe/Helsinki"),
        ({"weekly": {"mon": ["8-16"]}}, "wrong-interval", "/weekly/mon/0", "the whole day is 00:00-24:00"),
        ({"weekly": {"mon": ["08:00-08:00"]}}, "wrong-interval", "/weekly/mon/0", "the whole day is 00:00-24:00"),
        ({"weekly": {"mon": ["08:00-24:30"]}}, "wrong-interval", "/weekly/mon/0", "the whole day is 00:00-24:00"),
        ({"weekly": {"mon": [8]}}, "wrong-interval", "/weekly/mon/0", "the whole day is 00:00-24:00"),
        ({"weekly": {"monday": []}}, "literal-error", "/weekly/monday", ""),
        ({"holidays": {"country": "FII"}}, "unknown-country", "/holidays", 'did you mean "FI"?'),
        ({"holidays": {"country": "??"}}, "unknown-country", "/holidays", "an ISO 3166-1 code like FI"),
        ({"holidays": {"country": "SG", "subdivision": "X"}}, "unknown-subdivision", "/holidays", "known are: none"),
        ({"holidays": {"country": "DE", "subdivision": "XX"}}, "unknown-subdivision", "/holidays", "known are: BB, BE"),
        ({"exceptions": [{"date": "2026-02-30"}]}, "wrong-date", "/exceptions/0/date", "write 2026-12-24"),
    ],
)
def test_calendars_must_exist(calendar: dict[str, object], code: str, place: str, hint: str) -> None:
    """Zones, countries, intervals and dates are checked where they stand."""
    [finding] = refuse({"calendars": {"a": {"time_zone": "UTC", **calendar}}})

    assert (finding.code, finding.pointer) == (code, f"/calendars/a{place}")
    assert finding.hint.startswith(hint)


def test_parts_that_do_not_fit_together() -> None:
    """Two rules of one id and a default calendar that does not exist are refused."""
    document = make_document(
        {"id": "a"}, {"id": "a"}, default_calendar="office", calendars={"ofice": {"time_zone": "UTC"}}
    )

    assert [(finding.code, finding.pointer, finding.hint) for finding in refuse(document)] == [
        ("duplicate-rule", "/rules/1/id", "use another id"),
        ("unknown-calendar", "/default_calendar", 'did you mean "ofice"?'),
    ]


def nest(levels: int) -> dict[str, object]:
    """Nest a condition."""
    condition = leaf("caller.vip", "exists")
    for _ in range(levels):
        condition = {"not": condition}
    return condition


def test_limits_of_depth_and_number() -> None:
    """Conditions deeper than 20, more than 10,000 of them, or more than 5,000 rules are refused."""
    read_ruleset(make_document({"when": nest(19)}))
    many = {"any": [leaf("caller.vip", "exists")] * 5001}

    assert say(make_document({"when": nest(20)})) == [("too-deep", "/rules/0/when")]
    assert say(make_document({"when": {"all": [{"any": [nest(19)]}]}})) == [("too-deep", "/rules/0/when")]
    assert say(make_document({"when": many}, {"when": many})) == [("too-large", "/rules")]
    assert say(make_document(*[{}] * 5001)) == [("too-long", "/rules")]


def test_hostile_documents_are_refused_before_they_hurt() -> None:
    """Endless nesting, doubling aliases, giant texts and things that are not JSON end in one finding."""
    doubled: list[object] = []
    for _ in range(60):
        doubled = [doubled, doubled]

    assert say(make_document({"when": nest(100_000)}))[0][0] == "too-deep"
    assert say({"rules": doubled}) == [("too-large", "")]
    assert say({"default_calendar": "x" * 10_001}) == [("not-json", "/default_calendar")]
    assert say({"rules": {1: 2}}) == [("not-json", "/rules")]
    assert say({"\ud800": 1}) == [("not-json", "")]
    assert say(make_document({"id": "\ud800"})) == [("not-json", "/rules/0/id")]
    assert say({"rules": [float("nan")]}) == [("not-json", "/rules/0")]
    assert say({"rules": object()}) == [("not-json", "/rules")]
    assert refuse(make_document({"id": "\ud800"}))[0].rule is None


@pytest.mark.parametrize("document", [None, 3, "x", [], {"rules": 3}, {"rules": [3]}, {"rules": [{"id": 3}]}])
def test_other_shapes_are_refused(document: object) -> None:
    """Whatever is no ruleset is refused with a place."""
    assert all(finding.rule is None and finding.message for finding in refuse(document))


def test_names_keep_to_plain_letters() -> None:
    """A destination whose name cannot be pointed at is refused at its place."""
    [finding] = refuse({"destinations": {"a/b": {"kind": "queue", "id": "x"}}})

    assert (finding.code, finding.pointer) == ("string-pattern-mismatch", "/destinations/a~1b")


def test_expected_facts_of_a_test_must_exist() -> None:
    """A test overrides facts that exist, with values that are values."""
    test = {"name": "t", "call": {}, "expect": {}}

    assert say({"tests": [{**test, "facts": {"caller.vpi": True}}]}) == [("unknown-fact", "/tests/0/facts")]
    assert say({"tests": [{**test, "facts": {"caller.vip": [1]}}]}) == [("wrong-value", "/tests/0/facts/caller.vip")]
    assert say({"tests": [{**test, "facts": {"caller.vip": {"unknown": "tired"}}}]})[0][0] == "enum"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["rules", "id", "when", "then", "all", "any", "not", "fact", "op", "value", "tests", "é/"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


def read_or_refuse(document: object) -> Ruleset | tuple[Finding, ...]:
    """Read a document, or return the findings; any other error fails the test."""
    try:
        return read_ruleset(document)
    except InvalidInputError as error:
        return error.findings


@settings(max_examples=150, deadline=None)
@example({"rules": {"rules": inf}}, [], [])
@given(JSON, st.lists(any_rule(), max_size=2), st.lists(JSON, max_size=2))
def test_any_document_is_read_or_refused(anything: object, rules: list[object], others: list[object]) -> None:
    """Whatever comes, the answer is a ruleset or at least one finding."""
    for document in (anything, {"rules": [*rules, *others]}, {"rules": [{"id": "a", "when": anything, "then": {}}]}):
        assert read_or_refuse(document)
