"""Named conditions, and destinations that share out the callers."""

from collections import Counter

import pytest
from hypothesis import given, settings

from app.errors import InvalidInputError
from app.routing.diff import diff_rulesets
from app.routing.facts import FactValue
from app.routing.lint import lint_ruleset
from app.routing.ruleset import Ruleset, read_ruleset, ruleset_document
from app.routing.wire import ResponseProfile
from tests.routing.examples import NOW, any_condition, any_facts, leaf, make_document, make_rules

VIP = leaf("caller.vip", "is", True)
GOLD = leaf("caller.columns.tier", "is", "gold")
GOOD = {"defined": "good"}
SPLIT = {"split": {"a": 50, "b": 35, "c": 15}}
PLACES = {name: {"kind": "queue", "id": f"id-{name}"} for name in "abc"}


def refuse(document: dict[str, object]) -> list[tuple[str, str]]:
    """Return code and place of what is wrong with a document."""
    with pytest.raises(InvalidInputError) as caught:
        read_ruleset(document)
    return [(finding.code, finding.pointer) for finding in caught.value.findings]


def lint(ruleset: Ruleset) -> list[tuple[str, str]]:
    """Return code and place of what lint finds."""
    return [(finding.code, finding.pointer) for finding in lint_ruleset(ruleset, ResponseProfile(), now=NOW)]


def test_named_condition_is_what_it_says() -> None:
    """A rule with a name decides as one with the condition itself, and its trace points to where it is defined."""
    when = {"all": [GOOD, leaf("call.internal", "is", False)]}
    rules = make_rules({"when": when}, define={"good": {"any": [VIP, GOLD]}})

    facts: dict[str, FactValue] = {"caller.vip": True, "call.internal": False, "caller.id": "c"}
    [rule] = rules.trace(facts, NOW).document()["rules"]

    assert rule["verdict"] == "true"
    assert rule["when"]["all"][0]["any"][0]["pointer"] == "/define/good/any/0"
    assert rules.selection.contact_columns == {"tier"}
    assert rules.decide({**facts, "caller.vip": False}, NOW).rule is None


@settings(max_examples=60, deadline=None)
@given(any_condition(), any_facts())
def test_a_name_changes_nothing(condition: dict[str, object], facts: dict[str, FactValue]) -> None:
    """Whatever the condition, by its name or within a name of a name it decides the same."""
    plain = make_rules({"when": {"not": condition}})
    named = make_rules({"when": {"not": {"defined": "b"}}}, define={"a": condition, "b": {"defined": "a"}})

    assert named.decide(facts, NOW) == plain.decide(facts, NOW)


@pytest.mark.parametrize(
    ("define", "found"),
    [
        ({"god": VIP}, [("unknown-condition", "/rules/0/when")]),
        ({"good": GOOD}, [("circular-condition", "/define/good")]),
        ({"good": {"not": {"defined": "b"}}, "b": {"all": [GOOD]}}, [("circular-condition", "/define/good")]),
        ({"good": {"all": [{"defined": "x"}]}}, [("unknown-condition", "/define/good")]),
        ({"good": {"fact": "caller.vipp", "op": "exists"}}, [("unknown-fact", "/define/good/fact")]),
        ({"good": {"any": [{"all": [VIP] * 2}] * 5001}}, [("too-large", "/rules")]),
    ],
)
def test_names_that_mean_nothing(define: dict[str, object], found: list[tuple[str, str]]) -> None:
    """A name that is not defined, or that is defined by itself, is refused with its place."""
    assert refuse(make_document({"when": GOOD}, define=define)) == found


def test_definitions_that_grow_are_measured_before_they_are_spread_out() -> None:
    """Thirty names, each twice the one before, are refused at once."""
    doubled = {f"d{n}": {"all": [{"defined": f"d{n - 1}"}] * 2} for n in range(1, 31)}

    found = refuse(make_document({"when": {"defined": "d30"}}, define={"d0": VIP, **doubled}))

    assert found == [("too-deep", "/rules/0/when"), ("too-large", "/rules")]


def test_lint_looks_into_definitions() -> None:
    """What is wrong with a named condition is found once, where it is defined; so is one that nothing uses."""
    document = make_document(
        {"when": GOOD},
        {"when": {"all": [GOOD, leaf("call.internal", "is", True)]}},
        define={"good": leaf("caller.vip", "is", "yes"), "idle": VIP},
    )

    assert lint(read_ruleset(document)) == [
        ("wrong-type", "/define/good/value"),
        ("unused-condition", "/define/idle"),
        ("shadowed-rule", "/rules/1"),
    ]


