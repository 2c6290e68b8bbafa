"""What holds for every ruleset that is replayed."""

import json
import uuid

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.routing.callers import CallerStatus
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import Decision, DecisionRecord, DestinationKind, Outcome
from app.routing.facts import FactValue, complete_facts, encode_facts
from app.routing.wire import ResponseProfile, decision_document, encode_decision
from app.rulesets.replay.replayer import Replayer
from app.rulesets.replay.result import PlaceNames, ReplayResult
from tests.routing.examples import NOW, any_facts, any_rule, make_rules
from tests.support.records import make_record

PROFILE = ResponseProfile()
RULES = st.lists(any_rule(), min_size=1, max_size=4)
CALM = settings(max_examples=60, deadline=None)


def _record(rules: CompiledRuleset, facts: dict[str, FactValue]) -> DecisionRecord:
    """Record a call as the service does: decided with these facts at that moment, and written down."""
    complete = complete_facts({**facts, **rules.tell_time(NOW)}, rules.facts_used)
    decision = rules.decide(complete, NOW)
    answer = encode_decision(decision, PROFILE)
    if answer.reason:
        decision = Decision(outcome=Outcome.NO_CHANGE, rule=decision.rule, reason=answer.reason)
    return make_record(
        NOW,
        id=str(uuid.uuid4()),
        facts=json.loads(json.dumps(encode_facts(complete))) or {"call.caller": None},
        decision=json.loads(json.dumps(decision_document(decision))),
        outcome=decision.outcome,
        rule=decision.rule,
        caller_status=CallerStatus.IDENTIFIED,
    )


@CALM
@given(RULES, st.lists(any_facts(), max_size=4))
def test_replaying_a_ruleset_on_its_own_decisions_changes_nothing(
    rules: list[dict[str, object]], calls: list[dict[str, FactValue]]
) -> None:
    """A ruleset decides the calls it decided the same way again, by the same rules."""
    compiled = make_rules(*rules)
    replayer, result = Replayer(compiled, lambda _version: PROFILE), ReplayResult(PlaceNames(compiled.ruleset))

    for facts in calls:
        record = _record(compiled, facts)
        result.add(replayer, record)
        assert replayer.trace(record).decision.rule == record.rule

    document = result.document()
    assert (document["calls"], document["changed"], document["other_rule"]) == (len(calls), 0, 0)
    assert document["groups"] == document["diffs"] == []


@CALM
@given(RULES, RULES, st.lists(any_facts(), max_size=4))
def test_a_change_is_what_the_decisions_say(
    old: list[dict[str, object]], new: list[dict[str, object]], calls: list[dict[str, FactValue]]
) -> None:
    """Calls count as changed exactly when two decisions differ in more than the rule, and the groups add up."""
    before, after = make_rules(*old), make_rules(*new)
    replayer, result = Replayer(after, lambda _version: PROFILE), ReplayResult(PlaceNames(after.ruleset))
    expected = 0

    for facts in calls:
        record = _record(before, facts)
        result.add(replayer, record)
        again = _record(after, {**facts, **replayer.recall(record)})
        expected += _strip(record) != _strip(again)

    document = result.document()
    assert document["changed"] == expected == sum(group["calls"] for group in document["groups"])
    assert len(document["diffs"]) == expected


def _strip(record: DecisionRecord) -> dict[str, object]:
    return {name: value for name, value in record.decision.items() if name not in {"rule", "reason"}}


def test_a_redirect_is_spelled_by_the_settings_of_the_recorded_call() -> None:
    """What the profile of those settings could spell is no change, although the present one cannot."""
    rules = make_rules({"when": {"fact": "caller.vip", "op": "is", "value": True}})
    record = _record(rules, {"caller.vip": True})
    unspeakable = ResponseProfile(targets=dict.fromkeys(DestinationKind, "DISCONNECT:"))
    replayer = Replayer(rules, {1: PROFILE, 2: unspeakable}.__getitem__)

    replayed = [replayer.replay(msgspec.structs.replace(record, settings_version=version)) for version in (1, 2)]

    assert record.outcome is Outcome.REDIRECT
    assert [call is not None and call.changed for call in replayed] == [False, True]
