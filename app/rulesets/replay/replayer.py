"""Decides recorded calls again, by other rules, with the facts as they were."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.routing.callers import Cause
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import Decision, DecisionRecord, Destination, Outcome
from app.routing.facts import FactValue, Unknown, complete_facts, decode_facts
from app.routing.redirect_loops import CallFollower
from app.routing.registry import RECENT_CALLS, is_related
from app.routing.rule_data import RuleData
from app.routing.trace import Trace
from app.routing.wire import ResponseProfile, encode_decision

__all__ = ["Effect", "FindProfile", "ReplayedCall", "Replayer"]

_FETCHED = ("caller.columns.", "account.columns.", "caller.open_cases")
"""Facts that are read only while a published rule asks for them, besides those that say so."""

Place = tuple[str, str]
"""Kind and id of a destination."""
FindProfile = Callable[[int | None], ResponseProfile]
"""Tells by which response profile a decision of a settings version was spelled."""


class Effect(NamedTuple):
    """Everything of a decision that the caller, or Enreach, would notice, whichever rule chose it."""

    outcome: str
    target: Place | None = None
    fail_target: Place | None = None
    required_agent: str | None = None
    preferred_agents: tuple[str, ...] = ()
    priority: int | None = None
    extra_priority: int | None = None
    messages: tuple[tuple[str, str], ...] = ()


_STAY = Effect(Outcome.NO_CHANGE.value)
"""The call stays where it is."""


@dataclass(frozen=True, slots=True)
class ReplayedCall:
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

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """Name the members of the decision in which the two effects differ."""
        members = zip(Effect._fields, self.before, self.after, strict=True)
        return tuple(name for name, old, new in members if old != new)


class Replayer:
    """Decides by one ruleset what was decided before by others.

    Facts about call and caller are those that were recorded; the `time.*` facts are those of the ruleset's own
    calendars at the recorded moment, so that a change of opening hours shows. What no rule read of switches and tables
    at that time is as it is now.
    """

    def __init__(
        self, rules: CompiledRuleset, find_profile: FindProfile, read_data: Callable[[], RuleData] = RuleData
    ) -> None:
        """`read_data` tells switches and tables as they are now."""
        self._rules = rules
        self._read_data = read_data
        self._find_profile = find_profile
        self._follower = CallFollower(rules)
        self._fetched = sorted(filter(_is_fetched, rules.facts_used))

    def replay(self, record: DecisionRecord) -> ReplayedCall | None:
        """Decide a record again; `None` when it cannot be: a drill, or a call whose facts are gone or unreadable.

        A redirect that the loop guard stopped, or that has no spelling, is none again.
        """
        if record.drill is not None or not record.facts:
            return None
        try:
            facts = self.recall(record)
            decision = self._rules.decide(facts, record.at)
            before, after = _read_document(record.decision), _read_decision(decision)
        except (ValueError, KeyError, OverflowError):  # spelled by another version, or at a time no calendar has
            return None
        if decision.outcome is Outcome.REDIRECT and (_was_stopped(record) or self._has_no_spelling(decision, record)):
            after = _STAY
        return ReplayedCall(decision, before, after, decision.rule != record.rule, self._find_missing(facts))

    def find_loop(self, record: DecisionRecord) -> tuple[Decision, ...]:
        """Return the decisions that would send the recorded call round between queues; none when it comes to rest."""
        try:
            return self._follower.find_loop(self.recall(record), record.at)
        except (ValueError, KeyError, OverflowError):  # as in `replay`
            return ()

    def trace(self, record: DecisionRecord) -> Trace:
        """Explain what `replay` decides."""
        return self._rules.trace(self.recall(record), record.at)

    def recall(self, record: DecisionRecord) -> dict[str, FactValue]:
        """Return the facts the record is decided with; raises ValueError for what this program cannot have written."""
        facts = {**decode_facts(record.facts), **self._rules.tell_time(record.at)}
        return {**self._rules.data_facts.tell(facts, self._read_data(), record.at), **facts}

    def _has_no_spelling(self, decision: Decision, record: DecisionRecord) -> bool:
        return bool(encode_decision(decision, self._find_profile(record.settings_version)).reason)

    def _find_missing(self, facts: dict[str, FactValue]) -> tuple[str, ...]:
        if not self._fetched:
            return ()
        complete = complete_facts(facts, self._fetched)
        return tuple(name for name in self._fetched if _is_not_fetched(complete[name]))


def _is_fetched(name: str) -> bool:
    return name.startswith(_FETCHED) or name in RECENT_CALLS or is_related(name)


def _was_stopped(record: DecisionRecord) -> bool:
    return record.hops > 0 and record.outcome is Outcome.NO_CHANGE


def _is_not_fetched(value: FactValue) -> bool:
    return isinstance(value, Unknown) and value.cause is Cause.NOT_FETCHED


def _read_decision(decision: Decision) -> Effect:
    if decision.outcome is Outcome.NO_CHANGE:
        return _STAY
    return Effect(
        outcome=decision.outcome.value,
        target=_spell_place(decision.target),
        fail_target=_spell_place(decision.fail_target),
        required_agent=decision.required_agent,
        preferred_agents=decision.preferred_agents,
        priority=decision.priority,
        extra_priority=decision.extra_priority,
        messages=tuple((message.culture, message.text) for message in decision.messages),
    )


def _read_document(document: Mapping[str, Any]) -> Effect:
    """Take the effect of a decision as the decision log spells it (see `decision_document`)."""
    if document["outcome"] == Outcome.NO_CHANGE:
        return _STAY
    return Effect(
        outcome=document["outcome"],
        target=_read_place(document.get("target")),
        fail_target=_read_place(document.get("fail_target")),
        required_agent=document.get("required_agent"),
        preferred_agents=tuple(document.get("preferred_agents", ())),
        priority=document.get("priority"),
        extra_priority=document.get("extra_priority"),
        messages=tuple((message["culture"], message["text"]) for message in document.get("messages", ())),
    )


def _spell_place(destination: Destination | None) -> Place | None:
    return None if destination is None else (destination.kind.value, destination.id)


def _read_place(document: Mapping[str, str] | None) -> Place | None:
    return None if document is None else (document["kind"], document["id"])
