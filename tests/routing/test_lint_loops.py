"""Which rules send calls in circles, and which only look so."""

from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import Finding
from app.routing.callers import Caller, CallerStatus
from app.routing.calls import Call
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.facts import FactValue
from app.routing.lint_loops import find_loop_faults, list_loops
from app.routing.numbers import read_number
from app.routing.ruleset import Ruleset, read_ruleset
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


def _find(*rules: Rules, now: float | None = NOW, **members: object) -> list[Finding]:
    return list(find_loop_faults(_read(*rules, **members), now))


def _name(findings: list[Finding]) -> list[tuple[str, ...]]:
    """Name the rules of each circle, and whether it refuses."""
    said = [finding.message.partition("by the rules ")[2].partition(", for example")[0] for finding in findings]
    return [
        (finding.severity, *text.replace('"', "").split(", ")) for finding, text in zip(findings, said, strict=True)
    ]


def test_two_scoped_rules() -> None:
    """A sends to B and B sends to A: an error that names rules and queues and tells two ways out."""
    assert _find(("b", {"all": [IN_A, VIP]}), ("a", IN_B)) == [
        Finding(
            code="redirect-loop",
            pointer="/rules/0/then/redirect",
            message='the same call goes in a circle, A -> B -> A, by the rules "r0", "r1", '
            "for example when caller.vip is true",
            hint="bind one of them to other queues with call.queue_id, or set `webhook` to false at the destination "
            "whose queue does not ask this service",
            rule="r0",
        )
    ]


@pytest.mark.parametrize(
    "rules",
    [
        [("b", IN_A), ("a", None)],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, leaf("caller.columns.tier", "is", "gold")]})],
        [("b", {"any": [IN_A, VIP]}), ("a", IN_B)],
        [("b", {"not": {"any": [IN_B, IN_C]}}), ("a", {"not": IN_A})],
        [("b", {"all": [IN_A, leaf("time.open", "is", False)]}), ("a", IN_B)],
        [("b", {"all": [IN_A, leaf("call.caller", "starts_with", "+358")]}), ("a", IN_B)],
        [("b", {"all": [IN_A, leaf("caller.vip", "is_unknown")]}), ("a", IN_B)],
        [("b", {"all": [IN_A, leaf("caller.open_cases", "gt", 2)]}), ("a", leaf("caller.open_cases", "lt", 4))],
        [("b", _tag("A")), ("a", _tag("b"))],
    ],
    ids=[
        "everything else goes back",
        "conditions on different facts",
        "a queue within any",
        "every queue but some",
        "when it is closed",
        "numbers that begin alike",
        "the CRM is silent",
        "three open cases",
        "target ids that are the names of the queues",
    ],
)
def test_circle(rules: list[Rules]) -> None:
    """Rules that can decide the same call in turn are refused."""
    office = {"time_zone": "Europe/Helsinki", "weekly": {"mon": ["08:00-16:00"]}}
    assert _name(_find(*rules, calendars={"office": office})) == [("error", "r0", "r1")]


def test_rules_that_come_first_do_not_hide_a_circle() -> None:
    """Rules for other callers, other queues and a share of callers leave enough calls to go round."""
    rules = [("", VIP), ("", leaf("call.withheld", "is", True)), ("c", IN_C), ("b", IN_A), ("a", IN_B)]

    assert _name(_find(*rules)) == [("error", "r3", "r4")]


def test_circle_of_three() -> None:
    """Circles of any length are found, once."""
    assert _name(_find(("b", IN_A), ("c", IN_B), ("a", IN_C))) == [("error", "r0", "r1", "r2")]


def test_tags_of_different_queues() -> None:
    """Rules for target ids that could be those of the two queues only warn, because nobody knows."""
    assert _name(_find(("b", _tag("SALES")), ("a", _tag("VIP")))) == [("warning", "r0", "r1")]


