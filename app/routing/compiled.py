"""A ruleset made ready to decide calls in microseconds."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from app.errors import InvalidInputError
from app.routing.agents import find_agent_fact, make_agent_reader
from app.routing.callers import Caller, Selection
from app.routing.calls import Call
from app.routing.columns import find_column
from app.routing.compiled_rule import CompiledRule, Places, compile_rule
from app.routing.decisions import Decision, DestinationKind, Outcome
from app.routing.evaluation import TRUE, fold
from app.routing.facts import ClockFacts, FactValue, complete_facts, gather_facts
from app.routing.registry import AGENTS, RECENT_CALLS, TABLES, is_related
from app.routing.related import PREFERRED_USER
from app.routing.rotas import Turn, find_turn
from app.routing.rule_data import DataFacts, RuleData, split_column
from app.routing.ruleset import Ruleset, find_lost_destinations
from app.routing.trace import RuleTrace, Trace

__all__ = ["CompiledRuleset", "compile_ruleset"]

NO_RULE = "no rule matched"
_NO_DATA = RuleData()


class CompiledRuleset:
    """Decides calls by one revision of the rules; frozen in effect, and safe to share between calls."""

    def __init__(
        self, *, ruleset: Ruleset, revision: int | None, rules: tuple[CompiledRule, ...], facts_used: tuple[str, ...]
    ) -> None:
        self._ruleset = ruleset
        self._revision = revision
        self._rules = rules
        self._facts_used = facts_used
        self._data_facts = DataFacts(
            facts_used,
            {name: use.key for name, use in ruleset.tables.items()},
            {name: spec.id for name, spec in ruleset.destinations.items() if spec.kind is DestinationKind.QUEUE},
            make_agent_reader([find_agent_fact(fact) for fact in facts_used if fact.startswith(AGENTS)], ruleset),
        )
        self._other_facts = tuple(fact for fact in facts_used if fact not in self._data_facts.names)
        self.asks_recent_calls = not RECENT_CALLS.isdisjoint(facts_used)
        """Whether they read how often somebody called before."""
        self._tests = tuple(check.test for rule in rules for check in rule.checks)
        ends = list(accumulate(len(rule.checks) for rule in rules))
        self._slices = tuple((rule, slice(end - len(rule.checks), end)) for rule, end in zip(rules, ends, strict=True))
        self._index = _RuleIndex(rules)
        self._clock_facts = ClockFacts(ruleset.calendars, ruleset.main_calendar, ruleset.zone or UTC, ruleset.rotas)
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
        """What a look-up must bring along for these rules."""
        related = frozenset(filter(is_related, self._facts_used))
        preferred = {PREFERRED_USER} if "caller.preferred_agent" in related else set()
        return Selection(
            contact_columns=self._pick_columns("caller.columns.", "caller.any.columns.") | preferred,
            account_columns=self._pick_columns("account.columns.", "account.parent.columns.") | preferred,
            case_columns=self._pick_columns("caller.case.columns."),
            open_cases=any(name.startswith(("caller.open_cases", "caller.case.")) for name in self._facts_used),
            related=related,
        )

    def tell_time(self, now: float) -> Mapping[str, FactValue]:
        """Tell the `time.*` and `rota.*` facts of a moment, in seconds since the epoch."""
        return self._clock_facts.tell(now).facts

    def list_labels(self, facts: Mapping[str, FactValue]) -> Mapping[str, object]:
        """Tell the labels of the choices among the facts that these rules read."""
        specs = {name: find_column(self._ruleset.columns, name) for name in self._facts_used}
        labels = {name: spec.name(facts.get(name)) for name, spec in specs.items() if spec is not None}
        return {name: label for name, label in labels.items() if label is not None}

    @property
    def data_facts(self) -> DataFacts:
        """What these rules read of switches and tables."""
        return self._data_facts

    def list_turns(self, now: float) -> Mapping[str, Turn | None]:
        """Tell who is on call by each rota at a moment, in seconds since the epoch; `None` before a rota's start."""
        moment = datetime.fromtimestamp(now, UTC)
        return {name: find_turn(rota, moment) for name, rota in self._ruleset.rotas.items()}

    def gather(
        self,
        call: Call,
        caller: Caller,
        now: float,
        *,
        known: Mapping[str, FactValue] | None = None,
        data: RuleData = _NO_DATA,
        recent: Mapping[str, FactValue] | None = None,
    ) -> Mapping[str, FactValue]:
        """Gather every fact of a call at a moment, and what these rules read and nobody has (see `complete_facts`).

        `now` is in seconds since the epoch; `known` are the results of `caller_facts(caller)`, when they are at hand,
        `recent` the facts about calls that came before, when these rules ask for them.
        """
        told = gather_facts(call, caller, self._clock_facts.tell(now), known=known)
        if recent is not None:
            told.update(recent)
        facts = complete_facts(told, self._other_facts)
        return {**facts, **self._data_facts.tell(facts, data, now)} if self._data_facts.names else facts

    def decide(self, facts: Mapping[str, FactValue], now: float) -> Decision:
        """Return the decision of the first rule whose condition is true; without one, no change.

        `now`, in seconds since the epoch, counts for the validity of rules; calendars speak through the facts. So a
        decision can be made again from recorded facts and their moment.
        """
        facts = complete_facts(facts, self._facts_used)
        return self._choose(self._find_first(self._read_values(facts, now)), facts)

    def trace(self, facts: Mapping[str, FactValue], now: float) -> Trace:
        """Judge every condition of every rule, and decide as `decide` does."""
        facts = complete_facts(facts, self._facts_used)
        values = self._read_values(facts, now)
        told = tuple([test(values) for test in self._tests])
        rules = tuple([RuleTrace(rule, rule.combine(verdicts := told[part]), verdicts) for rule, part in self._slices])
        first = next((trace.rule for trace in rules if trace.verdict == TRUE), None)
        return Trace(
            columns=self._ruleset.columns,
            revision=self._revision,
            decision=self._choose(first, facts),
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

    def _choose(self, rule: CompiledRule | None, facts: Mapping[str, FactValue]) -> Decision:
        if rule is None:
            return self._no_match
        return rule.decision if rule.decide is None else rule.decide(facts)

    def _pick_columns(self, *prefixes: str) -> frozenset[str]:
        return frozenset(
            name.removeprefix(prefix) for prefix in prefixes for name in self._facts_used if name.startswith(prefix)
        )


def compile_ruleset(ruleset: Ruleset, *, revision: int | None) -> CompiledRuleset:
    """Compile a ruleset; raises InvalidInputError when something names a destination that does not exist."""
    if findings := list(find_lost_destinations(ruleset)):
        raise InvalidInputError("the ruleset names destinations it does not have", findings=findings)
    places, plain = Places(ruleset.zone or UTC), ruleset.with_values()
    rules = tuple(compile_rule(rule, position, plain, places) for position, rule in enumerate(plain.rules))
    for fact in places.list_facts():
        if fact.startswith(AGENTS):
            places.find(find_agent_fact(fact))
    for fact in places.list_facts():
        if fact.startswith(TABLES) and (use := ruleset.tables.get(split_column(fact)[0])):
            places.find(use.key)
    return CompiledRuleset(ruleset=ruleset, revision=revision, rules=rules, facts_used=places.list_facts())


class _RuleIndex:
    """Passes over the rules that insist on another value than the call's: another queue, language, customer class.

    Of the values a rule insists on, the index takes the one of the fact by which most rules differ.
    """

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self._rules = tuple(rules)
        self._free: list[int] = []
        self._bound: dict[int, dict[object, list[int]]] = {}
        spread = _measure_spread(rules)
        for rule in rules:
            demand = max(rule.demands, key=lambda demand: spread[demand.place], default=None)
            if demand is None or spread[demand.place] == 1:
                self._free.append(rule.position)
            else:
                places = self._bound.setdefault(demand.place, {})
                for value in demand.values:
                    places.setdefault(value, []).append(rule.position)

    def select(self, values: Sequence[object]) -> Sequence[CompiledRule]:
        """Return the rules that may match, in their order; `values` are folded facts at their places."""
        if not self._bound:
            return self._rules
        positions = self._free
        for place, known in self._bound.items():
            if found := known.get(values[place]):
                positions = positions + found
        return [self._rules[position] for position in sorted(positions)]


def _measure_spread(rules: Sequence[CompiledRule]) -> dict[int, int]:
    """Count, for each fact's place, the different values that rules insist on."""
    values: dict[int, set[object]] = {}
    for rule in rules:
        for demand in rule.demands:
            values.setdefault(demand.place, set()).update(demand.values)
    return {place: len(known) for place, known in values.items()}
