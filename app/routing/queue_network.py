"""Queues, and the rules that send calls from one to another."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from app.routing.condition import AllOf, Condition, Leaf, Operator
from app.routing.conditions import FALSE, TRUE, fold, list_members
from app.routing.decisions import DestinationKind
from app.routing.lint_limits import list_conjunction
from app.routing.loop_witness import Effort, Goal
from app.routing.partial_verdicts import QUEUE, Judge, make_judge
from app.routing.ruleset import Rule, Ruleset, list_leaves

__all__ = ["QueueNetwork", "Way", "find_moment"]

_EVERYBODY = 100
_POSITION = attrgetter("position")


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One enabled rule, as it counts for a call that is sent on."""

    position: int
    rule: Rule
    condition: Condition
    """What the rule asks of a call, with the agents it needs."""
    target: str
    """The queue it redirects to, if it asks this service in its turn; else empty."""
    judge: Judge


class QueueNetwork:
    """Every enabled rule of a ruleset by the queues in which it can match."""

    def __init__(self, ruleset: Ruleset, *, effort: Effort) -> None:
        self._effort = effort
        silent = {fold(spec.id) for spec in ruleset.destinations.values() if not spec.webhook}
        self._ways = [
            _make_way(position, rule, ruleset, silent) for position, rule in enumerate(ruleset.rules) if rule.enabled
        ]
        self._bound: dict[str, list[Way]] = {}
        self._anywhere: list[Way] = []
        for way in self._ways:
            queues = _find_scope(way.condition)
            for queue in queues or ():
                self._bound.setdefault(queue, []).append(way)
            if queues is None:
                self._anywhere.append(way)
        self._at: dict[str, list[Way]] = {}

    def list_leaves(self) -> Iterator[Leaf]:
        """List every comparison of the rules."""
        return (leaf for way in self._ways for _, leaf in list_leaves(way.condition))

    def walk(self) -> Iterator[tuple[Way, ...]]:
        """Go along the rules from each queue, never twice to one, and give every way that comes back to its start.

        The shortest come first. Each is given once: it starts at the first of its queues. Raises EffortSpentError.
        """
        queues = dict.fromkeys(way.target for way in self._ways if way.target)
        order = {queue: place for place, queue in enumerate(queues)}
        waiting: deque[tuple[str, str, tuple[Way, ...]]] = deque((queue, queue, ()) for queue in order)
        while waiting:
            start, here, path = waiting.popleft()
            seen = {start, *(way.target for way in path)}
            for way in self._list_ways(here):
                self._effort.spend()
                if way.target == start != here:
                    yield (*path, way)
                elif way.target not in seen and order.get(way.target, -1) > order[start]:
                    waiting.append((start, way.target, (*path, way)))

    def list_goals(self, path: Sequence[Way], at: float) -> Iterator[list[Goal]]:
        """Give what must hold for a call to go along a closed path at a moment: at each queue its rule decides.

        First what concerns the rules of the path alone, by which most paths fail, then everything. Raises
        EffortSpentError.
        """
        stations = list(zip([path[-1].target, *(way.target for way in path[:-1])], path, strict=True))
        goals = [Goal(way.judge, queue, wanted=True) for queue, way in stations]
        goals += [
            Goal(way.judge, queue, wanted=False)
            for queue, decider in stations
            for way in path
            if way.position < decider.position
        ]
        self._effort.spend(len(goals))
        yield goals
        for queue, decider in stations:
            ways = self._list_ways(queue)
            earlier = ways[: bisect_left(ways, decider.position, key=_POSITION)]
            self._effort.spend(len(earlier))
            goals += [
                Goal(way.judge, queue, wanted=False)
                for way in earlier
                if way not in path and _takes_everybody(way.rule, at)
            ]
        yield goals

    def _list_ways(self, queue: str) -> list[Way]:
        """List the rules that can match in a queue, in their order, up to one that matches every call there."""
        if queue not in self._at:
            self._at[queue] = []
            candidates = sorted([*self._bound.get(queue, ()), *self._anywhere], key=lambda way: way.position)
            for way in candidates:
                self._effort.spend()
                verdict = way.judge({}, queue)
                if verdict != FALSE:
                    self._at[queue].append(way)
                if verdict == TRUE and way.rule.share is None and not (way.rule.valid_from or way.rule.valid_until):
                    break
        return self._at[queue]


def find_moment(rules: Sequence[Rule], now: float | None) -> float | None:
    """Find the first moment from `now` at which all rules are valid; `None` for never."""
    at = max([now or 0.0, *(rule.valid_from.timestamp() for rule in rules if rule.valid_from)])
    return at if all(rule.valid_until is None or at < rule.valid_until.timestamp() for rule in rules) else None


def _make_way(position: int, rule: Rule, ruleset: Ruleset, silent: set[object]) -> Way:
    needed = [Leaf(fact=fact, op=Operator.EXISTS) for fact in rule.then.needed_agents]
    condition = AllOf.model_construct(parts=(rule.when, *needed)) if needed else rule.when
    destination = ruleset.find_destination(rule.then.redirect) if rule.then.redirect else None
    leads = destination is not None and destination.kind is DestinationKind.QUEUE and rule.share != 0
    target = str(fold(destination.id)) if destination is not None and leads else ""
    return Way(position, rule, condition, "" if target in silent else target, make_judge(condition))


def _find_scope(condition: Condition) -> frozenset[str] | None:
    """List the queues outside of which a condition is never true; `None` for no such limit."""
    scopes = [
        frozenset(str(value) for value in list_members(part))
        for _, part in list_conjunction(condition)
        if isinstance(part, Leaf) and part.fact == QUEUE and part.op in {Operator.IS, Operator.IN}
    ]
    return frozenset.intersection(*scopes) if scopes else None


def _takes_everybody(rule: Rule, at: float) -> bool:
    return rule.share in {None, _EVERYBODY} and find_moment([rule], at) == at
