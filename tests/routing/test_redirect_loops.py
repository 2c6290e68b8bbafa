"""Which rules may send calls in circles, and which calls really go round."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import Finding
from app.routing.callers import Caller, CallerStatus
from app.routing.calls import Call
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.facts import FactValue
from app.routing.lint import lint_ruleset
from app.routing.numbers import read_number
from app.routing.redirect_loops import CallFollower, find_loops
from app.routing.ruleset import Ruleset, read_ruleset
from app.routing.wire import ResponseProfile
from tests.routing.examples import NOW, leaf

IN_A = leaf("call.queue_id", "is", "A")
IN_B = leaf("call.queue_id", "in", ["b", "x"])
VIP = leaf("caller.vip", "is", True)
NOT_VIP = leaf("caller.vip", "is", False)
IN_C = leaf("call.queue_id", "is", "c")
Rules = tuple[str, dict[str, object] | None]


def _tag(*values: str) -> dict[str, object]:
    return leaf("call.target_id", "in", list(values))


def _read(*rules: Rules, **members: object) -> Ruleset:
    """Read rules given as target (empty: the call stays) and condition; `members` are members of the document."""
    document: dict[str, object] = {
        "destinations": {name: {"kind": "queue", "id": f"{name}", "label": name.upper()} for name in "abc"},
        "rules": [
            {"id": f"r{index}", "then": {"redirect": target} if target else {"no_change": True}}
            | ({} if when is None else {"when": when})
            for index, (target, when) in enumerate(rules)
        ],
    }
    return read_ruleset(document | members)


HINT = (
    "bind one of them to other queues with call.queue_id, or set `webhook` to false at the destination "
    "whose queue does not ask this service"
)


def _find(*rules: Rules, now: float | None = NOW, **members: object) -> list[Finding]:
    return list(find_loops(_read(*rules, **members), now))


def _name(findings: list[Finding]) -> list[tuple[str, ...]]:
    """Name the rules of each circle."""
    said = [finding.message.partition("by the rules ")[2] for finding in findings]
    return [tuple(text.replace('"', "").split(", ")) for text in said]


def _test(extra: dict[str, object], expect: object, **members: object) -> dict[str, object]:
    call = {"anum": "+358501234567", "extradata": extra}
    return {"name": "a VIP", "call": call, "caller": {"vip": True}, "expect": expect, **members}


def _lint(*rules: Rules, **members: object) -> list[Finding]:
    found = lint_ruleset(_read(*rules, **members), ResponseProfile(), now=NOW)
    return [finding for finding in found if finding.code == "redirect-loop"]


def test_two_scoped_rules_warn() -> None:
    """A sends to B and B sends to A: a warning that names rules and queues and tells two ways out."""
    assert _find(("b", {"all": [IN_A, VIP]}), ("a", IN_B)) == [
        Finding(
            code="redirect-loop",
            pointer="/rules/0/then/redirect",
            message='the same call can go in a circle, A -> B -> A, by the rules "r0", "r1"',
            hint=HINT,
            rule="r0",
            severity="warning",
        )
    ]


def test_stored_test_that_goes_round_refuses() -> None:
    """A stored test whose call is sent from A to B and back is an error, also where it passes."""
    tests = [_test({"CurrQueueId": "a"}, {"rule": "r0"})]

    [warning, error] = _lint(("b", {"all": [IN_A, VIP]}), ("a", IN_B), tests=tests)

    assert (warning.severity, warning.rule) == ("warning", "r0")
    assert error == Finding(
        code="redirect-loop",
        pointer="/tests/0",
        message='the call of test "a VIP" goes in a circle, A -> B -> A, by the rules "r0", "r1"',
        hint=HINT,
        rule="r0",
    )


@pytest.mark.parametrize(
    ("rules", "extra", "way"),
    [
        ([("b", IN_A), ("a", IN_B), ("a", VIP)], {}, "A -> B -> A"),
        ([("b", IN_A), ("c", IN_B), ("a", IN_C)], {"CurrQueueId": "C"}, "C -> A -> B -> C"),
        ([("a", leaf("call.queue_id", "is", "x")), ("b", IN_A), ("a", IN_B)], {"CurrQueueId": "x"}, "A -> B -> A"),
        ([("b", {"not": IN_B}), ("a", IN_B)], {"CurrQueueId": "b"}, "B -> A -> B"),
    ],
    ids=["a call of the older payload", "three queues", "into the circle from outside", "everybody"],
)
def test_calls_that_go_round(rules: list[Rules], extra: dict[str, object], way: str) -> None:
    """Circles of any length are found, wherever the call comes from."""
    errors = [finding for finding in _lint(*rules, tests=[_test(extra, {})]) if finding.severity == "error"]

    assert [finding.message.split(", ")[1] for finding in errors] == [way]


@pytest.mark.parametrize(
    ("rules", "members"),
    [
        ([("b", {"all": [IN_A, NOT_VIP]}), ("a", IN_B)], {}),
        ([("b", IN_A), ("c", IN_B)], {}),
        ([("", VIP), ("b", IN_A), ("a", IN_B)], {}),
        ([("b", {"all": [IN_A, _tag("SALES")]}), ("a", {"all": [IN_B, _tag("SALES")]})], {}),
        ([("b", IN_A), ("a", IN_B)], {"destinations": {n: {"kind": "queue", "id": n, "webhook": False} for n in "ab"}}),
        ([("b", IN_A), ("a", IN_B)], {"destinations": {n: {"kind": "user", "id": n} for n in "ab"}}),
    ],
    ids=[
        "a rule that is not for this caller",
        "no way back",
        "another rule comes first",
        "the next queue has a target id of its own, which nobody here knows",
        "queues that do not ask",
        "users are no queues",
    ],
)
def test_calls_that_come_to_rest(rules: list[Rules], members: dict[str, Any]) -> None:
    """A stored test whose call stays somewhere is no error."""
    tests = [_test({"CurrQueueId": "a", "DYN_PAR_Culture": "fi"}, {})]

    assert [finding for finding in _lint(*rules, tests=tests, **members) if finding.severity == "error"] == []


@pytest.mark.parametrize(
    "rules",
    [
        [("b", IN_A), ("a", None)],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, leaf("caller.columns.tier", "is", "gold")]})],
        [("b", {"any": [IN_A, VIP]}), ("a", IN_B)],
        [("b", {"not": {"any": [IN_B, IN_C]}}), ("a", {"not": IN_A})],
        [("b", {"all": [IN_A, leaf("caller.open_cases", "gt", 2)]}), ("a", leaf("caller.open_cases", "lt", 4))],
        [("b", _tag("SALES")), ("a", _tag("VIP"))],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, leaf("caller.status", "is", "unknown")]})],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, {"not": VIP}]})],
    ],
    ids=[
        "everything else goes back",
        "conditions on different facts",
        "a queue within any",
        "every queue but some",
        "three open cases",
        "target ids, which could be those of the queues",
        "nobody who is unknown is a VIP, which the walk does not know",
        "not within a condition, which the walk does not look into",
    ],
)
def test_circle(rules: list[Rules]) -> None:
    """Rules that could send the same call on in turn are warned of."""
    assert _name(_find(*rules)) == [("r0", "r1")]


def test_rules_that_come_first_do_not_hide_a_circle() -> None:
    """Rules for other callers, other queues and a share of callers leave enough calls to go round."""
    rules = [("", VIP), ("", leaf("call.withheld", "is", True)), ("c", IN_C), ("b", IN_A), ("a", IN_B)]

    assert _name(_find(*rules)) == [("r3", "r4")]


def test_circle_of_three() -> None:
    """Circles of any length are found, once."""
    assert _name(_find(("b", IN_A), ("c", IN_B), ("a", IN_C))) == [("r0", "r1", "r2")]


@pytest.mark.parametrize(
    "rules",
    [
        [("b", None), ("a", None)],
        [("a", None), ("b", IN_A)],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, NOT_VIP]})],
        [("a", IN_A), ("b", IN_B)],
        [("b", leaf("call.queue_id", "is_not", "a")), ("a", {"all": [IN_A, VIP]})],
        [
            ("b", {"any": [VIP, leaf("caller.columns.tier", "is", "gold")]}),
            ("a", leaf("caller.status", "is", "identified")),
        ],
        [("b", IN_A), ("c", IN_B)],
        [("b", {"all": [IN_A, leaf("caller.open_cases", "gt", 4)]}), ("a", leaf("caller.open_cases", "lt", 4))],
    ],
    ids=[
        "the first always decides",
        "the first does so in A too",
        "no caller meets both",
        "each keeps the call where it is",
        "the first does not hold in A",
        "the first decides in every queue",
        "no way back",
        "no number is above and below",
    ],
)
def test_no_circle(rules: list[Rules]) -> None:
    """Rules that cannot decide the same call in turn are no circle."""
    assert _find(*rules) == []


@pytest.mark.parametrize(
    ("member", "value", "found"),
    [
        ("enabled", False, 0),
        ("share", 0, 0),
        ("share", 5, 1),
        ("valid_until", "2026-01-01T00:00:00Z", 0),
        ("valid_from", "2027-01-01T00:00:00Z", 1),
    ],
)
def test_rules_that_do_not_count(member: str, value: object, found: int) -> None:
    """A rule that is disabled, over, or nobody's, leads nowhere; one that comes into force, or is for some, does."""
    ruleset = _read(("b", IN_A), ("a", IN_B))
    first = {"id": "r0", "when": IN_A, "then": {"redirect": "b"}, member: value}
    other = ruleset.rules[1].model_dump(mode="json", by_alias=True, exclude_unset=True)

    assert len(_find(rules=[first, other])) == found


