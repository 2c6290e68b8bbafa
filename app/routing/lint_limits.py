"""Rules that can never match: contradictions, empty or past validity, no share."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.errors import Finding
from app.routing.condition import ORDERED, AllOf, AnyOf, Condition, Leaf, NotOf, Operator
from app.routing.conditions import compile_predicate, list_members
from app.routing.ruleset import Rule

__all__ = ["find_contradictions", "find_limit_faults", "list_conjunction"]


def find_contradictions(rule: Rule, pointer: str) -> Iterator[Finding]:
    """Find, in any conjunction, comparisons of one fact that no value can meet together."""
    for place, leaves in _list_conjunctions(rule.when, pointer):
        by_fact: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            by_fact.setdefault(leaf.fact, []).append(leaf)
        for fact, group in by_fact.items():
            if len(group) > 1 and not _can_be_met(group):
                message, hint = f"no value of {fact} meets all its conditions", "use `any`, or `in`, for alternatives"
                yield Finding(code="contradiction", pointer=place, message=message, hint=hint, rule=rule.id)
    for place, part in list_conjunction(rule.when, pointer):
        if isinstance(part, AnyOf) and not part.parts:
            message, hint = "an `any` without parts is never true", "add a condition"
            yield Finding(code="contradiction", pointer=place, message=message, hint=hint, rule=rule.id)


def find_limit_faults(rule: Rule, pointer: str, now: float | None) -> Iterator[Finding]:
    """Find a validity that is empty or past, and a share of nobody."""
    start, end = rule.valid_from, rule.valid_until
    if start is not None and end is not None and start >= end:
        message, hint = "the rule is valid until before it is valid from", "swap the two"
        yield Finding(code="empty-validity", pointer=f"{pointer}/valid_until", message=message, hint=hint, rule=rule.id)
    elif end is not None and now is not None and end.timestamp() <= now:
        message, hint = "the rule is no longer valid", "remove it, or move `valid_until`"
        yield _warn("expired", f"{pointer}/valid_until", message, hint, rule.id)
    if rule.share == 0:
        yield _warn("no-share", f"{pointer}/share", "a share of 0 is nobody's", "disable the rule instead", rule.id)


def list_conjunction(condition: Condition, pointer: str = "") -> Iterator[tuple[str, Condition]]:
    """List the parts that must all be true, with their pointers; conjunctions within conjunctions are taken apart."""
    if isinstance(condition, AllOf):
        for index, part in enumerate(condition.parts):
            yield from list_conjunction(part, f"{pointer}/all/{index}")
    else:
        yield pointer, condition


def _warn(code: str, pointer: str, message: str, hint: str, rule: str) -> Finding:
    return Finding(code=code, pointer=pointer, message=message, hint=hint, rule=rule, severity="warning")


def _list_conjunctions(condition: Condition, pointer: str) -> Iterator[tuple[str, list[Leaf]]]:
    parts = list(list_conjunction(condition, pointer))
    yield pointer, [part for _, part in parts if isinstance(part, Leaf)]
    for place, part in parts:
        if isinstance(part, NotOf):
            yield from _list_conjunctions(part.part, f"{place}/not")
        elif isinstance(part, AnyOf):
            for index, alternative in enumerate(part.parts):
                yield from _list_conjunctions(alternative, f"{place}/any/{index}")


def _can_be_met(leaves: Sequence[Leaf]) -> bool:
    known = [leaf for leaf in leaves if leaf.op is not Operator.IS_UNKNOWN]
    if len(known) != len(leaves):
        return not known
    candidates = _list_candidates(known)
    predicates = [compile_predicate(leaf) for leaf in known]
    return candidates is None or any(all(predicate(value) for predicate in predicates) for value in candidates)


def _list_candidates(leaves: Sequence[Leaf]) -> Sequence[object] | None:
    """List values such that, if none of them meets the conditions, none does; `None` when that cannot be told."""
    for leaf in leaves:
        if leaf.op in {Operator.IS, Operator.IN}:
            return list_members(leaf)
    bounds = [value for leaf in leaves if leaf.op in ORDERED for value in list_members(leaf)]
    numbers = sorted(value for value in bounds if isinstance(value, int | float))
    if not numbers or len(numbers) != len(bounds):
        return None
    between = [(low + high) / 2 for low, high in pairwise(numbers)]
    return [numbers[0] - 1, *numbers, *between, numbers[-1] + 1]
