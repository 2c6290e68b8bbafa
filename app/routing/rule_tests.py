"""Runs the tests a ruleset carries."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from app.routing.callers import Account, Caller, CallerStatus, Cause, MatchKind
from app.routing.calls import Call, Scalar, read_call
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.decisions import Decision
from app.routing.facts import FactValue
from app.routing.numbers import NumberKind, read_number
from app.routing.redirect_loops import CallFollower
from app.routing.registry import SWITCHES
from app.routing.rule_data import RuleData, Switch
from app.routing.ruleset import AccountStub, CallerStub, Ruleset, StoredTest
from app.routing.wire import decision_document

__all__ = ["StoredTestResult", "make_caller", "run_tests"]

_USUAL_MOMENT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC).timestamp()
"""When a test without `at` happens: always the same, so that its result never depends on the day it is run."""
_BLOCK_CONFIDENCE = 0.8
_FOUND = (CallerStatus.IDENTIFIED, CallerStatus.AMBIGUOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTestResult:
    """How one test came out."""

    name: str
    position: int
    """Its place in the list of tests."""
    decision: Decision
    mismatches: tuple[str, ...]
    """What differs from what was expected, one sentence each."""
    explanation: str
    """Why the expected rule did not decide; empty when it did, or none was named."""
    loop: tuple[Decision, ...]
    """The decisions that would send the call round between queues; none when it comes to rest."""

    @property
    def passed(self) -> bool:
        """Whether everything came out as expected."""
        return not self.mismatches


def run_tests(ruleset: Ruleset, *, region: str = "FI") -> tuple[StoredTestResult, ...]:
    """Run every test of a ruleset; `region` (ISO 3166-1) completes numbers without a country code.

    Raises InvalidInputError when a rule names a destination that does not exist.
    """
    compiled = compile_ruleset(ruleset, revision=None)
    follower = CallFollower(compiled)
    return tuple(_run(test, position, compiled, follower, region) for position, test in enumerate(ruleset.tests))


def _run(
    test: StoredTest, position: int, compiled: CompiledRuleset, follower: CallFollower, region: str
) -> StoredTestResult:
    now = _USUAL_MOMENT if test.at is None else test.at.timestamp()
    facts = _gather(test, compiled, region, now)
    decision = compiled.decide(facts, now)
    mismatches = tuple(_compare(test, decision))
    expected = test.expect.rule
    explanation = compiled.trace(facts, now).explain_rule(expected) if mismatches and expected is not None else ""
    return StoredTestResult(
        name=test.name,
        position=position,
        decision=decision,
        mismatches=mismatches,
        explanation=explanation,
        loop=follower.find_loop(facts, now),
    )


def _gather(test: StoredTest, compiled: CompiledRuleset, region: str, now: float) -> Mapping[str, FactValue]:
    call = read_call(test.call, partial(read_number, region=region))
    caller = _describe_nobody(call) if test.caller is None else make_caller(test.caller, compiled, now)
    facts = compiled.gather(call, caller, now, data=make_data(test.switches, compiled))
    return {**facts, **test.facts}


def make_data(switches: Mapping[str, bool], compiled: CompiledRuleset) -> RuleData:
    """Make the switches that rules read; what the test leaves out is off, not unknown."""
    read = (fact.removeprefix(SWITCHES) for fact in compiled.facts_used if fact.startswith(SWITCHES))
    states = {**dict.fromkeys(read, False), **switches}
    return RuleData(switches={name: Switch(on=on) for name, on in states.items()})


def _describe_nobody(call: Call) -> Caller:
    withheld = call.caller.kind is NumberKind.WITHHELD
    return Caller(status=CallerStatus.WITHHELD if withheld else CallerStatus.UNKNOWN)


def make_caller(stub: CallerStub, compiled: CompiledRuleset, now: float) -> Caller:
    """Make the caller a directory would have answered; what the stub leaves out is empty, not unknown."""
    if stub.status is CallerStatus.UNAVAILABLE:
        detail = stub.detail or "the CRM did not answer"
        return Caller(status=stub.status, cause=stub.cause or Cause.TIMEOUT, detail=detail)
    selection, said = compiled.selection, dict(stub)
    age = said.pop("age_seconds")
    changes = {
        "cause": None,
        "detail": "",
        "confidence": _tell_confidence(stub),
        "matches": int(stub.status in _FOUND) if stub.matches is None else stub.matches,
        "open_cases": 0 if stub.open_cases is None and stub.open_cases_cause is None else stub.open_cases,
        "columns": _fill(stub.columns, selection.contact_columns),
        "account": _describe_account(stub.account, selection.account_columns),
        "as_of": now - age,
    }
    return Caller(**said | changes)


def _tell_confidence(stub: CallerStub) -> float:
    if stub.confidence is not None:
        return stub.confidence
    return 1.0 if stub.match is MatchKind.EXACT else _BLOCK_CONFIDENCE


def _describe_account(stub: AccountStub | None, columns: frozenset[str]) -> Account | None:
    return None if stub is None else Account(id=stub.id, name=stub.name, columns=_fill(stub.columns, columns))


def _fill(columns: Mapping[str, Scalar], names: frozenset[str]) -> dict[str, Scalar]:
    return {**dict.fromkeys(names), **columns}


def _compare(test: StoredTest, decision: Decision) -> Iterator[str]:
    actual = decision_document(decision)
    for name, expected in test.expect.model_dump(mode="json", exclude_unset=True).items():
        found = actual.get(name)
        empty = expected is False or expected == []
        if found != expected and not (found is None and empty):
            yield f"{name} should be {_spell(expected)} and is {_spell(found)}"


def _spell(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
