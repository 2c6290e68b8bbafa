"""Which rules can match a call at all, by the queue or the number it came to."""

from collections.abc import Mapping, Sequence

from app.routing.compiled_rule import CompiledRule
from app.routing.conditions import fold
from app.routing.facts import FactValue

__all__ = ["RuleIndex"]


class RuleIndex:
    """Passes over the rules that are bound to another target id, queue or called number than the call's."""

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self._rules = tuple(rules)
        self._free = [rule.position for rule in rules if rule.scope is None]
        self._bound: dict[str, dict[object, list[int]]] = {}
        for rule in rules:
            if rule.scope is not None:
                fact, values = rule.scope
                for value in values:
                    self._bound.setdefault(fact, {}).setdefault(value, []).append(rule.position)

    def select(self, facts: Mapping[str, FactValue]) -> Sequence[CompiledRule]:
        """Return the rules that may match, in their order."""
        if not self._bound:
            return self._rules
        positions = self._free
        for fact, places in self._bound.items():
            if found := places.get(fold(facts[fact])):
                positions = positions + found
        return [self._rules[position] for position in sorted(positions)]
