"""Searches for a call that goes round a loop: values of facts with which, at each queue, the wanted rule decides.

One fact after the other is given a value, and what is known then is judged in the logic of three values. Facts of one
caller fit together: nobody who is unknown has a VIP flag. Facts of the clock come from the ruleset's own calendars, at
some moment of the next days. Queue and target id belong to the queue; everything else stays while a call is sent on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise, product

from app.routing.callers import Caller, CallerStatus, Cause
from app.routing.condition import TEXTUAL, Leaf, Operator
from app.routing.conditions import TRUE, compile_leaf, fold
from app.routing.facts import FactValue, Unknown, caller_facts, complete_facts
from app.routing.moments import CalendarFacts
from app.routing.partial_verdicts import STATUS, TARGET, Judge, Values, depends_on_status
from app.routing.registry import FACTS, FactType

__all__ = ["Effort", "EffortSpentError", "Goal", "Setting", "WitnessSearch"]

_OTHER = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for any text that no rule mentions."""
_UNTOLD = Unknown(Cause.ERROR)
_SOMETIMES_UNTOLD = ("caller.owner_agent", "caller.open_cases", "caller.columns.", "account.columns.")
_SOMEBODY = frozenset({CallerStatus.IDENTIFIED, CallerStatus.AMBIGUOUS})
_MAX_VALUES = 50
_MOMENTS, _MOMENT_SECONDS = 8 * 48, 1800


class EffortSpentError(Exception):
    """The search has taken as many steps as it may."""


class Effort:
    """How many steps are left."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps; raises EffortSpentError when there are none left."""
        self._steps -= steps
        if self._steps < 0:
            raise EffortSpentError


@dataclass(frozen=True, slots=True)
class Goal:
    """What must hold of a call in one queue."""

    judge: Judge
    queue: str
    wanted: bool
    """Whether the condition must be true, or must not be."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a call is looked for."""

    leaves: Sequence[Leaf]
    """What the rules of the loop compare: the values they mention are always tried."""
    tags: Mapping[str, Sequence[FactValue]]
    """The target ids a queue may have; one that is not named may have any that the rules mention."""
    at: float
    """The call happens within eight days from then (seconds since the epoch)."""


