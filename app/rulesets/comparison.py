"""Decides recorded calls again, by other rules, with the facts as they were."""

from dataclasses import dataclass

from app.routing.callers import Cause
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import Decision, DecisionRecord, Outcome
from app.routing.facts import FactValue, Unknown, complete_facts, decode_facts
from app.routing.trace import Trace
from app.routing.wire import ResponseProfile, encode_decision
from app.rulesets.effects import STAY, Effect, read_decision, read_document

__all__ = ["Comparer", "Comparison", "can_compare"]

_FETCHED = ("caller.columns.", "account.columns.", "caller.open_cases")
"""Facts that are read from the CRM only while a published rule asks for them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One recorded call: what was done with it, and what the other rules would have done."""

    decision: Decision
    """By the other rules."""
    before: Effect
    after: Effect
    other_rule: bool
    """Whether another rule decides, with whatever effect."""
    missing: tuple[str, ...]
    """Facts the other rules read and nobody had fetched at that time: the result may be wrong."""

    @property
    def changed(self) -> bool:
        """Whether the caller, or Enreach, would notice a difference."""
        return self.before != self.after


def can_compare(record: DecisionRecord) -> bool:
    """Tell whether a record can be decided again: a real call, with its facts."""
    return record.drill is None and bool(record.facts)


class Comparer:
    """Compares what was decided with what a ruleset decides.

    Facts about call and caller are those that were recorded; the `time.*` facts are those of the ruleset's own
    calendars at the recorded moment, so that a change of opening hours shows.
    """

    def __init__(self, rules: CompiledRuleset, profile: ResponseProfile) -> None:
        self._rules = rules
        self._profile = profile
        self._fetched = sorted(name for name in rules.facts_used if name.startswith(_FETCHED))

    def compare(self, record: DecisionRecord) -> Comparison:
        """Decide a record again; a redirect that the hop limit stopped, or that has no spelling, is none again.

        Raises ValueError when the record holds what this program cannot have written.
        """
        facts = self.recall(record)
        decision = self._rules.decide(facts, record.at)
        before, after = read_document(record.decision), read_decision(decision)
        if decision.outcome is Outcome.REDIRECT and (_was_stopped(record) or self._has_no_spelling(decision)):
            after = STAY
        return Comparison(decision, before, after, decision.rule != record.rule, self._find_missing(facts))

    def trace(self, record: DecisionRecord) -> Trace:
        """Explain what `compare` decides."""
        return self._rules.trace(self.recall(record), record.at)

    def recall(self, record: DecisionRecord) -> dict[str, FactValue]:
        """Return the facts the record is decided with; raises ValueError as `compare` does."""
        return {**decode_facts(record.facts), **self._rules.tell_time(record.at)}

    def _has_no_spelling(self, decision: Decision) -> bool:
        return bool(encode_decision(decision, self._profile).reason)

    def _find_missing(self, facts: dict[str, FactValue]) -> tuple[str, ...]:
        if not self._fetched:
            return ()
        complete = complete_facts(facts, self._fetched)
        return tuple(name for name in self._fetched if _is_not_fetched(complete[name]))


def _was_stopped(record: DecisionRecord) -> bool:
    return record.hops > 0 and record.outcome is Outcome.NO_CHANGE


def _is_not_fetched(value: FactValue) -> bool:
    return isinstance(value, Unknown) and value.cause is Cause.NOT_FETCHED
