"""Everything that must be right before a ruleset goes live, checked at once and reported at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.calls.call_settings import CallSettings, LiveCallSettings
from app.calls.store import DecisionStore
from app.dataverse.column_types import ColumnTypes
from app.errors import MAX_FINDINGS, Finding, InvalidInputError
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.documents import join_pointer
from app.routing.lint import lint_ruleset
from app.routing.redirect_loops import report_loop
from app.routing.rule import Rule
from app.routing.rule_data import RuleData
from app.routing.ruleset import Ruleset, find_lost_destinations, read_ruleset, ruleset_document
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.replay.replayer import Replayer
from app.rulesets.replay.result import PlaceNames, ReplayPlan, ReplayResult, Slices, run_replay
from app.rulesets.store import RulesetStore
from app.rulesets.upstream_checks import EnreachTargets, find_lost_targets, read_columns
from app.store.settings_documents import SettingsDocumentStore, VersionedDocument
from app.web.limits import HeavyWork

__all__ = ["PublishChecks", "PublishLimits", "PublishReport", "find_losses", "open_publish_limits"]

_DAY = 86_400.0
_QUIET_DAYS = 30
_MAX_DIFFS = 20
"""Changed calls that a report lists; a replay lists all."""


class PublishLimits(BaseModel):
    """What a publish is measured against. Without any of the two limits nothing is replayed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"max_changed_percent": 5, "days": 7}]}
    )

    max_changed_calls: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="So many replayed calls may be decided otherwise; null for any number."
    )
    max_changed_percent: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="So many percent of the replayed calls may be decided otherwise; null for any share."
    )
    days: int = Field(default=7, ge=1, le=90, description="Calls of the last so many days are replayed.")
    calls: int = Field(default=2000, ge=1, le=20000, description="Of these, a sample of at most so many.")
    refuse_when_enreach_silent: bool = Field(
        default=False, description="Refuse to publish when the destinations cannot be checked; false only warns."
    )

    @property
    def wants_replay(self) -> bool:
        """Whether there is something to measure."""
        return self.max_changed_calls is not None or self.max_changed_percent is not None

    def find_excess(self, calls: int, changed: int) -> str:
        """Say which limit so many changes exceed; empty for none."""
        if self.max_changed_calls is not None and changed > self.max_changed_calls:
            return f"the limit is {self.max_changed_calls:,}"
        if self.max_changed_percent is not None and calls and changed / calls * 100 > self.max_changed_percent:
            return f"these are {changed / calls:.1%}, the limit is {self.max_changed_percent:g} %"
        return ""


def open_publish_limits(settings: SettingsDocumentStore) -> VersionedDocument[PublishLimits]:
    """Open the limits that administrators set, kept in the store."""
    return VersionedDocument(
        store=settings,
        name="publish_limits",
        model=PublishLimits,
        what="publish_limits.changed",
        target="settings/publish_limits",
    )


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What the publish checks found."""

    findings: tuple[Finding, ...]
    """Errors first, and at most 200."""
    replay: Mapping[str, Any] | None = None
    """The replay's counts, groups and first differences (`ReplayResult.document`); `None` when none was asked for."""

    columns: Mapping[str, Any] = field(default_factory=dict)
    """The columns that the rules read, described as the ruleset file does."""

    @property
    def publishable(self) -> bool:
        """Whether nothing refuses the ruleset."""
        return all(finding.severity != "error" for finding in self.findings)


async def find_losses(
    ruleset: Ruleset, present: CallSettings, wanted: CallSettings, *, heavy_work: HeavyWork
) -> list[Finding]:
    """Find what would keep a ruleset from being published by other settings, and does not by the present ones."""

    def lint(settings: CallSettings) -> list[Finding]:
        findings = lint_ruleset(ruleset, settings.profile, region=settings.region)
        return [finding for finding in findings if finding.severity == "error"]

    known = await heavy_work.run(lint, present)
    return [finding for finding in await heavy_work.run(lint, wanted) if finding not in known]


