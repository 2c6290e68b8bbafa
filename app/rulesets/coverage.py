"""Which rules match, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.calls.store import DecisionStore
from app.errors import Finding
from app.routing.documents import join_pointer
from app.routing.rule import Rule
from app.routing.ruleset import Ruleset, read_ruleset
from app.rulesets.store import RulesetStore
from app.web.limits import HeavyWork

__all__ = ["Coverage", "CoverageReport", "RuleCoverage"]

_DAY = timedelta(days=1).total_seconds()
_QUIET_DAYS = 30
_PAGE = 100


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

    def __init__(self, *, decisions: DecisionStore, rulesets: RulesetStore, heavy_work: HeavyWork) -> None:
        self._decisions = decisions
        self._rulesets = rulesets
        self._heavy_work = heavy_work

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

    async def find_quiet_rules(self, ruleset: Ruleset, *, now: float) -> list[Finding]:
        """Warn of enabled rules that have been published for 30 days and matched no call in that time."""
        old = await self._list_published_rules(before=now - _QUIET_DAYS * _DAY)
        if not old:
            return []
        counts = await self._decisions.count_by_rule(now - _QUIET_DAYS * _DAY)
        return [
            _warn(index, rule)
            for index, rule in enumerate(ruleset.rules)
            if rule.enabled and rule.id in old and not counts.get(rule.id)
        ]

    async def _list_published_rules(self, *, before: float) -> frozenset[str]:
        """List the rules of the revision that was live at that time."""
        after: str | None = None
        while True:
            page = await self._rulesets.list_revisions(limit=_PAGE, after=after)
            live = next((head for head in page.items if head.at <= before), None)
            if live is not None:
                revision = await self._rulesets.revision(live.number)
                ruleset = await self._heavy_work.run(read_ruleset, revision.document)
                return frozenset(rule.id for rule in ruleset.rules)
            after = page.next
            if after is None:
                return frozenset()


def _cover(rule: Rule, counts: Mapping[str | None, int]) -> RuleCoverage:
    return RuleCoverage(rule.id, rule.name, rule.enabled, counts.get(rule.id, 0))


def _warn(index: int, rule: Rule) -> Finding:
    return Finding(
        code="never-matched",
        pointer=join_pointer("rules", index),
        message=f"the rule has matched no call in {_QUIET_DAYS} days",
        hint="test it, disable it or remove it",
        rule=rule.id,
        severity="warning",
    )
