"""Everything that must be right before a ruleset goes live, checked at once and reported at once."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.calls.call_settings import CallSettings, LiveCallSettings
from app.calls.store import DecisionStore
from app.dataverse.client import DataverseClient, Row, read_rows, read_text
from app.dataverse.errors import DataverseError, UnreadableAnswerError
from app.dataverse.queries import build_path
from app.enreach.client import EnreachClient
from app.enreach.errors import EnreachError, EnreachTimeoutError
from app.errors import MAX_FINDINGS, Finding, InvalidInputError
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.lint import lint_ruleset
from app.routing.redirect_loops import report_loop
from app.routing.registry import suggest
from app.routing.rule import Rule
from app.routing.rule_data import RuleData
from app.routing.ruleset import Ruleset, find_lost_destinations, read_ruleset
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.replay.replayer import Replayer
from app.rulesets.replay.result import PlaceNames, ReplayPlan, ReplayResult, Slices, run_replay
from app.rulesets.store import RulesetStore
from app.store.settings_documents import SettingsDocumentStore, VersionedDocument
from app.web.limits import HeavyWork

__all__ = [
    "EnreachTargets",
    "PublishChecks",
    "PublishLimits",
    "PublishReport",
    "Targets",
    "find_losses",
    "find_lost_targets",
    "open_publish_limits",
    "read_known_columns",
]

_TIMEOUT_SECONDS = 10.0
"""An administrator waits for the answer; what is not known by then is a warning."""
_LOOKUPS = frozenset({"Customer", "Lookup", "Owner"})
_DAY = 86_400.0
_QUIET_DAYS = 30
_MAX_DIFFS = 20
"""Changed calls that a report lists; a replay lists all."""


async def read_known_columns(
    rules: CompiledRuleset, dataverse: DataverseClient
) -> tuple[Mapping[str, Mapping[str, str]], list[Finding]]:
    """List the columns, with their types, of the tables whose columns the rules read; a silent table is a warning.

    Lookups count also as `_name_value` (Dataverse contract, section 6.4).
    """
    selection = rules.selection
    wanted = {"contact": selection.contact_columns, "account": selection.account_columns}
    known: dict[str, Mapping[str, str]] = {}
    for table in (table for table, columns in wanted.items() if columns):
        try:
            known[table] = await _list_columns(table, dataverse)
        except DataverseError as error:
            return known, [_warn(table, error)]
    return known, []


@dataclass(frozen=True, slots=True)
class Targets:
    """The places Enreach knows."""

    queues: Mapping[str, str | None]
    """Name by id."""
    users: frozenset[str]
    """Ids."""


class EnreachTargets:
    """Asks the Enreach API for the places calls can go."""

    def __init__(self, *, client: EnreachClient) -> None:
        self._client = client

    async def list_targets(self) -> Targets:
        """List queues and users within ten seconds; raises EnreachError."""
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                queues = await self._client.list_queues()
                users = await self._client.list_users()
        except TimeoutError as error:
            raise EnreachTimeoutError(f"no complete answer within {_TIMEOUT_SECONDS:g} seconds") from error
        return Targets({queue.id: queue.name for queue in queues}, frozenset(user.id for user in users))


async def find_lost_targets(ruleset: Ruleset, enreach: EnreachTargets, *, silence: str) -> list[Finding]:
    """Find destinations that do not exist; when Enreach does not answer, that is one finding of severity `silence`.

    Numbers are not looked up: Enreach calls any number.
    """
    if all(spec.kind is DestinationKind.NUMBER for spec in ruleset.destinations.values()):
        return []
    try:
        targets = await enreach.list_targets()
    except EnreachError as error:
        message = f"the destinations could not be checked: {error.detail}"
        hint = "check the Enreach settings, or publish anyway"
        return [Finding(code="enreach-silent", pointer="/destinations", message=message, hint=hint, severity=silence)]
    return list(_find_lost(ruleset, targets))


async def _list_columns(table: str, dataverse: DataverseClient) -> Mapping[str, str]:
    path = build_path(f"EntityDefinitions(LogicalName='{table}')/Attributes", {"$select": "LogicalName,AttributeType"})
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            answer = await dataverse.get_json(path)
    except TimeoutError as error:
        raise UnreadableAnswerError(f"no complete answer within {_TIMEOUT_SECONDS:g} seconds") from error
    return {name: str(read_text(row, "AttributeType")) for row in read_rows(answer) for name in _spell(row)}


def _warn(table: str, error: DataverseError) -> Finding:
    return Finding(
        code="dataverse-silent",
        pointer="/rules",
        message=f"the columns of table {table} could not be checked: {error.detail}",
        hint="a column that does not exist is left out of look-ups, and facts about it are unknown",
        severity="warning",
    )


def _spell(row: Row) -> list[str]:
    name = str(row.get("LogicalName"))
    return [name, f"_{name}_value"] if row.get("AttributeType") in _LOOKUPS else [name]


def _find_lost(ruleset: Ruleset, targets: Targets) -> Iterator[Finding]:
    known = {
        DestinationKind.QUEUE: {place.casefold() for place in targets.queues},
        DestinationKind.USER: {place.casefold() for place in targets.users},
    }
    queues = {name.casefold(): place for place, name in targets.queues.items() if name}
    for name, spec in ruleset.destinations.items():
        if spec.kind in known and spec.id.casefold() not in known[spec.kind]:
            other = queues.get(spec.id.casefold()) or queues.get(spec.label.casefold())
            hint = (
                f'the queue of that name has the id "{other}"' if other and spec.kind is DestinationKind.QUEUE else ""
            )
            yield Finding(
                code=f"unknown-{spec.kind}",
                pointer=join_pointer("destinations", name, "id"),
                message=f"Enreach has no {spec.kind} with this id",
                hint=hint or suggest(spec.id.casefold(), known[spec.kind]) or "take the id from the Enreach portal",
            )


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
        dataverse: DataverseClient,
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
        self._dataverse = dataverse
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
        findings = await self._lint(ruleset, rules, now)
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
        return PublishReport(tuple(ordered[:MAX_FINDINGS]), replay)

    async def _lint(self, ruleset: Ruleset, rules: CompiledRuleset | None, now: float) -> list[Finding]:
        known, silence = None, list[Finding]()
        if rules is not None:
            known, silence = await read_known_columns(rules, self._dataverse)
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
        return [*found, *silence]

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
