"""Rules that are never reached, because an earlier one takes every call they would match."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

from app.errors import Finding
from app.routing.documents import join_pointer
from app.routing.evaluation import list_members
from app.routing.lint_conditions import list_conjunction
from app.routing.rule import BARE, AllOf, AnyOf, Condition, Defined, Leaf, NotOf, Operator, Rule
from app.routing.ruleset import Ruleset

__all__ = ["find_shadowed"]

_EVERYBODY = 100
_ONE_OF = "one of"
Demand = tuple[Hashable, ...]
"""One condition of a conjunction, comparable with those of other rules; `(fact, "one of", values)` for lists."""
Demands = frozenset[Demand]


def find_shadowed(ruleset: Ruleset) -> Iterator[Finding]:
    """Find enabled rules that an earlier one, always valid and for everybody, leaves nothing to match.

    An earlier rule leaves nothing when each of its conditions is among the later one's, or wider: a list of values
    that holds all of the later rule's. Each rule is found again by the rarest of its conditions, so that thousands of
    rules are not compared with each other.
    """
    rules = enumerate(ruleset.expanded_rules)
    demands = {index: frozenset(_list_demands(rule, ruleset)) for index, rule in rules if rule.enabled}
    common = Counter(key for wanted in demands.values() for demand in wanted for key in _list_keys(demand))
    takers: dict[Demand, list[int]] = {}
    for index, wanted in demands.items():
        taker = _find_taker(wanted, takers, demands)
        if taker is not None:
            yield _report(ruleset.rules, index, taker)
        elif _takes_everybody(ruleset.rules[index]):
            for key in _choose_keys(wanted, common):
                takers.setdefault(key, []).append(index)


def _report(rules: Sequence[Rule], index: int, taker: int) -> Finding:
    return Finding(
        code="shadowed-rule",
        pointer=join_pointer("rules", index),
        message=f'"{rules[taker].id}" comes first and takes every call that this rule would match',
        hint=f'move the rule before "{rules[taker].id}", or remove it',
        rule=rules[index].id,
        severity="warning",
    )


def _takes_everybody(rule: Rule) -> bool:
    return rule.valid_from is None and rule.valid_until is None and rule.share in {None, _EVERYBODY}


def _find_taker(wanted: Demands, takers: Mapping[Demand, Sequence[int]], demands: Mapping[int, Demands]) -> int | None:
    keys: set[Demand] = {(), *(next(iter(_list_keys(demand))) for demand in wanted)}
    found = (index for key in keys for index in takers.get(key, ()) if _covers(demands[index], wanted))
    return min(found, default=None)


def _covers(earlier: Demands, later: Demands) -> bool:
    return all(demand in later or any(_is_wider(demand, other) for other in later) for demand in earlier)


def _is_wider(demand: Demand, other: Demand) -> bool:
    match demand, other:
        case (fact, "one of", frozenset() as values), (same, "one of", frozenset() as fewer):
            return fact == same and fewer <= values
        case _:
            return False


def _choose_keys(wanted: Demands, common: Mapping[Demand, int]) -> Sequence[Demand]:
    """Choose what to find a rule by: every key of its rarest condition; the empty one when it has none."""
    choices = [_list_keys(demand) for demand in wanted]
    return min(choices, key=lambda keys: max(common[key] for key in keys), default=[()])


def _list_keys(demand: Demand) -> Sequence[Demand]:
    """List the keys of a condition: one for each value of a list, of which any one finds it."""
    match demand:
        case (fact, "one of", frozenset() as values):
            return [(fact, _ONE_OF, value) for value in values]
        case _:
            return [demand]


def _list_demands(rule: Rule, ruleset: Ruleset) -> Iterator[Demand]:
    for _, part in list_conjunction(rule.when):
        yield _describe(part)
    for _, fact in ruleset.list_needs(rule.then):
        yield (fact, Operator.EXISTS)
    if (column := rule.then.redirect_to_column) is not None:
        yield (column, Operator.EXISTS)


def _describe(condition: Condition) -> Demand:
    match condition:
        case Leaf(op=Operator.IS | Operator.IN):
            return (condition.fact, _ONE_OF, frozenset(list_members(condition)))
        case Leaf():
            return (condition.fact, condition.op, *(() if condition.op in BARE else (list_members(condition),)))
        case Defined():
            return ("defined", condition.name)
        case NotOf():
            return ("not", _describe(condition.part))
        case AnyOf():
            return ("any", frozenset(_describe(part) for part in condition.parts))
        case AllOf():
            return ("all", frozenset(_describe(part) for _, part in list_conjunction(condition)))
