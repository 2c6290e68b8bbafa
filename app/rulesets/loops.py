"""Finds rules that send a call in a circle: from queue A to queue B, whose own webhook asks again, and back to A.

What is looked at: queues that enabled rules redirect to. A call in queue A goes to B when a rule that can match in A
redirects to B. Where a rule can match is told by its outermost `call.queue_id` and `call.target_id` conditions; one
without them can match anywhere. Everything else about a call is taken to stay the same while it is sent on.

A circle is reported when at each of its queues its rule can be the first to match, that is, no rule of the circle that
still holds there comes before it, and when one call can meet the conditions of all its rules. Circles of any length
are found. A redirect to the queue the call is in is no circle: it keeps the call there. Not looked at: `on_fail`,
agents, numbers, and whether Enreach calls this service for each of the queues.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.errors import Finding
from app.routing.condition import AllOf, Condition, Leaf, Operator
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.lint_limits import find_contradictions, list_conjunction
from app.routing.ruleset import Rule, Ruleset, list_leaves

__all__ = ["find_loops"]

_MOST_STEPS = 50_000
_MOST_LOOPS = 20
_QUEUE, _TAG = "call.queue_id", "call.target_id"


@dataclass(frozen=True, slots=True)
class Edge:
    """One rule as a way from queues to a queue."""

    position: int
    rule: Rule
    target: str
    queues: frozenset[str] | None
    """Where the rule can match; `None` for anywhere."""
    outside: frozenset[str]
    """Queues where it cannot."""
    tags: frozenset[str] | None
    opaque: bool
    """Whether queue or target id count in a way that is not looked into."""

    def can_match(self, queue: str) -> bool:
        """Tell whether the rule can match in a queue."""
        return queue not in self.outside and (self.queues is None or queue in self.queues)

    def holds_with(self, other: "Edge", queue: str) -> bool:
        """Tell whether the rule, once matched by a call, certainly matches it in the queue where the other does."""
        fits = self.tags is None or (other.tags is not None and other.tags <= self.tags)
        return fits and not self.opaque and self.can_match(queue)


def find_loops(ruleset: Ruleset) -> Iterator[Finding]:
    """Warn of every circle, once, at the first of its rules; at most 20, and as far as 50,000 steps reach."""
    edges = [edge for place, rule in enumerate(ruleset.rules) if (edge := _make_edge(place, rule, ruleset))]
    labels = {_fold(spec.id): spec.label or name for name, spec in ruleset.destinations.items()}
    found: set[frozenset[int]] = set()
    for path in _walk(edges):
        rules = frozenset(edge.position for edge in path)
        if rules not in found and _is_first_everywhere(path) and _can_meet_all(path):
            found.add(rules)
            yield _report(path, labels)
        if len(found) >= _MOST_LOOPS:
            return


def _make_edge(position: int, rule: Rule, ruleset: Ruleset) -> Edge | None:
    destination = ruleset.find_destination(rule.then.redirect) if rule.enabled and rule.then.redirect else None
    if destination is None or destination.kind is not DestinationKind.QUEUE:
        return None
    outer = [part for _, part in list_conjunction(rule.when) if isinstance(part, Leaf)]
    scopes = [leaf for leaf in outer if leaf.op in {Operator.IS, Operator.IN}]
    exclusions = [leaf for leaf in outer if leaf.op in {Operator.IS_NOT, Operator.NOT_IN}]
    plain = sum(leaf.fact == _QUEUE for leaf in (*scopes, *exclusions)) + sum(leaf.fact == _TAG for leaf in scopes)
    mentioned = sum(leaf.fact in {_QUEUE, _TAG} for _, leaf in list_leaves(rule.when))
    return Edge(
        position=position,
        rule=rule,
        target=_fold(destination.id),
        queues=_intersect(leaf for leaf in scopes if leaf.fact == _QUEUE),
        outside=frozenset(value for leaf in exclusions if leaf.fact == _QUEUE for value in _list_values(leaf)),
        tags=_intersect(leaf for leaf in scopes if leaf.fact == _TAG),
        opaque=mentioned > plain,
    )


def _intersect(leaves: Iterator[Leaf]) -> frozenset[str] | None:
    sets = [frozenset(_list_values(leaf)) for leaf in leaves]
    return frozenset.intersection(*sets) if sets else None


def _list_values(leaf: Leaf) -> list[str]:
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    return [_fold(str(value)) for value in values]


def _fold(text: str) -> str:
    return text.strip().casefold()


def _walk(edges: Sequence[Edge]) -> Iterator[tuple[Edge, ...]]:
    """Go along the edges from each queue, never twice to one, and give every way that comes back to its start.

    A circle is given once: it starts at the first of its queues.
    """
    queues = list(dict.fromkeys(edge.target for edge in edges))
    steps = 0
    for place, start in enumerate(queues):
        later = frozenset(queues[place:])
        stack: list[tuple[str, tuple[Edge, ...], frozenset[str]]] = [(start, (), frozenset({start}))]
        while stack:
            here, path, seen = stack.pop()
            for edge in edges:
                steps += 1
                if steps > _MOST_STEPS:
                    return
                if edge.target == here or edge.target not in later or edge in path or not edge.can_match(here):
                    continue
                if edge.target == start:
                    yield (*path, edge)
                elif edge.target not in seen:
                    stack.append((edge.target, (*path, edge), seen | {edge.target}))


def _is_first_everywhere(path: Sequence[Edge]) -> bool:
    """Tell whether at each queue of the circle no other rule of it holds that comes earlier."""
    queues = [path[-1].target, *(edge.target for edge in path[:-1])]
    return not any(
        other.position < edge.position and other.holds_with(edge, queue)
        for queue, edge in zip(queues, path, strict=True)
        for other in path
    )


def _can_meet_all(path: Sequence[Edge]) -> bool:
    conditions: list[Condition] = [
        part
        for edge in path
        for _, part in list_conjunction(edge.rule.when)
        if not (isinstance(part, Leaf) and part.fact in {_QUEUE, _TAG})
    ]
    together = path[0].rule.model_copy(update={"when": AllOf.model_construct(parts=tuple(conditions))})
    return not any(True for _ in find_contradictions(together, ""))


def _report(path: tuple[Edge, ...], labels: dict[str, str]) -> Finding:
    first = min(path, key=lambda edge: edge.position)
    turned = path[path.index(first) :] + path[: path.index(first)]
    start = labels[turned[-1].target]
    way = " -> ".join([start, *(labels[edge.target] for edge in turned)])
    rules = ", ".join(f'"{edge.rule.id}"' for edge in turned)
    return Finding(
        code="redirect-loop",
        pointer=join_pointer("rules", first.position, "then", "redirect"),
        message=f"the same call can go in a circle, {way}, by the rules {rules}",
        hint="bind one of them to other queues with call.queue_id; a circling call is ended by the hop limit",
        rule=first.rule.id,
        severity="warning",
    )
