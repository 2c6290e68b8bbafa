"""Redirect loops: rules that send a call from queue A to queue B, whose own webhook asks again, and back to A.

A walk over the queues warns of rules that could do that. A call that really goes round, when it is followed from queue
to queue, is an error. Queues are those that enabled rules redirect to.

A redirect to the queue the call is in is no loop: it keeps the call there. A destination with `webhook: false` is a
queue that does not ask this service, so that its calls go no further. Not followed: `on_fail`, agents, numbers and
columns of tables, but for calls that are followed.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import NamedTuple

from app.errors import Finding
from app.routing.callers import Cause
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import Decision, DestinationKind
from app.routing.documents import join_pointer
from app.routing.evaluation import FALSE, TRUE, UNKNOWN, Test, all_of, any_of, compile_leaf, fold, list_members, not_of
from app.routing.facts import FactValue, Unknown
from app.routing.lint_conditions import can_be_met, list_conjunction
from app.routing.rule import AllOf, AnyOf, Condition, Defined, Leaf, NotOf, Operator, Rule, list_leaves
from app.routing.ruleset import Ruleset

__all__ = ["CallFollower", "find_loops", "report_loop"]

_QUEUE, _TARGET_ID = "call.queue_id", "call.target_id"
_OF_THE_PLACE = frozenset({_QUEUE, _TARGET_ID})
_OTHER_TARGET_ID = Unknown(Cause.NOT_FETCHED, "which target id the next queue has is not known here")
_OTHER_ROW = Unknown(Cause.NOT_FETCHED, "which row the next queue finds is not known here")
_MAX_STEPS = 50_000
"""Of the walk: about a second."""
_MAX_LOOPS = 20
_EVERYBODY = 100
_POSITION = attrgetter("position")


class CallFollower:
    """Follows calls from queue to queue, as long as each queue asks this service and is told another one."""

    def __init__(self, rules: CompiledRuleset) -> None:
        self._rules = rules
        self._silent = _list_silent(rules.ruleset)
        self._stale = dict.fromkeys(rules.data_facts.list_found_by(_OF_THE_PLACE), _OTHER_ROW)

    def find_loop(self, facts: Mapping[str, FactValue], now: float) -> tuple[Decision, ...]:
        """Return the decisions that send a call round, in the order of its way; none when it comes to rest.

        The last one redirects to the queue in which the first one was made. Every fact but the queue stays; the
        target id is unknown from the second queue on, because no queue tells the one it has, and so is what tables
        tell of either.
        """
        queues, decisions = [fold(facts.get(_QUEUE))], list[Decision]()
        while True:
            decision = self._rules.decide(facts, now)
            target = decision.target
            if target is None or target.kind is not DestinationKind.QUEUE:
                return ()
            queue = fold(target.id)
            if queue == queues[-1] or queue in self._silent:
                return ()
            decisions.append(decision)
            if queue in queues:
                return tuple(decisions[queues.index(queue) :])
            queues.append(queue)
            facts = {**facts, **self._stale, _QUEUE: target.id, _TARGET_ID: _OTHER_TARGET_ID}


def report_loop(loop: Sequence[Decision], pointer: str, whose: str) -> Finding:
    """Report a call that really goes round; `whose` names it at the begin of the message."""
    names = [decision.target.label or decision.target.name or "" for decision in loop if decision.target]
    rules = [decision.rule or "" for decision in loop]
    return _report(pointer, f"{whose} goes in a circle", names, rules, "error")


def find_loops(ruleset: Ruleset, now: float | None) -> Iterator[Finding]:
    """Warn of every loop that rules could make, once, at the first of its rules: at most 20, the shortest first.

    Of a call only the queue counts, that rules which do not look at it decide in every queue, and that no value of a
    fact meets conditions that contradict each other. `now`, in seconds since the epoch, leaves out rules that are over.
    """
    labels = {fold(spec.id): spec.label or name for name, spec in ruleset.destinations.items()}
    network = _QueueNetwork(ruleset, now)
    for path in islice(network.walk(), _MAX_LOOPS):
        first = min(range(len(path)), key=lambda index: path[index].position)
        turned = path[first:] + path[:first]
        pointer = join_pointer("rules", turned[0].position, "then", turned[0].rule.then.choice)
        names = [labels[way.target] for way in turned]
        yield _report(pointer, "the same call can go in a circle", names, [way.rule.id for way in turned], "warning")
    if network.steps_left < 0:
        yield Finding(
            code="redirect-loops-unchecked",
            pointer="/rules",
            message="there are too many ways between queues to look at all of them for loops",
            hint="bind rules to queues with call.queue_id",
            severity="warning",
        )


def _report(pointer: str, what: str, queues: Sequence[str], rules: Sequence[str], severity: str) -> Finding:
    way = " -> ".join([queues[-1], *queues])
    named = ", ".join(f'"{rule}"' for rule in rules)
    return Finding(
        code="redirect-loop",
        pointer=pointer,
        message=f"{what}, {way}, by the rules {named}",
        hint="bind one of them to other queues with call.queue_id, or set `webhook` to false at the destination "
        "whose queue does not ask this service",
        rule=rules[0],
        severity=severity,
    )


class _Way(NamedTuple):
    """An enabled rule, as it counts for a call that is sent on."""

    position: int
    rule: Rule
    judge: Test
    """Its verdict where only the queue is known."""
    target: str
    """The queue it redirects to, if that asks this service in its turn; else empty."""
    by_place: bool
    """Whether its verdict may change when the call comes to another queue."""


class _QueueNetwork:
    """The ways between queues."""

    def __init__(self, ruleset: Ruleset, now: float | None) -> None:
        self.steps_left = _MAX_STEPS
        silent = _list_silent(ruleset)
        self._ruleset = ruleset
        self._ways = [
            _Way(
                position=position,
                rule=rule,
                judge=_compile_for_queue(rule.when),
                target=target,
                by_place=any(leaf.fact in _OF_THE_PLACE for _, leaf in list_leaves(rule.when)),
            )
            for position, rule in enumerate(ruleset.expanded_rules)
            for target in _list_targets(rule, ruleset, silent)
            if rule.enabled and not (now is not None and rule.valid_until and rule.valid_until.timestamp() <= now)
        ]
        self._bound: dict[str | None, list[_Way]] = {}
        for way in self._ways:
            for queue in _list_queues(way.rule.when):
                self._bound.setdefault(queue, []).append(way)

    def walk(self) -> Iterator[tuple[_Way, ...]]:
        """Go along the rules from each queue, never twice to one, and give every way that comes back to its start.

        The shortest come first; each set of rules is given once. Ends early when there are no steps left.
        """
        queues = dict.fromkeys(way.target for way in self._ways if way.target)
        order = {queue: place for place, queue in enumerate(queues)}
        ways = {queue: self._list_ways(queue) for queue in queues}
        open_paths: deque[tuple[str, tuple[_Way, ...]]] = deque((queue, ()) for queue in queues)
        found: set[frozenset[int]] = set()
        while open_paths and self.steps_left >= 0:
            start, path = open_paths.popleft()
            seen = {start, *(way.target for way in path)}
            for way in ways[path[-1].target if path else start]:
                self.steps_left -= 1
                longer = (*path, way)
                rules = frozenset(way.position for way in longer)
                if way.target == start and rules not in found and self._fit_together(longer):
                    found.add(rules)
                    yield longer
                # From the first of its queues only, so that no loop is walked once for each of them.
                elif way.target not in seen and order[way.target] > order[start]:
                    open_paths.append((start, longer))

    def _list_ways(self, queue: str) -> list[_Way]:
        """List the rules that can send a call from a queue to another one, up to one that matches every call there."""
        found, last = list[_Way](), None
        for way in sorted([*self._bound.get(queue, ()), *self._bound.get(None, ())], key=_POSITION):
            self.steps_left -= 1
            if self.steps_left < 0 or last not in {None, way.position}:
                break
            verdict = way.judge([queue])
            if verdict != FALSE and way.target not in {"", queue}:
                found.append(way)
            if verdict == TRUE and _takes_everybody(way.rule, self._ruleset):
                last = way.position
        return found

    def _fit_together(self, ways: Sequence[_Way]) -> bool:
        """Tell whether each of these rules can decide the same call in its queue.

        A rule that does not look at the queue decides in all queues before the rules after it. And no conditions on one
        fact may contradict each other, but for the facts that change with the queue.
        """
        if not all(way.by_place for way in sorted(ways, key=_POSITION)[:-1]):
            return False
        by_fact: dict[str, list[Leaf]] = {}
        for _, part in chain.from_iterable(list_conjunction(way.rule.when) for way in ways):
            if isinstance(part, Leaf) and part.fact not in _OF_THE_PLACE:
                by_fact.setdefault(part.fact, []).append(part)
        self.steps_left -= sum(len(leaves) for leaves in by_fact.values())
        return all(len(leaves) == 1 or can_be_met(leaves) for leaves in by_fact.values())


def _compile_for_queue(condition: Condition) -> Test:
    match condition:
        case Leaf(fact="call.queue_id") if condition.op is not Operator.IN_TABLE:
            return compile_leaf(condition, 0)
        case Leaf() | Defined():
            return lambda _: UNKNOWN
        case NotOf():
            return not_of(_compile_for_queue(condition.part))
        case AllOf():
            return all_of([_compile_for_queue(part) for part in condition.parts])
        case AnyOf():
            return any_of([_compile_for_queue(part) for part in condition.parts])


def _list_targets(rule: Rule, ruleset: Ruleset, silent: frozenset[object]) -> Iterable[str]:
    """List the queues a rule redirects to that ask this service in their turn; one empty name for none."""
    names = [] if rule.share == 0 else [name for place, name in rule.then.destinations if place != "on_fail"]
    found = chain.from_iterable(ruleset.find_members(name).values() for name in names)
    queues = [fold(place.id) for place in found if place.kind is DestinationKind.QUEUE]
    return [str(queue) for queue in queues if queue not in silent] or [""]


def _list_silent(ruleset: Ruleset) -> frozenset[object]:
    return frozenset(fold(spec.id) for spec in ruleset.destinations.values() if not spec.webhook)


def _list_queues(condition: Condition) -> Iterable[str | None]:
    """List the queues outside of which a condition is never true; `None` alone for no such limit."""
    for _, part in list_conjunction(condition):
        if isinstance(part, Leaf) and part.fact == _QUEUE and part.op in {Operator.IS, Operator.IN}:
            return frozenset(str(value) for value in list_members(part))
    return (None,)


def _takes_everybody(rule: Rule, ruleset: Ruleset) -> bool:
    unlimited = rule.valid_from is None and rule.valid_until is None and rule.share in {None, _EVERYBODY}
    return unlimited and not ruleset.list_needs(rule.then)
