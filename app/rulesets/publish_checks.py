"""Everything that must be right before a ruleset goes live, asked at once and reported at once."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import Finding, InvalidInputError
from app.routing.compiled import compile_ruleset
from app.routing.lint import lint_ruleset
from app.routing.ruleset import Ruleset, find_lost_destinations, read_ruleset
from app.routing.wire import ResponseProfile
from app.rulesets.comparison import Comparer
from app.rulesets.coverage import Coverage
from app.rulesets.difference_counts import DifferenceCounts
from app.rulesets.effects import Names
from app.rulesets.known_columns import ColumnCatalogue, read_known_columns
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.publish_limits import PublishLimits, PublishLimitsRepository
from app.rulesets.replay import Decisions, ReplayPlan, run_replay
from app.rulesets.targets import TargetCatalogue, find_lost_targets

__all__ = ["PublishChecks", "PublishReport"]

_DAY = 86_400.0
_DIFFS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What the gates say."""

    findings: tuple[Finding, ...]
    replay: Mapping[str, Any] | None = None
    """The replay's counts, groups and first differences (see `Tally.document`); `None` when none was asked for."""

    @property
    def publishable(self) -> bool:
        """Whether nothing refuses the ruleset."""
        return all(finding.severity != "error" for finding in self.findings)


class PublishChecks:
    """Asks lint with stored tests and redirect loops, Dataverse, Enreach, coverage and the replay limits."""

    def __init__(
        self,
        *,
        profile: ResponseProfile,
        region: str,
        columns: ColumnCatalogue,
        targets: TargetCatalogue | None,
        coverage: Coverage,
        limits: PublishLimitsRepository,
        decisions: Decisions,
        live_ruleset: LiveRuleset,
        clock: Callable[[], float],
    ) -> None:
        """`targets` is `None` when the Enreach API is not configured; `region` completes numbers (ISO 3166-1)."""
        self._profile = profile
        self._region = region
        self._columns = columns
        self._targets = targets
        self._coverage = coverage
        self._limits = limits
        self._decisions = decisions
        self._live_ruleset = live_ruleset
        self._clock = clock

    async def inspect(self, document: object) -> PublishReport:
        """Judge a ruleset document; a document that cannot be read is a report too. Raises StoreError."""
        try:
            ruleset = await asyncio.to_thread(read_ruleset, document)
        except InvalidInputError as error:
            return PublishReport(error.findings or (Finding(code="unreadable", pointer="", message=error.detail),))
        now = self._clock()
        limits = (await self._limits.read()).limits
        findings = await self._lint(ruleset, now)
        if self._targets is not None:
            silence = "error" if limits.refuse_when_enreach_silent else "warning"
            findings += await find_lost_targets(ruleset, self._targets, silence=silence)
        findings += await self._coverage.find_quiet_rules(ruleset, now=now)
        replay, excess = await self._measure(ruleset, limits, now)
        ordered = sorted([*findings, *excess], key=lambda finding: finding.severity != "error")
        return PublishReport(tuple(ordered), replay)

    async def _lint(self, ruleset: Ruleset, now: float) -> list[Finding]:
        """Lint in a thread, because thousands of rules take longer than a call may wait."""
        known, silence = None, list[Finding]()
        if not any(True for _ in find_lost_destinations(ruleset)):
            rules = await asyncio.to_thread(compile_ruleset, ruleset, revision=None)
            known, silence = await read_known_columns(rules, self._columns)
        found = await asyncio.to_thread(
            lint_ruleset, ruleset, self._profile, known_columns=known, now=now, region=self._region
        )
        return [*found, *silence]

    async def _measure(
        self, ruleset: Ruleset, limits: PublishLimits, now: float
    ) -> tuple[Mapping[str, Any] | None, list[Finding]]:
        if not limits.wants_replay or any(True for _ in find_lost_destinations(ruleset)):
            return None, []
        tally = DifferenceCounts(Names(ruleset, self._live_ruleset.current().ruleset), most_calls=_DIFFS_SHOWN)
        comparer = Comparer(await asyncio.to_thread(compile_ruleset, ruleset, revision=None), self._profile)
        plan = ReplayPlan(since=now - limits.days * _DAY, sample=limits.calls)
        await run_replay(comparer, plan, tally, decisions=self._decisions, report=_go_on)
        document = tally.document()
        excess = limits.find_excess(tally.calls, tally.changed)
        return document, [_refuse(document["summary"], excess)] if excess else []


async def _go_on(_: int) -> bool:
    return True


def _refuse(summary: str, excess: str) -> Finding:
    return Finding(
        code="too-many-changes",
        pointer="",
        message=f"replayed over recorded calls: {summary}; {excess}",
        hint="look at the replay of the draft, or raise the limit at /admin/rulesets/publish-limits",
    )
