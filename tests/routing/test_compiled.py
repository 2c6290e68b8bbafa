"""What a compiled ruleset decides."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.errors import InvalidInputError
from app.routing.callers import Caller, CallerStatus, Cause, Selection
from app.routing.compiled import compile_ruleset
from app.routing.compiled_rule import locate_caller
from app.routing.decisions import Decision, Destination, DestinationKind, Message, Outcome
from app.routing.facts import FactValue, Unknown
from app.routing.ruleset import Ruleset, read_ruleset
from tests.routing.examples import DESTINATIONS, NOW, leaf, make_call, make_document, make_rules

VIP = Destination(DestinationKind.QUEUE, "vip-id", "vip", "VIP service")
OUT = Destination(DestinationKind.NUMBER, "+358401234567", "out")
SLOW = Unknown(Cause.TIMEOUT, "Dataverse timed out at 1.2 s")
TIER, NAME, CASES, LOCAL = "caller.columns.tier", "caller.name", "caller.open_cases", "time.local"


def judge(condition: dict[str, object], **facts: FactValue) -> str:
    """Return the verdict on a condition."""
    named = {name.replace("__", "."): value for name, value in facts.items()}
    trace = make_rules({"when": condition}).trace(named, NOW)
    return str(trace.document()["rules"][0]["verdict"])


@pytest.mark.parametrize(
    ("fact", "op", "value", "actual", "verdict"),
    [
        (TIER, "is", "Gold", " gOLD ", "true"),
        (TIER, "is", "Straße", "STRASSE", "true"),
        (TIER, "is", "gold", None, "false"),
        (TIER, "is", 1, "1", "false"),
        (TIER, "is", 1, 1.0, "true"),
        (TIER, "is", 1, True, "false"),
        (TIER, "is", True, 1, "false"),
        (TIER, "is", True, True, "true"),
        (TIER, "is_not", "gold", "silver", "true"),
        (TIER, "is_not", "gold", "Gold", "false"),
        (TIER, "is_not", "gold", None, "true"),
        (TIER, "in", ["gold", 2, True], 2, "true"),
        (TIER, "in", ["gold", 2], "silver", "false"),
        (TIER, "not_in", ["gold"], "silver", "true"),
        (TIER, "not_in", ["gold"], "GOLD", "false"),
        (CASES, "lt", 3, 2, "true"),
        (CASES, "lt", 3, 3, "false"),
        (CASES, "lte", 3, 3, "true"),
        (CASES, "gt", 3, 3.5, "true"),
        (CASES, "gte", 3, 3, "true"),
        (CASES, "gte", 3, None, "false"),
        (TIER, "gt", 3, "5", "false"),
        (TIER, "gt", "3", 5, "false"),
        (TIER, "gt", 0, True, "false"),
        (TIER, "gt", True, True, "false"),
        (CASES, "between", [1, 3], 3, "true"),
        (CASES, "between", [1, 3], 4, "false"),
        (CASES, "between", [3, 1], 2, "false"),
        (TIER, "between", [1, "b"], 2, "false"),
        (TIER, "between", ["a", 1], "a", "false"),
        (TIER, "between", ["a", "b"], 1, "false"),
        (LOCAL, "between", ["08:00", "16:00"], "16:00", "true"),
        (LOCAL, "between", ["08:00", "16:00"], "16:01", "false"),
        (LOCAL, "between", ["22:00", "06:00"], "23:30", "true"),
        (LOCAL, "between", ["22:00", "06:00"], "06:00", "true"),
        (LOCAL, "between", ["22:00", "06:00"], "12:00", "false"),
        (NAME, "starts_with", "ex", "Example Ltd", "true"),
        (NAME, "starts_with", "ltd", "Example Ltd", "false"),
        (NAME, "ends_with", "LTD", "Example Ltd", "true"),
        (NAME, "contains", "ample", "Example Ltd", "true"),
        (NAME, "contains", "ample", None, "false"),
        (TIER, "contains", "1", 1, "false"),
        (TIER, "contains", 1, "1", "true"),
        (NAME, "exists", None, "Ann", "true"),
        (NAME, "exists", None, " ", "false"),
        (NAME, "exists", None, None, "false"),
        (TIER, "exists", None, False, "true"),
        (NAME, "is_unknown", None, "Ann", "false"),
        (NAME, "is_unknown", None, None, "false"),
        (NAME, "is_unknown", None, SLOW, "true"),
        *((NAME, op, "a", SLOW, "unknown") for op in ("is", "is_not", "lt", "starts_with", "contains")),
        (NAME, "exists", None, SLOW, "unknown"),
        (NAME, "in", ["a"], SLOW, "unknown"),
        (CASES, "between", [1, 2], SLOW, "unknown"),
    ],
)
def test_operators(fact: str, op: str, value: object, actual: FactValue, verdict: str) -> None:
    """Every operator says true, false or unknown, and never raises."""
    assert judge(leaf(fact, op, value), **{fact.replace(".", "__"): actual}) == verdict


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ({"all": []}, "true"),
        ({"any": []}, "false"),
        ({"not": {"all": []}}, "false"),
        ({"all": [leaf("caller.vip", "is", True), leaf(CASES, "gt", 1)]}, "unknown"),
        ({"all": [leaf("caller.vip", "is", True), leaf(CASES, "gt", 5)]}, "false"),
        ({"any": [leaf("caller.vip", "is", True), leaf(CASES, "gt", 5)]}, "unknown"),
        ({"any": [leaf("caller.vip", "is", True), leaf(CASES, "gt", 1)]}, "true"),
        ({"not": leaf("caller.vip", "is", True)}, "unknown"),
        ({"not": {"not": leaf(CASES, "gt", 1)}}, "true"),
    ],
)
def test_joined_conditions(condition: dict[str, object], verdict: str) -> None:
    """Unknown parts decide a whole only when the known ones do not."""
    assert judge(condition, caller__vip=SLOW, caller__open_cases=2) == verdict


def test_first_match_wins() -> None:
    """The first rule that is true decides, though later ones are true too."""
    rules = make_rules({"when": leaf(CASES, "gt", 5)}, {"when": leaf(CASES, "gt", 1)}, {})

    assert rules.decide({CASES: 2}, NOW).rule == "r1"


def test_no_rule_changes_nothing() -> None:
    """When no rule matches, or there is none, the call stays where it is."""
    nothing = Decision(outcome=Outcome.NO_CHANGE, reason="no rule matched")

    assert make_rules({"when": {"any": []}}).decide({}, NOW) == nothing
    assert compile_ruleset(Ruleset(), revision=None).decide({}, NOW) == nothing


def test_everything_an_action_says() -> None:
    """Destinations are resolved, agents read from their facts, the rest taken over."""
    rules = make_rules(
        {
            "then": {
                "redirect": "vip",
                "on_fail": "out",
                "required_agent": "caller.owner_agent",
                "preferred_agents": ["caller.owner_agent", TIER, "account.columns.deputy", "call.user_id"],
                "priority": 0,
                "extra_priority": 10,
                "messages": [{"culture": "en-GB", "text": "Hello."}],
            }
        }
    )
    facts = {"caller.owner_agent": " a1 ", TIER: "a2", "account.columns.deputy": SLOW, "call.user_id": True}

    assert rules.decide(facts, NOW) == Decision(
        outcome=Outcome.REDIRECT,
        rule="r0",
        target=VIP,
        fail_target=OUT,
        required_agent="a1",
        preferred_agents=("a1", "a2"),
        priority=0,
        extra_priority=10,
        messages=(Message("en-GB", "Hello."),),
    )


@pytest.mark.parametrize(
    ("then", "decision"),
    [
        ({"disconnect": True, "on_fail": "out"}, Decision(outcome=Outcome.DISCONNECT, rule="r0")),
        (
            {"no_change": True, "priority": 5, "preferred_agents": [TIER]},
            Decision(outcome=Outcome.NO_CHANGE, rule="r0"),
        ),
    ],
)
def test_actions_without_target(then: dict[str, object], decision: Decision) -> None:
    """Disconnecting has no fallback, and changing nothing has nothing."""
    assert make_rules({"then": then}).decide({TIER: "a"}, NOW) == decision


@pytest.mark.parametrize(
    ("agent", "target"),
    [("a1", "a1"), (17, "17"), ("", None), (None, None), (True, None), (SLOW, None)],
)
def test_redirect_to_agent_needs_one(agent: FactValue, target: str | None) -> None:
    """A rule that sends calls to an agent matches only when the fact holds one."""
    rules = make_rules({"then": {"redirect_to_agent": TIER}}, {"then": {"no_change": True}})

    decision = rules.decide({TIER: agent}, NOW)

    assert (decision.target and decision.target.id, decision.rule) == (target, "r0" if target else "r1")


def test_required_agent_needs_one() -> None:
    """A rule with a required agent matches only when the fact holds one."""
    rules = make_rules({"then": {"redirect": "vip", "required_agent": TIER}})

    assert rules.decide({TIER: None}, NOW).rule is None


def test_disabled_and_invalid_rules_are_passed_over() -> None:
    """A rule counts when it is enabled, from `valid_from` on and before `valid_until`."""
    limits = {"valid_from": "2026-03-04T12:00:00+02:00", "valid_until": "2026-03-04T13:00:00+02:00"}
    rules = make_rules({"enabled": False}, limits)

    decided = [rules.decide({}, NOW + seconds).rule for seconds in (-1, 0, 3599, 3600)]

    assert decided == [None, "r1", "r1", None]


def test_share_divides_callers_for_good() -> None:
    """About the share of callers matches; a caller always falls on the same side, whatever the call."""
    rules = make_rules({"share": 25})
    callers = [f"+35850{number:07}" for number in range(2000)]

    first = [rules.decide({"call.caller": caller, "call.id": "1"}, NOW).rule for caller in callers]
    again = [rules.decide({"call.caller": caller, "call.id": "2"}, NOW).rule for caller in callers]

    assert first == again
    assert 440 < sum(rule is not None for rule in first) < 560


def test_share_of_callers_without_number_follows_the_call() -> None:
    """Without a number the call's id divides; the place on the scale never changes between versions."""
    assert make_rules({"share": 100}).decide({"call.caller": None}, NOW).rule == "r0"
    assert make_rules({"share": 0}).decide({"call.caller": None, "call.id": "x"}, NOW).rule is None
    assert locate_caller("vip", "+358501234567", "1") == locate_caller("vip", "+358501234567", None) == 43.66
    assert locate_caller("vip", None, "1") == 78.96


