"""Which rules can match a call at all, told by one value each of them insists on."""

from collections.abc import Sequence

from app.routing.compiled_rule import CompiledRule

__all__ = ["RuleIndex"]


class RuleIndex:
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