class PublishChecks:
    """Asks lint with stored tests and redirect loops, Dataverse, Enreach, coverage and the replay limits."""

    def __init__(
        self,
        *,
        live_settings: LiveCallSettings,
        column_types: ColumnTypes,
        enreach: EnreachTargets | None,
        limits: VersionedDocument[PublishLimits],
        rulesets: RulesetStore,
        decisions: DecisionStore,
        live_ruleset: LiveRuleset,
        read_data: Callable[[], RuleData],
        heavy_work: HeavyWork,
        clock: Callable[[], float],
    ) -> None:
        """`enreach` is `None` when the Enreach API is not configured."""
        self._live_settings = live_settings
        self._column_types = column_types
        self._enreach = enreach
        self._limits = limits
        self._rulesets = rulesets
        self._decisions = decisions
        self._live_ruleset = live_ruleset
        self._read_data = read_data
        self._heavy_work = heavy_work
        self._clock = clock

    async def inspect(self, document: object) -> PublishReport:
        """Judge a ruleset document; a document that cannot be read is a report too. Raises StoreError."""
        try:
            ruleset = await self._heavy_work.run(read_ruleset, document)
        except InvalidInputError as error:
            return PublishReport(error.findings or (Finding(code="unreadable", pointer="", message=error.detail),))
        now = self._clock()
        limits = (await self._limits.read()).value
        rules = await self._heavy_work.run(_compile, ruleset)
        findings, ruleset = await self._lint(ruleset, rules, now)
        if rules is not None and ruleset.columns:
            rules = await self._heavy_work.run(compile_ruleset, ruleset, revision=None)
        if self._enreach is not None:
            silence = "error" if limits.refuse_when_enreach_silent else "warning"
            findings += await find_lost_targets(ruleset, self._enreach, silence=silence)
        findings += await self._find_quiet_rules(ruleset, now)
        replay = None
        if rules is not None:
            if any(finding.code == "redirect-loop" for finding in findings):
                findings += await self._follow_recorded_calls(rules, limits, now)
            replay, excess = await self._measure(rules, limits, now)
            findings += excess
        ordered = sorted(findings, key=lambda finding: finding.severity != "error")
        return PublishReport(tuple(ordered[:MAX_FINDINGS]), replay, ruleset_document(ruleset).get("columns", {}))

    async def _lint(self, ruleset: Ruleset, rules: CompiledRuleset | None, now: float) -> tuple[list[Finding], Ruleset]:
        """Lint the ruleset, and return it with the columns it reads described."""
        known, silence = None, list[Finding]()
        if rules is not None:
            known, columns, silence = await read_columns(rules, self._column_types)
            ruleset = ruleset.describe_columns(columns)
        settings = self._live_settings.call_settings()
        found = await self._heavy_work.run(
            lint_ruleset,
            ruleset,
            settings.profile,
            known_columns=known,
            data=self._read_data(),
            now=now,
            region=settings.region,
        )
        return [*found, *silence], ruleset

    async def _find_quiet_rules(self, ruleset: Ruleset, now: float) -> list[Finding]:
        """Warn of enabled rules that have been published for 30 days and matched no call in that time."""
        since = now - _QUIET_DAYS * _DAY
        live = await self._rulesets.find_live_at(since)
        if live is None:
            return []
        old = {rule.id for rule in (await self._heavy_work.run(read_ruleset, live.document)).rules}
        counts = await self._decisions.count_by_rule(since)
        return [
            _warn_of_quiet(index, rule)
            for index, rule in enumerate(ruleset.rules)
            if rule.enabled and rule.id in old and not counts.get(rule.id)
        ]

    async def _follow_recorded_calls(self, rules: CompiledRuleset, limits: PublishLimits, now: float) -> list[Finding]:
        """Follow a sample of recorded calls from queue to queue, and refuse the first one that goes round."""
        replayer = self._make_replayer(rules)
        plan, slices = _plan(limits, now), Slices()
        async for record in self._decisions.stream(plan.make_filter(), sample=plan.sample):
            if loop := replayer.find_loop(record):
                position = next(index for index, rule in enumerate(rules.ruleset.rules) if rule.id == loop[0].rule)
                pointer = join_pointer("rules", position, "then", rules.ruleset.rules[position].then.choice)
                return [report_loop(loop, pointer, f"the recorded call {record.id}")]
            await slices.rest()
        return []

    def _make_replayer(self, rules: CompiledRuleset) -> Replayer:
        return Replayer(rules, self._live_settings.find_profile, self._read_data)

    async def _measure(
        self, rules: CompiledRuleset, limits: PublishLimits, now: float
    ) -> tuple[Mapping[str, Any] | None, list[Finding]]:
        if not limits.wants_replay:
            return None, []
        names = PlaceNames(rules.ruleset, self._live_ruleset.current().ruleset)
        result = ReplayResult(names, max_diffs=_MAX_DIFFS)
        await run_replay(self._make_replayer(rules), _plan(limits, now), result, decisions=self._decisions)
        document = result.document()
        excess = limits.find_excess(result.calls, result.changed)
        return document, [_refuse(document["summary"], excess)] if excess else []


def _compile(ruleset: Ruleset) -> CompiledRuleset | None:
    """Compile a ruleset; `None` for one that names destinations it does not have, and cannot run."""
    lost = any(True for _ in find_lost_destinations(ruleset))
    return None if lost else compile_ruleset(ruleset, revision=None)


def _plan(limits: PublishLimits, now: float) -> ReplayPlan:
    return ReplayPlan(since=now - limits.days * _DAY, sample=limits.calls)


def _refuse(summary: str, excess: str) -> Finding:
    return Finding(
        code="too-many-changes",
        pointer="",
        message=f"replayed over recorded calls: {summary}; {excess}",
        hint="look at the replay of the draft, or raise the limit at /admin/rulesets/publish-limits",
    )


def _warn_of_quiet(index: int, rule: Rule) -> Finding:
    return Finding(
        code="never-matched",
        pointer=join_pointer("rules", index),
        message=f"the rule has matched no call in {_QUIET_DAYS} days",
        hint="test it, disable it or remove it",
        rule=rule.id,
        severity="warning",
    )