@pytest.mark.parametrize("fact", ["call.target_id", "call.queue_id", "call.called"])
def test_rules_of_other_queues_are_passed_over(fact: str) -> None:
    """Rules bound to another queue or number do not decide, and keep their place among those that are not."""
    rules = make_rules(
        {"when": leaf(fact, "is", "B")},
        {"when": {"all": [leaf(fact, "in", ["A", "C"]), leaf("caller.vip", "is", True)]}},
        {"when": leaf("caller.vip", "is", False)},
        {"when": leaf(fact, "is", "a")},
        {"when": leaf("call.target_id", "is", "X")},
    )

    assert rules.decide({fact: "A", "caller.vip": True}, NOW).rule == "r1"
    assert rules.decide({fact: " a", "caller.vip": False}, NOW).rule == "r2"
    assert rules.decide({fact: "A", "caller.vip": None}, NOW).rule == "r3"
    assert rules.decide({fact: "D", "caller.vip": None}, NOW).rule is None
    assert rules.decide({fact: SLOW, "caller.vip": None}, NOW).rule is None


def test_what_a_look_up_must_bring() -> None:
    """Columns and counts follow from conditions and agents, also of disabled rules."""
    rules = make_rules(
        {"when": leaf(TIER, "is", "x"), "then": {"redirect_to_agent": "account.columns.deputy"}},
        {"when": leaf(CASES, "gt", 1), "enabled": False},
    )

    assert rules.selection == Selection(
        contact_columns=frozenset({"tier"}), account_columns=frozenset({"deputy"}), open_cases=True
    )
    assert rules.facts_used == {TIER, "account.columns.deputy", CASES}
    assert make_rules({}).selection == Selection()
    assert (rules.revision, [rule.id for rule in rules.ruleset.rules]) == (7, ["r0", "r1"])


def test_gathered_facts_are_complete() -> None:
    """What the rules read and nobody has is among the facts, so that the record shows it."""
    rules = make_rules({"when": leaf(TIER, "is", "x")})
    caller = Caller(status=CallerStatus.IDENTIFIED, id="c")

    facts = rules.gather(make_call(), caller, NOW)

    assert facts[TIER] == Unknown(Cause.NOT_FETCHED, "the column was not read with the record")
    assert facts["time.local"] == f"{datetime.fromtimestamp(NOW, UTC):%H:%M}"
    assert rules.gather(make_call(), replace(caller, columns={"tier": "x"}), NOW)[TIER] == "x"


def test_destinations_must_exist() -> None:
    """A rule that names no destination of the ruleset cannot be compiled."""
    document = make_document({"then": {"redirect": "vipp", "on_fail": "elsewhere"}}) | {"destinations": DESTINATIONS}

    with pytest.raises(InvalidInputError) as caught:
        compile_ruleset(read_ruleset(document), revision=None)

    assert [(finding.pointer, finding.hint) for finding in caught.value.findings] == [
        ("/rules/0/then/redirect", 'did you mean "vip"?'),
        ("/rules/0/then/on_fail", "add it to `destinations`"),
    ]