@pytest.mark.parametrize(
    "rules",
    [
        [("b", None), ("a", None)],
        [("a", None), ("b", IN_A)],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, NOT_VIP]})],
        [("a", IN_A), ("b", IN_B)],
        [("b", _tag("SALES")), ("a", {"all": [_tag("SALES"), VIP]})],
        [("b", leaf("call.queue_id", "is_not", "a")), ("a", {"all": [IN_A, VIP]})],
        [("b", IN_A), ("c", IN_B)],
        [("", VIP), ("", NOT_VIP), ("", leaf("caller.vip", "is_unknown")), ("b", IN_A), ("a", IN_B)],
        [("b", {"all": [IN_A, VIP]}), ("a", {"all": [IN_B, leaf("caller.status", "is", "unknown")]})],
        [("b", {"all": [IN_A, leaf("caller.open_cases", "gt", 4)]}), ("a", leaf("caller.open_cases", "lt", 4))],
        [
            ("b", {"all": [IN_A, leaf("time.open", "is", True)]}),
            ("a", {"all": [IN_B, leaf("time.weekday", "is", "sun")]}),
        ],
        [("b", {"all": [IN_A, leaf("call.withheld", "is", True)]}), ("a", {"all": [IN_B, VIP]})],
    ],
    ids=[
        "the first always decides",
        "the first keeps the call in A",
        "no caller meets both",
        "each keeps the call where it is",
        "the same target id, so the first decides",
        "the first does not hold in A",
        "no way back",
        "other rules take every caller",
        "nobody who is unknown is a VIP",
        "no number is above and below",
        "it is never open on Sundays",
        "a hidden number is nobody's",
    ],
)
def test_no_circle(rules: list[Rules]) -> None:
    """Rules that cannot decide the same call in turn are no circle."""
    office = {"time_zone": "Europe/Helsinki", "weekly": {"mon": ["08:00-16:00"]}}
    assert _find(*rules, calendars={"office": office}) == []


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


def test_rules_never_valid_together() -> None:
    """Rules of which one ends before the other begins send no call round."""
    first = {"id": "r0", "when": IN_A, "then": {"redirect": "b"}, "valid_until": "2026-06-01T00:00:00Z"}
    other = {"id": "r1", "when": IN_B, "then": {"redirect": "a"}, "valid_from": "2026-06-01T00:00:00Z"}

    assert _find(rules=[first, other]) == []


def test_queue_without_webhook_ends_the_way() -> None:
    """A destination that says its queue does not ask this service is part of no circle."""
    destinations = {name: {"kind": "queue", "id": name, "webhook": name != "b"} for name in "abc"}

    assert _find(("b", IN_A), ("a", IN_B), destinations=destinations) == []


def test_nothing_personal_is_told() -> None:
    """The example of a circling call leaves out what may tell who somebody is."""
    [finding] = _find(("b", {"all": [IN_A, leaf("caller.name", "is", "Aino")]}), ("a", IN_B))

    assert finding.message.endswith('by the rules "r0", "r1"')


def test_many_rules_end_in_time() -> None:
    """Thousands of rules between the same queues end after a bounded number of steps, and say so."""
    rules = [("abc"[index % 3], {"all": [IN_A if index % 2 else IN_B, VIP]}) for index in range(3000)]

    found = _find(*rules)

    assert len(found) <= 20
    assert found[-1].code == "redirect-loops-unchecked"


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


@settings(max_examples=100, deadline=None)
@example(
    [("b", {"any": [IN_A, NOT_VIP, leaf("caller.status", "is", "identified")]}), ("a", leaf("caller.vip", "exists"))]
)
@given(_RULES)
def test_refused_is_what_really_goes_round(rules: list[Rules]) -> None:
    """With the example of each circle its rules decide, queue by queue; and every call that goes round is found."""
    ruleset = _read(*rules)
    compiled = compile_ruleset(ruleset, revision=None)
    loops = list(list_loops(ruleset, NOW))

    for loop in loops:
        here = loop.path[-1].target
        for way in loop.path:
            decision = compiled.decide({**loop.witness, "call.queue_id": here}, NOW)
            assert decision.target is not None
            assert (decision.rule, decision.target.id) == (way.rule.id, way.target)
            here = way.target
    assert bool(loops) == any(_goes_round(compiled, facts) for facts in _list_facts(compiled))


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
    for start in "abc":
        seen, here = [], start
        while here not in seen:
            seen.append(here)
            decision = compiled.decide({**facts, "call.queue_id": here}, NOW)
            target = decision.target
            here = here if target is None else target.id
        if here != seen[-1]:
            return True
    return False
