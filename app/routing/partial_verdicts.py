"""Judges conditions of which not every fact has a value yet."""

from collections.abc import Callable, Mapping, Sequence

from app.routing.condition import AllOf, AnyOf, Condition, Leaf, NotOf
from app.routing.conditions import FALSE, TRUE, UNKNOWN, compile_leaf, fold
from app.routing.facts import FactValue
from app.routing.registry import FactSource

__all__ = ["QUEUE", "STATUS", "TARGET", "Judge", "Values", "depends_on_status", "make_judge"]

QUEUE, TARGET, STATUS = "call.queue_id", "call.target_id", "caller.status"
_OF_THE_NUMBER = frozenset({"call.caller", "call.country", "call.withheld"})

Values = Mapping[str, FactValue]
"""Values by fact; the target id, which is another in each queue, by `call.target_id` and, after a space, the queue."""
Judge = Callable[[Values, str], int | str]
"""Tells the verdict from values in a queue, or which fact must have a value before it can be told."""


def make_judge(condition: Condition) -> Judge:
    """Make what judges a condition."""
    match condition:
        case Leaf():
            return _judge_leaf(condition)
        case NotOf():
            return _turn_round(make_judge(condition.part))
        case AllOf():
            return _join([make_judge(part) for part in condition.parts], decisive=FALSE)
        case AnyOf():
            return _join([make_judge(part) for part in condition.parts], decisive=TRUE)


def depends_on_status(leaf: Leaf) -> bool:
    """Tell whether what a fact can be depends on the status of the caller."""
    return leaf.fact in _OF_THE_NUMBER or (leaf.spec.source is FactSource.CALLER and leaf.fact != STATUS)


def _judge_leaf(leaf: Leaf) -> Judge:
    test, fact = compile_leaf(leaf, 0), leaf.fact
    if fact == QUEUE:
        return lambda _, queue: test([queue])
    if fact == TARGET:
        return lambda values, queue: test([fold(values[key])]) if (key := f"{TARGET} {queue}") in values else key
    first = STATUS if depends_on_status(leaf) else fact

    def judge(values: Values, _: str) -> int | str:
        if fact in values:
            return test([fold(values[fact])])
        return fact if first in values else first

    return judge


def _turn_round(inner: Judge) -> Judge:
    def judge(values: Values, queue: str) -> int | str:
        found = inner(values, queue)
        return found if isinstance(found, str) else -found

    return judge


def _join(parts: Sequence[Judge], *, decisive: int) -> Judge:
    def judge(values: Values, queue: str) -> int | str:
        verdict, undecided = -decisive, ""
        for part in parts:
            found = part(values, queue)
            if found == decisive:
                return decisive
            if isinstance(found, str):
                undecided = undecided or found
            elif found == UNKNOWN:
                verdict = UNKNOWN
        return undecided or verdict

    return judge
