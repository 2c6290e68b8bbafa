"""The trace: every rule, every condition, and why it was so."""

import pytest

from app.routing.callers import Cause
from app.routing.facts import FactValue, Unknown
from tests.routing.examples import NOW, leaf, make_rules

SLOW = Unknown(Cause.TIMEOUT, "Dataverse timed out at 1.2 s")


def test_whole_trace() -> None:
    """Rules and conditions are shown as they are written, with what was expected and what was found."""
    rules = make_rules(
        {
            "name": "VIP rule",
            "when": {"all": [leaf("caller.vip", "is", True), {"not": leaf("call.target_id", "in", ["A", "B"])}]},
        },
        {"when": {"any": [leaf("call.target_id", "is", "A"), leaf("call.internal", "is", True)]}},
    )
    facts = {"caller.vip": SLOW, "call.target_id": "A", "call.internal": False}

    assert rules.trace(facts, NOW).document() == {
        "revision": 7,
        "decision": {
            "outcome": "redirect",
            "rule": "r1",
            "redirect": "vip",
            "target": {"kind": "queue", "id": "vip-id", "name": "vip"},
        },
        "rules": [
            {
                "id": "r0",
                "name": "VIP rule",
                "position": 0,
                "verdict": "false",
                "decided": False,
                "when": {
                    "all": [
                        {
                            "fact": "caller.vip",
                            "op": "is",
                            "expected": True,
                            "actual": None,
                            "verdict": "unknown",
                            "cause": "timeout",
                            "detail": "Dataverse timed out at 1.2 s",
                            "pointer": "/rules/0/when/all/0",
                        },
                        {
                            "not": {
                                "fact": "call.target_id",
                                "op": "in",
                                "expected": ["A", "B"],
                                "actual": "A",
                                "verdict": "true",
                                "cause": None,
                                "detail": "",
                                "pointer": "/rules/0/when/all/1/not",
                            },
                            "verdict": "false",
                        },
                    ],
                    "verdict": "false",
                },
            },
            {
                "id": "r1",
                "name": "",
                "position": 1,
                "verdict": "true",
                "decided": True,
                "when": {
                    "all": [
                        {
                            "any": [
                                {
                                    "fact": "call.target_id",
                                    "op": "is",
                                    "expected": "A",
                                    "actual": "A",
                                    "verdict": "true",
                                    "cause": None,
                                    "detail": "",
                                    "pointer": "/rules/1/when/any/0",
                                },
                                {
                                    "fact": "call.internal",
                                    "op": "is",
                                    "expected": True,
                                    "actual": False,
                                    "verdict": "false",
                                    "cause": None,
                                    "detail": "",
                                    "pointer": "/rules/1/when/any/1",
                                },
                            ],
                            "verdict": "true",
                        }
                    ],
                    "verdict": "true",
                },
            },
        ],
        "near_misses": [],
    }


def test_implied_conditions_are_shown() -> None:
    """Being enabled, validity, share and needed agents stand in the trace like any condition."""
    rules = make_rules(
        {
            "enabled": False,
            "valid_from": "2026-03-05T00:00:00Z",
            "valid_until": "2026-03-06T00:00:00Z",
            "share": 10,
            "then": {"redirect_to_agent": "caller.owner_agent", "required_agent": "call.user_id"},
        }
    )

    checks = rules.trace({"caller.owner_agent": SLOW, "call.caller": "+358501"}, NOW).document()["rules"][0]["when"][
        "all"
    ]

    told = [(check["fact"], check["op"], check["expected"], check["actual"], check["verdict"]) for check in checks]
    assert told == [
        ("rule.enabled", "is", True, False, "false"),
        ("time.now", "gte", "2026-03-05T00:00:00+00:00", "2026-03-04T10:00:00+00:00", "false"),
        ("time.now", "lt", "2026-03-06T00:00:00+00:00", "2026-03-04T10:00:00+00:00", "true"),
        ("rule.share", "lt", 10, checks[3]["actual"], checks[3]["verdict"]),
        ("caller.owner_agent", "exists", None, None, "unknown"),
        ("call.user_id", "exists", None, None, "false"),
    ]
    assert 0 <= checks[3]["actual"] < 100
    assert [check["pointer"] for check in checks] == [
        "/rules/0/enabled",
        "/rules/0/valid_from",
        "/rules/0/valid_until",
        "/rules/0/share",
        "/rules/0/then/redirect_to_agent",
        "/rules/0/then/required_agent",
    ]


