"""The components of rulesets: drafts, publish checks, publishing, replays and the shadow run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.calls.store import DecisionStore
from app.dataverse.client import DataverseClient
from app.enreach.client import EnreachClient
from app.operations.store import JobStore
from app.routing.wire import ResponseProfile
from app.rulesets.coverage import Coverage
from app.rulesets.drafting import Drafting
from app.rulesets.known_columns import OrganisationColumns
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.publish_checks import PublishChecks
from app.rulesets.publish_limits import PublishLimitsRepository
from app.rulesets.publishing import Publishing
from app.rulesets.recorded_tests import RecordedTests
from app.rulesets.replays import Replays
from app.rulesets.repository import RulesetRepository
from app.rulesets.shadow import Shadow
from app.rulesets.shadow_control import ShadowControl
from app.rulesets.shadow_repository import ShadowRepository
from app.rulesets.store import RulesetStore
from app.rulesets.targets import EnreachTargets
from app.store.audit import AuditStore
from app.store.settings_documents import SettingsDocumentStore

__all__ = ["RulesetComponents", "RulesetsState", "open_rulesets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesetComponents:
    """What the routes of this capability use."""

    repository: RulesetRepository
    drafting: Drafting
    publish_checks: PublishChecks
    publishing: Publishing
    limits: PublishLimitsRepository
    coverage: Coverage
    replays: Replays
    shadow: ShadowControl
    recorded_tests: RecordedTests
    clock: Callable[[], float]


class RulesetsState(TypedDict):
    """Its place in the lifespan state."""

    rulesets: RulesetComponents


def open_rulesets(
    *,
    store: RulesetStore,
    decisions: DecisionStore,
    jobs: JobStore,
    documents: SettingsDocumentStore,
    audit: AuditStore,
    live_ruleset: LiveRuleset,
    shadow: Shadow,
    shadow_repository: ShadowRepository,
    dataverse: DataverseClient,
    enreach: EnreachClient | None,
    profile: ResponseProfile,
    region: str,
    clock: Callable[[], float],
) -> RulesetComponents:
    """Make them; `region` is the country of numbers without a country code."""
    repository = RulesetRepository(rulesets=store)
    limits = PublishLimitsRepository(settings=documents)
    coverage = Coverage(decisions=decisions, rulesets=store)
    targets = None if enreach is None else EnreachTargets(client=enreach)
    publish_checks = PublishChecks(
        profile=profile,
        region=region,
        columns=OrganisationColumns(client=dataverse),
        targets=targets,
        coverage=coverage,
        limits=limits,
        decisions=decisions,
        live_ruleset=live_ruleset,
        clock=clock,
    )
    drafting = Drafting(drafts=store.drafts, repository=repository, clock=clock)
    return RulesetComponents(
        repository=repository,
        drafting=drafting,
        publish_checks=publish_checks,
        publishing=Publishing(
            rulesets=store, repository=repository, checks=publish_checks, live_ruleset=live_ruleset, clock=clock
        ),
        limits=limits,
        coverage=coverage,
        replays=Replays(
            decisions=decisions,
            jobs=jobs,
            repository=repository,
            profile=profile,
            audit=audit,
            targets=targets,
            clock=clock,
        ),
        shadow=ShadowControl(results=shadow_repository, shadow=shadow, repository=repository, clock=clock),
        recorded_tests=RecordedTests(decisions=decisions, drafting=drafting, repository=repository, clock=clock),
        clock=clock,
    )
