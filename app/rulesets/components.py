"""The components of rulesets: drafts, publish checks, publish, replays and the shadow run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.calls.call_settings import LiveCallSettings
from app.calls.store import DecisionStore
from app.dataverse.column_types import ColumnTypes
from app.enreach.client import EnreachClient
from app.operations.jobs import JobRunner
from app.rulesets.coverage import Coverage
from app.rulesets.drafts.drafts import Drafts
from app.rulesets.drafts.recorded_tests import RecordedTests
from app.rulesets.live_data import LiveRuleData
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.publish import Publish
from app.rulesets.publish_checks import PublishChecks, PublishLimits, open_publish_limits
from app.rulesets.replay.jobs import ReplayJobs
from app.rulesets.replay.shadow import ShadowRun
from app.rulesets.repository import RulesetRepository
from app.rulesets.store import RulesetStore
from app.rulesets.switches.store import SwitchStore
from app.rulesets.switches.switches import Switches
from app.rulesets.tables.tables import Tables
from app.rulesets.upstream_checks import EnreachTargets
from app.store.audit import AuditStore
from app.store.settings_documents import SettingsDocumentStore, VersionedDocument
from app.web.limits import HeavyWork

__all__ = ["RulesetComponents", "RulesetsState", "open_rulesets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesetComponents:
    """What the routes of this capability use."""

    store: RulesetStore
    repository: RulesetRepository
    drafts: Drafts
    recorded_tests: RecordedTests
    publish_checks: PublishChecks
    publish: Publish
    limits: VersionedDocument[PublishLimits]
    coverage: Coverage
    replays: ReplayJobs
    shadow: ShadowRun
    switches: Switches
    tables: Tables
    heavy_work: HeavyWork
    clock: Callable[[], float]


class RulesetsState(TypedDict):
    """Its place in the lifespan state."""

    rulesets: RulesetComponents


def open_rulesets(
    *,
    store: RulesetStore,
    decisions: DecisionStore,
    jobs: JobRunner,
    documents: SettingsDocumentStore,
    audit: AuditStore,
    live_ruleset: LiveRuleset,
    live_data: LiveRuleData,
    switches: SwitchStore,
    tables: Tables,
    shadow: ShadowRun,
    heavy_work: HeavyWork,
    column_types: ColumnTypes,
    enreach: EnreachClient | None,
    live_settings: LiveCallSettings,
    clock: Callable[[], float],
) -> RulesetComponents:
    """Make them; `live_ruleset` and `shadow` are those that calls use."""
    repository = RulesetRepository(rulesets=store, column_types=column_types, heavy_work=heavy_work)
    limits = open_publish_limits(documents)
    targets = None if enreach is None else EnreachTargets(client=enreach)
    publish_checks = PublishChecks(
        live_settings=live_settings,
        column_types=column_types,
        enreach=targets,
        limits=limits,
        rulesets=store,
        decisions=decisions,
        live_ruleset=live_ruleset,
        read_data=live_data.current,
        heavy_work=heavy_work,
        clock=clock,
    )
    drafts = Drafts(rulesets=store, repository=repository, heavy_work=heavy_work, clock=clock)
    return RulesetComponents(
        store=store,
        repository=repository,
        drafts=drafts,
        recorded_tests=RecordedTests(decisions=decisions, drafts=drafts, repository=repository, clock=clock),
        publish_checks=publish_checks,
        publish=Publish(
            rulesets=store,
            repository=repository,
            checks=publish_checks,
            live_ruleset=live_ruleset,
            heavy_work=heavy_work,
            clock=clock,
        ),
        limits=limits,
        coverage=Coverage(decisions=decisions),
        replays=ReplayJobs(
            decisions=decisions,
            jobs=jobs,
            repository=repository,
            find_profile=live_settings.find_profile,
            read_data=live_data.current,
            audit=audit,
            enreach=targets,
            clock=clock,
        ),
        shadow=shadow,
        switches=Switches(store=switches, live_data=live_data, live_ruleset=live_ruleset, clock=clock),
        tables=tables,
        heavy_work=heavy_work,
        clock=clock,
    )