def test_definitions_are_written_and_compared() -> None:
    """A document with names stays as it was written, and a change of a definition is one of a condition."""
    document = make_document({"when": GOOD}, define={"good": VIP}, time_zone="Europe/Helsinki")
    old, new = read_ruleset(document), read_ruleset({**document, "define": {"good": GOLD}})

    assert ruleset_document(old) == document
    assert [(change.kind, change.part, change.id, change.pointer) for change in diff_rulesets(old, new)] == [
        ("changed", "condition", "good", "/define/good/fact"),
        ("changed", "condition", "good", "/define/good/value"),
    ]


def decide_many(then: dict[str, object]) -> Counter[str | None]:
    """Count where a thousand callers go."""
    rules = make_rules({"then": then}, destinations=PLACES)
    found = (rules.decide({"call.caller": f"+35840{number:07}"}, NOW).target for number in range(1000))
    return Counter(None if target is None else target.name for target in found)


def test_every_caller_goes_to_one_of_the_destinations() -> None:
    """Weights share out all callers, about as they say, and the same caller always goes to the same place."""
    counts = decide_many(SPLIT)

    assert counts == decide_many(SPLIT)
    assert sum(counts.values()) == 1000
    assert [name for name, weight in SPLIT["split"].items() if abs(counts[name] - 10 * weight) > 50] == []


def test_weights_may_be_any_numbers() -> None:
    """Weights need no sum of a hundred, and a weight of none is nobody's."""
    assert set(decide_many({"split": {"a": 2, "b": 0, "c": 1}})) == {"a", "c"}


def test_split_goes_with_agents_and_fallback() -> None:
    """What else an action says holds for every destination of a split."""
    then = {**SPLIT, "on_fail": "a", "preferred_agents": ["caller.owner_agent"]}
    rules = make_rules({"then": then}, destinations=PLACES)

    decision = rules.decide({"call.caller": "+358501234567", "caller.owner_agent": "agent-1"}, NOW)

    assert decision.target is not None
    assert decision.target.name in SPLIT["split"]
    assert (decision.fail_target and decision.fail_target.name, decision.preferred_agents) == ("a", ("agent-1",))


@pytest.mark.parametrize(
    ("then", "found"),
    [
        ({"split": {"a": 1}}, [("too-short", "/rules/0/then/split")]),
        ({"split": {"a": -1, "b": 2}}, [("greater-than-equal", "/rules/0/then/split/a")]),
        ({"split": {"a": 0.5, "b": 1}}, [("int-type", "/rules/0/then/split/a")]),
        ({"split": {"a": 1, "b": 1}, "redirect": "a"}, [("not-one-action", "/rules/0/then")]),
    ],
)
def test_split_that_is_none(then: dict[str, object], found: list[tuple[str, str]]) -> None:
    """A split has two destinations or more, with whole weights, and is the one choice of its action."""
    assert refuse(make_document({"then": then}, destinations=PLACES)) == found


def test_lint_of_splits_and_shares() -> None:
    """Destinations of a split must exist, some weight must be, and shares of shares are told from a split."""
    missing = read_ruleset(make_document({"then": {"split": {"a": 1, "x": 1}}}, destinations=PLACES))
    nothing = read_ruleset(make_document({"then": {"split": {"a": 0, "b": 0}}}, destinations=PLACES))
    shares = [
        {"when": VIP, "share": share, "then": {"redirect": name}} for name, share in (("a", 50), ("b", 35), ("c", 15))
    ]

    assert lint(missing) == [("unknown-destination", "/rules/0/then/split/x")]
    assert lint(nothing) == [("no-share", "/rules/0/then/split")]
    [finding] = lint_ruleset(read_ruleset(make_document(*shares, destinations=PLACES)), ResponseProfile())
    assert (finding.code, finding.pointer, finding.severity) == ("shares-of-shares", "/rules/0/share", "warning")
    assert "28%" in finding.message


def test_split_between_queues_may_be_a_loop() -> None:
    """Every destination of a split is walked when loops are looked for."""
    rules = [
        {"when": leaf("call.queue_id", "is", f"id-{here}"), "then": then}
        for here, then in (("a", {"split": {"b": 1, "c": 1}}), ("c", {"redirect": "a"}))
    ]

    assert lint(read_ruleset(make_document(*rules, destinations=PLACES))) == [("redirect-loop", "/rules/0/then/split")]