@pytest.mark.parametrize(
    ("rule", "facts", "explanation"),
    [
        (
            {"when": leaf("caller.vip", "is", True)},
            {"caller.vip": SLOW},
            "caller.vip is unknown: Dataverse timed out at 1.2 s",
        ),
        (
            {"when": leaf("caller.vip", "is", True)},
            {"caller.vip": Unknown(Cause.AMBIGUOUS)},
            "caller.vip is unknown: ambiguous",
        ),
        ({"when": leaf("caller.vip", "is", True)}, {"caller.vip": False}, "caller.vip is false and must be true"),
        (
            {"when": leaf("call.target_id", "in", ["A", "B"])},
            {"call.target_id": "C"},
            'call.target_id is "C" and must be one of ["A", "B"]',
        ),
        ({"when": leaf("call.target_id", "is", "A")}, {"call.target_id": None}, "call.target_id has no value"),
        ({"when": leaf("caller.name", "is", "Ann")}, {"caller.name": "Bob"}, "caller.name has another value"),
        (
            {"when": {"not": leaf("caller.name", "is", "Ann")}},
            {"caller.name": "Ann"},
            "caller.name has an excluded value",
        ),
        (
            {"when": {"not": leaf("caller.matches", "gt", 1)}},
            {"caller.matches": 2},
            "caller.matches is 2, which is excluded",
        ),
        ({"when": leaf("caller.vip", "is_unknown")}, {"caller.vip": True}, "caller.vip is known"),
        (
            {"when": {"not": leaf("call.id", "exists")}},
            {"call.id": "x" * 100},
            f'call.id is "{"x" * 79}…',
        ),
        ({"enabled": False}, {}, "it is disabled"),
        ({"valid_from": "2027-01-01T00:00:00Z"}, {}, "it is valid from 2027-01-01T00:00:00+00:00"),
        ({"valid_until": "2026-01-01T00:00:00Z"}, {}, "it is valid until 2026-01-01T00:00:00+00:00"),
        ({"share": 0}, {}, "the caller is outside its share of 0 %"),
        (
            {"then": {"redirect_to_agent": "caller.owner_agent"}},
            {"caller.owner_agent": None},
            "caller.owner_agent has no value",
        ),
    ],
)
def test_near_miss_says_what_was_missing(
    rule: dict[str, object], facts: dict[str, FactValue], explanation: str
) -> None:
    """A rule that one condition kept from matching is named with that condition, and nothing personal."""
    [miss] = make_rules({"name": "The rule", **rule}).trace(facts, NOW).near_misses

    assert miss.explanation == f'"The rule" would have matched, but {explanation}.'


def test_near_miss_has_place_and_cause() -> None:
    """The condition can be found in the ruleset, and the cause be counted."""
    rules = make_rules({"when": {"all": [leaf("caller.vip", "is", True), leaf("caller.matches", "is", 1)]}})

    [miss] = rules.trace({"caller.vip": SLOW, "caller.matches": 1}, NOW).near_misses
    [other] = rules.trace({"caller.vip": True, "caller.matches": 2}, NOW).near_misses

    assert (miss.rule, miss.pointer, miss.cause) == ("r0", "/rules/0/when/all/0", "timeout")
    assert (other.pointer, other.cause) == ("/rules/0/when/all/1", None)


def test_rules_that_miss_by_more_are_no_near_misses() -> None:
    """Two failing conditions, two ways to match, or a place behind the deciding rule make no near miss."""
    wrong = [leaf("caller.vip", "is", True), leaf("caller.matches", "is", 1)]
    rules = make_rules(
        {"when": {"all": wrong}}, {"when": {"any": wrong}}, {"when": {"any": []}}, {}, {"when": wrong[0]}
    )

    trace = rules.trace({"caller.vip": False, "caller.matches": 2}, NOW)

    assert (trace.position, trace.near_misses) == (3, ())


def test_one_rule_explained() -> None:
    """A rule that did not decide is explained by its failures, or by the rule before it."""
    wrong = [leaf("caller.vip", "is", True), leaf("caller.matches", "is", 1)]
    trace = make_rules({"when": {"all": wrong}}, {}, {}).trace({"caller.vip": False, "caller.matches": 2}, NOW)

    assert trace.explain_rule("r0") == "caller.vip is false and must be true; caller.matches is 2 and must be 1"
    assert trace.explain_rule("r1") == ""
    assert trace.explain_rule("r2") == '"r1" comes first'
    assert trace.explain_rule("nowhere") == ""