def test_queue_without_webhook_ends_the_way() -> None:
    """A destination that says its queue does not ask this service is part of no circle."""
    destinations = {name: {"kind": "queue", "id": name, "webhook": name != "b"} for name in "abc"}

    assert _find(("b", IN_A), ("a", IN_B), destinations=destinations) == []


def test_many_loops_are_told_in_part() -> None:
    """Of many loops the first 20 are told."""
    rules = [("abc"[index % 3], {"all": [IN_A if index % 2 else IN_B, VIP]}) for index in range(300)]

    assert [finding.code for finding in _find(*rules)] == ["redirect-loop"] * 20


def test_many_rules_end_in_time() -> None:
    """Thousands of rules between the same queues end after a bounded number of steps, and say so."""
    rules = [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, NOT_VIP]})]

    assert [finding.code for finding in _find(*rules * 1500)] == ["redirect-loops-unchecked"]


_PARTS = st.sampled_from(
    [
        IN_A,
        IN_B,
        IN_C,
        VIP,
        NOT_VIP,
        leaf("call.queue_id", "not_in", ["a", "c"]),
        leaf("caller.status", "is", "unknown"),
        leaf("caller.status", "in", ["identified", "unavailable"]),
        leaf("caller.vip", "exists"),
        leaf("caller.vip", "is_unknown"),
        leaf("call.culture", "is_not", "fi-FI"),
        leaf("call.culture", "starts_with", "fi"),
        leaf("time.weekday", "in", ["sat", "sun"]),
        leaf("time.local", "lt", "12:00"),
    ]
)
_CONDITIONS = st.recursive(
    _PARTS,
    lambda parts: st.one_of(
        st.builds(lambda several: {"all": several}, st.lists(parts, max_size=3)),
        st.builds(lambda several: {"any": several}, st.lists(parts, max_size=3)),
        st.builds(lambda one: {"not": one}, parts),
    ),
    max_leaves=6,
)
_RULES = st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), _CONDITIONS), min_size=2, max_size=5)


