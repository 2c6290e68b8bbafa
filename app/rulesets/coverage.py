"""Which rules match, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.calls.store import DecisionStore
from app.routing.rule import Rule
from app.routing.ruleset import Ruleset

__all__ = ["Coverage", "CoverageReport", "RuleCoverage"]

_DAY = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """One rule and the calls it decided."""

    id: str
    name: str
    enabled: bool
    calls: int


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Who decided the calls of some days; by the id of the rule, whatever the revision."""

    days: int
    calls: int
    rules: tuple[RuleCoverage, ...]
    unmatched: int
    """Calls no rule matched."""
    others: Mapping[str, int]
    """Calls by rules that this ruleset does not have."""


class Coverage:
    """Counts decisions by rule."""

    def __init__(self, *, decisions: DecisionStore) -> None:
        self._decisions = decisions

    async def count(self, ruleset: Ruleset, *, days: int, now: float) -> CoverageReport:
        """Count the real calls of the last `days` (1 to 3650) by the rules of this ruleset. Raises StoreError."""
        counts = await self._decisions.count_by_rule(now - days * _DAY)
        mine = {rule.id for rule in ruleset.rules}
        return CoverageReport(
            days=days,
            calls=sum(counts.values()),
            rules=tuple(_cover(rule, counts) for rule in ruleset.rules),
            unmatched=counts.get(None, 0),
            others={rule: calls for rule, calls in counts.items() if rule is not None and rule not in mine},
        )


def _cover(rule: Rule, counts: Mapping[str | None, int]) -> RuleCoverage:
    return RuleCoverage(rule.id, rule.name, rule.enabled, counts.get(rule.id, 0))
