"""Runs the tests a ruleset carries."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import partial
from typing import Any

from app.routing.callers import Account, Caller, CallerStatus, Cause, MatchKind
from app.routing.calls import Call, Scalar, read_call
from app.routing.columns import ColumnSpec, find_column
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.decisions import Decision
from app.routing.facts import FactValue
from app.routing.numbers import NumberKind, read_number
from app.routing.redirect_loops import CallFollower
from app.routing.related import CASE_AGE
from app.routing.rule_data import RuleData, Switch, make_table
from app.routing.ruleset import Ruleset
from app.routing.stored_tests import AccountStub, CallerStub, StoredTest
from app.routing.wire import decision_document

__all__ = ["StoredTestResult", "make_caller", "make_recent_calls", "run_tests"]

_USUAL_MOMENT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC).timestamp()
"""When a test without `at` happens: always the same, so that its result never depends on the day it is run."""
_FIELDS = frozenset(CallerStub.model_fields) & {field.name for field in fields(Caller)}
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
    recent = make_recent_calls(test.caller or CallerStub(), compiled)
    facts = {**compiled.gather(call, caller, now, recent=recent), **test.facts}
    return {**facts, **compiled.data_facts.tell(facts, _make_data(test, compiled), now), **test.facts}


def _make_data(test: StoredTest, compiled: CompiledRuleset) -> RuleData:
    """Make the switches and tables that rules read; what the test leaves out is off, or empty, and not unknown."""
    read = compiled.data_facts
    states = {**dict.fromkeys(read.switches, False), **test.switches}
    tables = {name: make_table(test.tables.get(name, {}), columns) for name, columns in read.tables.items()}
    return RuleData(switches={name: Switch(on=on) for name, on in states.items()}, tables=tables)


def make_recent_calls(stub: CallerStub, compiled: CompiledRuleset) -> Mapping[str, FactValue] | None:
    """Make the facts about calls that came before, when the rules ask for them."""
    if not compiled.asks_recent_calls:
        return None
    return {
        "caller.calls.last_hour": stub.calls.last_hour,
        "caller.calls.last_day": max(stub.calls.last_day, stub.calls.last_hour),
        "caller.last_destination": stub.last_destination,
    }


def _describe_nobody(call: Call) -> Caller:
    withheld = call.caller.kind is NumberKind.WITHHELD
    return Caller(status=CallerStatus.WITHHELD if withheld else CallerStatus.UNKNOWN)


def make_caller(stub: CallerStub, compiled: CompiledRuleset, now: float) -> Caller:
    """Make the caller a directory would have answered; what the stub leaves out is empty, not unknown."""
    if stub.status is CallerStatus.UNAVAILABLE:
        detail = stub.detail or "the CRM did not answer"
        return Caller(status=stub.status, cause=stub.cause or Cause.TIMEOUT, detail=detail)
    selection, said = compiled.selection, {name: value for name, value in stub if name in _FIELDS}
    columns = compiled.ruleset.columns
    changes = {
        "cause": None,
        "detail": "",
        "confidence": _tell_confidence(stub),
        "matches": int(stub.status in _FOUND) if stub.matches is None else stub.matches,
        "open_cases": 0 if stub.open_cases is None and stub.open_cases_cause is None else stub.open_cases,
        "columns": _fill(stub.columns, selection.contact_columns, columns.get("contact", {})),
        "account": _describe_account(stub.account, selection.account_columns, columns.get("account", {})),
        "related": {
            name: _translate(_tell_related(name, stub), find_column(columns, name))
            for name in selection.related
            if name != CASE_AGE or not stub.case
        },
        "case_since": now - stub.case.age_hours * 3600 if stub.case and selection.newest_case else None,
        "as_of": now - stub.age_seconds,
    }
    return Caller(**said | changes)


def _tell_confidence(stub: CallerStub) -> float:
    if stub.confidence is not None:
        return stub.confidence
    return 1.0 if stub.match is MatchKind.EXACT else _BLOCK_CONFIDENCE


def _describe_account(
    stub: AccountStub | None, columns: frozenset[str], specs: Mapping[str, ColumnSpec]
) -> Account | None:
    return None if stub is None else Account(id=stub.id, name=stub.name, columns=_fill(stub.columns, columns, specs))


def _tell_related(name: str, stub: CallerStub) -> Scalar:
    """Tell a fact about what belongs to the caller, as a look-up would have told it."""
    steps = name.split(".")
    value: Any = stub
    for step in steps if steps[0] == "account" else steps[1:]:
        value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
    return False if value is None and name == "account.parent.vip" else value


def _fill(columns: Mapping[str, Scalar], names: frozenset[str], specs: Mapping[str, ColumnSpec]) -> dict[str, Scalar]:
    return {**dict.fromkeys(names), **{name: _translate(value, specs.get(name)) for name, value in columns.items()}}


def _translate(value: Scalar, spec: ColumnSpec | None) -> Scalar:
    return value if spec is None else spec.translate(value)


def _compare(test: StoredTest, decision: Decision) -> Iterator[str]:
    actual = decision_document(decision)
    for name, expected in test.expect.model_dump(mode="json", exclude_unset=True).items():
        found = actual.get(name)
        empty = expected is False or expected == []
        if found != expected and not (found is None and empty):
            yield f"{name} should be {_spell(expected)} and is {_spell(found)}"


def _spell(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