class WitnessSearch:
    """Finds calls that meet goals."""

    def __init__(self, *, leaves: Iterable[Leaf], clockwork: CalendarFacts, effort: Effort) -> None:
        """`leaves` are all of the ruleset: the values they mention are tried, up to 50 of each fact."""
        self._leaves: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            self._leaves.setdefault(leaf.fact, []).append(leaf)
        self._clockwork = clockwork
        self._effort = effort
        self._moments: dict[float, list[Values]] = {}
        self._mentioned: dict[str, Sequence[FactValue]] = {}

    def find(self, goals: Sequence[Goal], setting: Setting) -> Values | None:
        """Return values that meet every goal, or `None` when there seem to be none; raises EffortSpentError."""
        waiting: list[tuple[int, Values]] = [(0, {})]
        while waiting:
            place, values = waiting.pop()
            place, undecided = self._advance(goals, place, values)
            if place == len(goals):
                return values
            if undecided:
                choices = self._list_choices(undecided, values, setting)
                waiting += [(place, {**values, **choice}) for choice in reversed(choices)]
        return None

    def _advance(self, goals: Sequence[Goal], place: int, values: Values) -> tuple[int, str]:
        """Go to the first goal that is not met; and tell the fact it depends on, if that has no value yet."""
        for index in range(place, len(goals)):
            self._effort.spend()
            goal = goals[index]
            verdict = goal.judge(values, goal.queue)
            if isinstance(verdict, str):
                return index, verdict
            if (verdict == TRUE) is not goal.wanted:
                return index, ""
        return len(goals), ""

    def _list_choices(self, key: str, values: Values, setting: Setting) -> Sequence[Values]:
        fact, _, queue = key.partition(" ")
        if fact.startswith("time."):
            return self._list_moments(setting.at)
        if fact == TARGET:
            choices = setting.tags.get(queue) or (None, *self._list_mentioned(TARGET, setting))
        elif fact == STATUS:
            choices = FACTS[STATUS].values
        elif depends_on_status(self._leaves[fact][0]):
            choices = self._list_of_caller(fact, CallerStatus(str(values[STATUS])), setting)
        else:
            choices = self._list_domain(fact, setting)
        return [{key: value} for value in choices]

    def _list_of_caller(self, fact: str, status: CallerStatus, setting: Setting) -> Sequence[FactValue]:
        """List what a fact about the caller, or their number, can be when the look-up came that far."""
        withheld = status is CallerStatus.WITHHELD
        if fact == "call.withheld":
            return (withheld,)
        if fact.startswith("call."):
            return (None,) if withheld else self._list_domain(fact, setting)
        if status not in _SOMEBODY:
            known = caller_facts(Caller(status=status, cause=Cause.TIMEOUT))
            return (complete_facts(known, [fact])[fact],)
        untold = status is CallerStatus.AMBIGUOUS or fact.startswith(_SOMETIMES_UNTOLD)
        return (*self._list_domain(fact, setting), *((_UNTOLD,) if untold else ()))

    def _list_domain(self, fact: str, setting: Setting) -> Sequence[FactValue]:
        """List a value for each way in which the rules treat the fact, as far as that is simple."""
        spec = self._leaves[fact][0].spec
        if spec.type is FactType.BOOLEAN:
            return (False, True)
        return spec.values or (None, _OTHER, *self._list_mentioned(fact, setting))

    def _list_mentioned(self, fact: str, setting: Setting) -> Sequence[FactValue]:
        if fact not in self._mentioned:
            self._mentioned[fact] = _list_candidates(self._leaves[fact])
        own = _list_candidates([leaf for leaf in setting.leaves if leaf.fact == fact])
        return list(dict.fromkeys([*own, *self._mentioned[fact]]))

    def _list_moments(self, at: float) -> Sequence[Values]:
        if at not in self._moments:
            self._moments[at] = list(self._tell_moments(at))
        return self._moments[at]

    def _tell_moments(self, at: float) -> Iterator[Values]:
        """Tell the facts of the clock every half hour of the next days, leaving out what no rule tells apart."""
        leaves = [leaf for fact, group in self._leaves.items() if fact.startswith("time.") for leaf in group]
        tests = [(leaf.fact, compile_leaf(leaf, 0)) for leaf in leaves]
        seen: set[tuple[int, ...]] = set()
        for step in range(_MOMENTS):
            self._effort.spend(len(tests))
            told = self._clockwork.tell(at + step * _MOMENT_SECONDS).facts
            facts = complete_facts(told, [fact for fact, _ in tests])
            verdicts = tuple(test([fold(facts[fact])]) for fact, test in tests)
            if verdicts not in seen:
                seen.add(verdicts)
                yield facts


def _list_candidates(leaves: Sequence[Leaf]) -> Sequence[FactValue]:
    """List what comparisons of one fact mention, joined texts, and numbers between and beyond; the first 50."""
    members = [value for leaf in leaves if leaf.op not in TEXTUAL for value in _list_values(leaf)]
    numbers = sorted({value for value in members if isinstance(value, int | float) and not isinstance(value, bool)})
    between = [(low + high) / 2 for low, high in pairwise(numbers)]
    beyond = [numbers[0] - 1, numbers[-1] + 1] if numbers else []
    return list(islice(dict.fromkeys(chain(members, _join_texts(leaves), between, beyond)), _MAX_VALUES))


def _list_values(leaf: Leaf) -> Sequence[FactValue]:
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    return [value for value in values if value is not None]


def _join_texts(leaves: Iterable[Leaf]) -> Iterator[str]:
    """Join each beginning, middle and end that the rules look for into one text."""
    wanted = [
        ["", *(str(leaf.value) for leaf in leaves if leaf.op is word)]
        for word in (Operator.STARTS_WITH, Operator.CONTAINS, Operator.ENDS_WITH)
    ]
    return (text for parts in product(*wanted) if (text := "".join(parts)))
