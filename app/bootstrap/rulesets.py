"""Makes the administrator's work on rulesets: drafts, gates, publishing, replays, the shadow."""

from contextlib import AsyncExitStack
from typing import Any

from app.bootstrap.components import Components
from app.bootstrap.stores import Stores
from app.bootstrap.upstreams import Upstreams
from app.observability.metrics import Metrics
from app.operations.background import Background
from app.operations.job_store import JobStore
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
from app.rulesets.targets import EnreachTargets, TargetCatalogue
from app.store.settings_documents import SettingsDocumentStore

__all__ = ["make_ruleset_state", "make_shadow", "start_ruleset_work"]

_SILENCE_SECONDS = 30.0


def make_shadow(
    stores: Stores, live_ruleset: LiveRuleset, profile: ResponseProfile, metrics: Metrics, upstreams: Upstreams
) -> Shadow:
    """Make what decides answered calls again."""
    return Shadow(
        desk=_make_shadow_repository(stores),
        drafts=stores.rulesets.drafts,
        live_ruleset=live_ruleset,
        profile=profile,
        counter=metrics,
        clock=upstreams.clock,
    )


def make_ruleset_state(parts: Components) -> dict[str, Any]:
    """Make what requests find in the lifespan state, by the names that `ruleset_deps` reads."""
    stores, clock = parts.stores, parts.upstreams.clock
    repository = RulesetRepository(rulesets=stores.rulesets)
    limits = PublishLimitsRepository(settings=_make_documents(stores))
    coverage = Coverage(decisions=stores.decisions, rulesets=stores.rulesets)
    targets = None if parts.enreach is None else EnreachTargets(client=parts.enreach)
    gates = _make_publish_checks(parts, coverage=coverage, limits=limits, targets=targets)
    drafting = Drafting(drafts=stores.rulesets.drafts, repository=repository, clock=clock)
    publishing = Publishing(
        rulesets=stores.rulesets,
        repository=repository,
        gates=gates,
        live_ruleset=parts.live_ruleset,
        clock=clock,
    )
    replays = Replays(
        decisions=stores.decisions,
        jobs=JobStore(database=stores.database),
        repository=repository,
        profile=parts.profile,
        audit=stores.audit,
        targets=targets,
        clock=clock,
    )
    recorded_tests = RecordedTests(decisions=stores.decisions, drafting=drafting, repository=repository, clock=clock)
    return {
        "clock": clock,
        "library": repository,
        "limits": limits,
        "coverage": coverage,
        "gates": gates,
        "drafting": drafting,
        "publishing": publishing,
        "replays": replays,
        "shadow": ShadowControl(
            desk=_make_shadow_repository(stores), shadow=parts.shadow, repository=repository, clock=clock
        ),
        "recorded_tests": recorded_tests,
    }


def start_ruleset_work(parts: Components, state: dict[str, Any], background: Background, stack: AsyncExitStack) -> None:
    """Start what goes on beside the calls, and note what ends with the process."""
    replays: Replays = state["replays"]
    stack.push_async_callback(replays.aclose)
    background.start("shadow", parts.shadow.run)
    background.repeat("replays", replays.give_up_silent, every=_SILENCE_SECONDS)


def _make_publish_checks(
    parts: Components, *, coverage: Coverage, limits: PublishLimitsRepository, targets: TargetCatalogue | None
) -> PublishChecks:
    return PublishChecks(
        profile=parts.profile,
        region=parts.settings.phone.default_region,
        columns=OrganisationColumns(client=parts.organisation.client),
        targets=targets,
        coverage=coverage,
        limits=limits,
        decisions=parts.stores.decisions,
        live_ruleset=parts.live_ruleset,
        clock=parts.upstreams.clock,
    )


def _make_shadow_repository(stores: Stores) -> ShadowRepository:
    return ShadowRepository(settings=_make_documents(stores), results=stores.shadow_results)


def _make_documents(stores: Stores) -> SettingsDocumentStore:
    return SettingsDocumentStore(database=stores.database)
