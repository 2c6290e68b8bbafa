"""Finds redirect loops: rules that send a call from queue A to queue B, whose own webhook asks again, and back to A.

Queues are those that enabled rules redirect to. A loop is an error when a call can be named that really goes round:
one whose facts fit together and with which, at each queue of the loop, the rule that leads on is the first to match.
All rules count, not only those of the loop. When such a call exists only if the queues carry certain target ids,
which nothing here tells, the loop is a warning.

A redirect to the queue the call is in is no loop: it keeps the call there. A destination with `webhook: false` is a
queue that does not ask this service, so that its calls go no further. Not looked at: `on_fail`, agents and numbers.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from app.errors import Finding
from app.routing.conditions import fold
from app.routing.documents import join_pointer
from app.routing.facts import FactValue, Unknown
from app.routing.loop_witness import Effort, EffortSpentError, Setting, WitnessSearch
from app.routing.moments import CalendarFacts
from app.routing.partial_verdicts import Values
from app.routing.queue_network import QueueNetwork, Way, find_moment
from app.routing.registry import find_fact
from app.routing.ruleset import Ruleset, list_leaves

__all__ = ["Loop", "find_loop_faults", "list_loops"]

_MAX_STEPS = 100_000
_MAX_LOOPS = 20
_MAX_TOLD = 3


@dataclass(frozen=True, slots=True)
class Loop:
    """Rules that send a call round, and a call that goes."""

    path: tuple[Way, ...]
    """In the order of the call's way; the first decides in the queue that the last one redirects to."""
    witness: Values
    certain: bool
    """Whether it goes round whatever target ids the queues carry."""


def find_loop_faults(ruleset: Ruleset, now: float | None) -> Iterator[Finding]:
    """Report every loop, once, at the first of its rules: at most 20, and as far as 100,000 steps reach.

    `now`, in seconds since the epoch, counts for the validity of rules and opening hours.
    """
    labels = {fold(spec.id): spec.label or name for name, spec in ruleset.destinations.items()}
    try:
        for loop in islice(list_loops(ruleset, now), _MAX_LOOPS):
            yield _report(loop, labels)
    except EffortSpentError:
        yield Finding(
            code="redirect-loops-unchecked",
            pointer="/rules",
            message="there are too many ways between queues to look at all of them for loops",
            hint="bind rules to queues with call.queue_id",
            severity="warning",
        )


def list_loops(ruleset: Ruleset, now: float | None) -> Iterator[Loop]:
    """List the loops of a ruleset, each with a call that goes round; raises EffortSpentError."""
    effort = Effort(_MAX_STEPS)
    network = QueueNetwork(ruleset, effort=effort)
    search = WitnessSearch(leaves=network.list_leaves(), clockwork=CalendarFacts(ruleset), effort=effort)
    tags: dict[str, list[FactValue]] = {}
    for name, spec in ruleset.destinations.items():
        tags.setdefault(str(fold(spec.id)), []).extend(filter(None, (spec.id, name, spec.label)))
    found: set[frozenset[int]] = set()
    for path in network.walk():
        rules = frozenset(way.position for way in path)
        if rules in found:
            continue
        for certain, names in ((True, tags), (False, {})):
            witness = _find_witness(path, network, search, names, now)
            if witness is not None:
                found.add(rules)
                yield Loop(path, witness, certain)
                break


def _find_witness(
    path: Sequence[Way],
    network: QueueNetwork,
    search: WitnessSearch,
    tags: Mapping[str, Sequence[FactValue]],
    now: float | None,
) -> Values | None:
    witness = None
    at = find_moment([way.rule for way in path], now)
    if at is not None:
        setting = Setting([leaf for way in path for _, leaf in list_leaves(way.condition)], tags, at)
        for goals in network.list_goals(path, at):
            witness = search.find(goals, setting)
            if witness is None:
                return None
    return witness


def _report(loop: Loop, labels: Mapping[object, str]) -> Finding:
    first = min(loop.path, key=lambda way: way.position)
    place = loop.path.index(first)
    turned = loop.path[place:] + loop.path[:place]
    way = " -> ".join([labels[turned[-1].target], *(labels[step.target] for step in turned)])
    rules = ", ".join(f'"{step.rule.id}"' for step in turned)
    word = "goes" if loop.certain else "can go"
    return Finding(
        code="redirect-loop",
        pointer=join_pointer("rules", first.position, "then", "redirect"),
        message=f"the same call {word} in a circle, {way}, by the rules {rules}{_describe_witness(loop)}",
        hint="bind one of them to other queues with call.queue_id, or set `webhook` to false at the destination "
        "whose queue does not ask this service",
        rule=first.rule.id,
        severity="error" if loop.certain else "warning",
    )


def _describe_witness(loop: Loop) -> str:
    """Name what the rules of the loop ask of the call, and what it says; nothing personal, and no more than three."""
    asked = dict.fromkeys(leaf.fact for way in loop.path for _, leaf in list_leaves(way.rule.when))
    told = [
        f"{fact} is {_spell(loop.witness[fact])}"
        for fact in asked
        if fact in loop.witness and not ((spec := find_fact(fact)) and spec.personal)
    ]
    return f", for example when {' and '.join(told[:_MAX_TOLD])}" if told else ""


def _spell(value: FactValue) -> str:
    return "unknown" if isinstance(value, Unknown) else json.dumps(value, ensure_ascii=False)
