"""What holds for every ruleset and every call."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from app.routing.callers import Caller, CallerStatus
from app.routing.decisions import Outcome
from app.routing.evaluation import FALSE, TRUE, UNKNOWN, all_of, any_of, not_of
from app.routing.facts import FactValue, decode_facts, encode_facts
from app.routing.rule_data import RuleData
from app.routing.wire import FieldSpelling, ResponseProfile, Shape, decision_document, encode_decision
from tests.routing.examples import NOW, OFFICES, any_data, any_facts, any_rule, make_call, make_rules

VERDICTS = st.sampled_from([TRUE, UNKNOWN, FALSE])
RULES = st.lists(any_rule(), min_size=1, max_size=4)
CALM = settings(max_examples=40, deadline=None)
PROFILE = ResponseProfile(fields={"preferred_agents": FieldSpelling("Agents", Shape.LIST)})


@CALM
@given(st.lists(VERDICTS, max_size=4))
def test_logic_is_kleenes(verdicts: list[int]) -> None:
    """`all` is the least verdict, `any` the greatest, and turning a verdict round twice changes nothing."""
    tests = [lambda _, verdict=verdict: verdict for verdict in verdicts]

    assert all_of(tests)(()) == min(verdicts, default=TRUE)
    assert any_of(tests)(()) == max(verdicts, default=FALSE)
    assert not_of(not_of(all_of(tests)))(()) == all_of(tests)(())
    assert not_of(all_of(tests))(()) == any_of([not_of(test) for test in tests])(())


@CALM
@given(RULES, any_facts())
def test_trace_agrees_with_decision(rules: list[dict[str, object]], facts: dict[str, FactValue]) -> None:
    """The first rule whose verdict is true decides, and the trace says so."""
    compiled = make_rules(*rules, tables=OFFICES)
    trace = compiled.trace(facts, NOW)

    decision = compiled.decide(facts, NOW)

    assert trace.decision == decision
    assert decision.rule == next((rule.rule.rule.id for rule in trace.rules if rule.verdict == TRUE), None)
    written = trace.document()
    assert [rule["id"] for rule in written["rules"] if rule["decided"]] == ([decision.rule] if decision.rule else [])
    assert written == orjson.loads(orjson.dumps(written))


@CALM
@given(st.lists(any_rule(), min_size=1, max_size=3), any_facts())
def test_two_nots_cancel(rules: list[dict[str, object]], facts: dict[str, FactValue]) -> None:
    """A condition and its double negation decide alike."""
    turned = [{**rule, "when": {"not": {"not": rule["when"]}}} for rule in rules]

    assert make_rules(*rules, tables=OFFICES).decide(facts, NOW) == make_rules(*turned, tables=OFFICES).decide(
        facts, NOW
    )


@CALM
@given(RULES, any_facts())
def test_decision_can_be_made_again(rules: list[dict[str, object]], facts: dict[str, FactValue]) -> None:
    """Facts survive being written, and give the same decision again."""
    compiled = make_rules(*rules, tables=OFFICES)

    again = decode_facts(orjson.loads(orjson.dumps(encode_facts(facts))))

    assert again == facts
    assert compiled.decide(again, NOW) == compiled.decide(facts, NOW)


@CALM
@given(RULES, any_facts())
def test_200_is_never_partial(rules: list[dict[str, object]], facts: dict[str, FactValue]) -> None:
    """A 200 carries a target, no change carries nothing, and every decision can be written down."""
    decision = make_rules(*rules, tables=OFFICES).decide(facts, NOW)

    answer = encode_decision(decision, PROFILE)

    assert (answer.status == 200) == (answer.body is not None)
    if answer.body is None:
        assert answer.status == 204
    else:
        assert decision.outcome is not Outcome.NO_CHANGE
        assert orjson.loads(answer.body)["InitialTarget"].strip()
    assert orjson.loads(orjson.dumps(decision_document(decision))) == decision_document(decision)


@CALM
@given(RULES, any_facts())
def test_near_misses_are_one_condition_away(rules: list[dict[str, object]], facts: dict[str, FactValue]) -> None:
    """A near miss comes before the deciding rule, did not match, and names a condition of its own."""
    trace = make_rules(*rules, tables=OFFICES).trace(facts, NOW)

    for miss in trace.near_misses:
        place = int(miss.rule.removeprefix("r"))
        assert trace.position is None or place < trace.position
        assert trace.rules[place].verdict != TRUE
        assert miss.pointer.startswith(f"/rules/{place}/")
        assert miss.explanation.startswith(f'"{miss.rule}" would have matched, but ')


@CALM
@given(RULES, any_data(), any_data(), st.sampled_from(["A", "b", None]))
def test_what_was_looked_up_decides_again(
    rules: list[dict[str, object]], then: RuleData, now: RuleData, tier: str | None
) -> None:
    """Recorded facts decide and explain as the call was, whatever switches and tables say by now."""
    compiled = make_rules(*rules, tables=OFFICES)
    caller = Caller(status=CallerStatus.IDENTIFIED, id="c", columns={"tier": tier}, as_of=NOW)
    facts = compiled.gather(make_call(), caller, NOW, data=then)

    recorded = decode_facts(orjson.loads(orjson.dumps(encode_facts(facts))))
    again = {**compiled.data_facts.tell(recorded, now, NOW), **recorded}

    assert compiled.decide(again, NOW) == compiled.decide(facts, NOW) == compiled.trace(again, NOW).decision
    assert compiled.data_facts.names <= recorded.keys()
