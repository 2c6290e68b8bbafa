"""A ruleset made ready to decide calls in microseconds."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from app.errors import InvalidInputError
from app.routing.callers import Caller
from app.routing.calls import Call
from app.routing.checks import Places
from app.routing.compiled_rule import CompiledRule, compile_rule
from app.routing.conditions import TRUE, fold
from app.routing.decisions import Decision, Outcome
from app.routing.facts import FactValue, complete_facts, gather_facts
from app.routing.matches import Selection
from app.routing.moments import CalendarFacts
from app.routing.rule_index import RuleIndex
from app.routing.ruleset import Ruleset, find_lost_destinations
from app.routing.trace import RuleTrace, Trace

__all__ = ["CompiledRuleset", "compile_ruleset"]

NO_RULE = "no rule matched"


class CompiledRuleset:
    """Decides calls by one revision of the rules; frozen in effect, and safe to share between calls."""

    def __init__(
        self, *, ruleset: Ruleset, revision: int | None, rules: tuple[CompiledRule, ...], facts_used: tuple[str, ...]
    ) -> None:
        self._ruleset = ruleset
        self._revision = revision
        self._rules = rules
        self._facts_used = facts_used
        self._tests = tuple(test for rule in rules for test in rule.tests)
        ends = list(accumulate(len(rule.tests) for rule in rules))
        self._spans = tuple((rule, slice(end - len(rule.tests), end)) for rule, end in zip(rules, ends, strict=True))
        self._index = RuleIndex(rules)
        self._clockwork = CalendarFacts(ruleset)
        self._no_match = Decision(outcome=Outcome.NO_CHANGE, reason=NO_RULE)

    @property
    def ruleset(self) -> Ruleset:
        """The rules as they were written."""
        return self._ruleset

    @property
    def revision(self) -> int | None:
        """The published revision; `None` for a draft."""
        return self._revision

    @property
    def facts_used(self) -> frozenset[str]:
        """Every fact that a condition, an action or a share reads."""
        return frozenset(self._facts_used)

    @property
    def selection(self) -> Selection:
        """The columns and counts a look-up must bring along for these rules."""
        return Selection(
            contact_columns=self._pick_columns("caller.columns."),
            account_columns=self._pick_columns("account.columns."),
            open_cases="caller.open_cases" in self._facts_used,
        )

    def tell_time(self, now: float) -> Mapping[str, FactValue]:
        """Tell the `time.*` facts of a moment, in seconds since the epoch."""
        return self._clockwork.tell(now).facts

    def gather(
        self, call: Call, caller: Caller, now: float, *, known: Mapping[str, FactValue] | None = None
    ) -> Mapping[str, FactValue]:
        """Gather every fact of a call at a moment, and what these rules read and nobody has (see `complete_facts`).

        `now` is in seconds since the epoch; `known` are the results of `caller_facts(caller)`, when they are at hand.
        """
        facts = gather_facts(call, caller, self._clockwork.tell(now), known=known)
        return complete_facts(facts, self._facts_used)

    def decide(self, facts: Mapping[str, FactValue], now: float) -> Decision:
        """Return the decision of the first rule whose condition is true; without one, no change.

        `now`, in seconds since the epoch, counts for the validity of rules; calendars speak through the facts. So a
        decision can be made again from recorded facts and their moment.
        """
        facts = complete_facts(facts, self._facts_used)
        values = self._read_values(facts, now)
        rule = self._find_first(values)
        return self._no_match if rule is None else rule.choose(facts)

    def trace(self, facts: Mapping[str, FactValue], now: float) -> Trace:
        """Judge every condition of every rule, and decide as `decide` does."""
        facts = complete_facts(facts, self._facts_used)
        values = self._read_values(facts, now)
        told = tuple([test(values) for test in self._tests])
        rules = tuple([RuleTrace(rule, rule.combine(verdicts := told[span]), verdicts) for rule, span in self._spans])
        first = next((trace.rule for trace in rules if trace.verdict == TRUE), None)
        return Trace(
            revision=self._revision,
            decision=self._no_match if first is None else first.choose(facts),
            position=None if first is None else first.position,
            rules=rules,
            facts=facts,
            at=now,
        )

    def _read_values(self, facts: Mapping[str, FactValue], now: float) -> Sequence[object]:
        return [now, *[fold(facts[name]) for name in self._facts_used]]

    def _find_first(self, values: Sequence[object]) -> CompiledRule | None:
        for rule in self._index.select(values):
            for part in rule.parts:
                if part(values) != TRUE:
                    break
            else:
                return rule
        return None

    def _pick_columns(self, prefix: str) -> frozenset[str]:
        return frozenset(name.removeprefix(prefix) for name in self._facts_used if name.startswith(prefix))


def compile_ruleset(ruleset: Ruleset, *, revision: int | None) -> CompiledRuleset:
    """Compile a ruleset; raises InvalidInputError when a rule names a destination that does not exist."""
    if findings := list(find_lost_destinations(ruleset)):
        raise InvalidInputError("the ruleset names destinations it does not have", findings=findings)
    places = Places()
    rules = tuple(compile_rule(rule, position, ruleset, places) for position, rule in enumerate(ruleset.rules))
    return CompiledRuleset(ruleset=ruleset, revision=revision, rules=rules, facts_used=places.list_facts())