@settings(max_examples=50, deadline=None)
@given(_RULES)
def test_every_call_that_goes_round_is_found(rules: list[Rules]) -> None:
    """A call is followed as the queues would send it; and where one goes round, the walk has warned of its rules."""
    ruleset = _read(*rules)
    compiled = compile_ruleset(ruleset, revision=None)
    follower = CallFollower(compiled)
    warned = {frozenset(names) for names in _name(list(find_loops(ruleset, NOW)))}

    for facts, queue in product(_list_facts(compiled), "abc"):
        start = {**facts, "call.queue_id": queue}
        loop = follower.find_loop(start, NOW)
        assert bool(loop) == _goes_round(compiled, start)
        if loop:
            assert frozenset(decision.rule for decision in loop) in warned


def _list_facts(compiled: CompiledRuleset) -> list[dict[str, FactValue]]:
    times = [datetime(2026, 3, day, hour, tzinfo=UTC).timestamp() for day, hour in ((4, 10), (4, 14), (7, 10), (7, 14))]
    found = []
    for status, vip, culture, at in product(CallerStatus, (True, False, None), ("fi-FI", "fi", "sv", None), times):
        caller = Caller(status=status, vip=vip)
        if vip is not None or status is CallerStatus.AMBIGUOUS:
            number = read_number(None if status is CallerStatus.WITHHELD else "+358501234567", "FI")
            call = Call(caller=number, called=read_number("", "FI"))
            found.append({**compiled.gather(call, caller, at), "call.culture": culture})
    return found


def _goes_round(compiled: CompiledRuleset, facts: dict[str, FactValue]) -> bool:
    here = facts["call.queue_id"]
    for _ in range(10):
        decision = compiled.decide({**facts, "call.queue_id": here}, NOW)
        there = here if decision.target is None else decision.target.id
        if there == here:
            return False
        here = there
    return True
