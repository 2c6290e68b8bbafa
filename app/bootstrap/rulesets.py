"""Makes the administrator's work on rulesets: drafts, gates, publishing, replays, the shadow."""

from contextlib import AsyncExitStack
from typing import Any

from app.bootstrap.components import Parts
from app.bootstrap.stores import Stores
from app.bootstrap.upstreams import Outside
from app.observability.metrics import Metrics
from app.operations.background import Background
from app.operations.job_store import JobStore
from app.routing.wire import ResponseProfile
from app.rulesets.coverage import Coverage
from app.rulesets.drafting import Drafting
from app.rulesets.gates import Gates
from app.rulesets.known_columns import OrganisationColumns
from app.rulesets.library import RulesetLibrary
from app.rulesets.publish_limits import LimitsDesk
from app.rulesets.publishing import Publishing
from app.rulesets.recorded_tests import RecordedTests
from app.rulesets.replays import Replays
from app.rulesets.rulebook import Rulebook
from app.rulesets.shadow import Shadow
from app.rulesets.shadow_control import ShadowControl
from app.rulesets.shadow_desk import ShadowDesk
from app.rulesets.targets import EnreachTargets, TargetCatalogue
from app.store.settings_documents import SettingsDocumentStore

__all__ = ["make_ruleset_state", "make_shadow", "start_ruleset_work"]

_SILENCE_SECONDS = 30.0


def make_shadow(
    stores: Stores, rulebook: Rulebook, profile: ResponseProfile, metrics: Metrics, outside: Outside
) -> Shadow:
    """Make what decides answered calls again."""
    return Shadow(
        desk=_make_desk(stores),
        drafts=stores.rulesets.drafts,
        rulebook=rulebook,
        profile=profile,
        counter=metrics,
        clock=outside.clock,
    )


def make_ruleset_state(parts: Parts) -> dict[str, Any]:
    """Make what requests find in the lifespan state, by the names that `ruleset_deps` reads."""
    stores, clock = parts.stores, parts.outside.clock
    library = RulesetLibrary(rulesets=stores.rulesets)
    limits = LimitsDesk(settings=_make_documents(stores))
    coverage = Coverage(decisions=stores.decisions, rulesets=stores.rulesets)
    targets = None if parts.enreach is None else EnreachTargets(client=parts.enreach)
    gates = _make_gates(parts, coverage=coverage, limits=limits, targets=targets)
    drafting = Drafting(drafts=stores.rulesets.drafts, library=library, clock=clock)
    publishing = Publishing(
        rulesets=stores.rulesets,
        library=library,
        gates=gates,
        rulebook=parts.rulebook,
        clock=clock,
    )
    replays = Replays(
        decisions=stores.decisions,
        jobs=JobStore(database=stores.database),
        library=library,
        profile=parts.profile,
        audit=stores.audit,
        targets=targets,
        clock=clock,
    )
    recorded_tests = RecordedTests(decisions=stores.decisions, drafting=drafting, library=library, clock=clock)
    return {
        "clock": clock,
        "library": library,
        "limits": limits,
        "coverage": coverage,
        "gates": gates,
        "drafting": drafting,
        "publishing": publishing,
        "replays": replays,
        "shadow": ShadowControl(desk=_make_desk(stores), shadow=parts.shadow, library=library, clock=clock),
        "recorded_tests": recorded_tests,
    }


def start_ruleset_work(parts: Parts, state: dict[str, Any], background: Background, stack: AsyncExitStack) -> None:
    """Start what goes on beside the calls, and note what ends with the process."""
    replays: Replays = state["replays"]
    stack.push_async_callback(replays.aclose)
    background.start("shadow", parts.shadow.run)
    background.repeat("replays", replays.give_up_silent, every=_SILENCE_SECONDS)


def _make_gates(parts: Parts, *, coverage: Coverage, limits: LimitsDesk, targets: TargetCatalogue | None) -> Gates:
    return Gates(
        profile=parts.profile,
        region=parts.settings.phone.default_region,
        columns=OrganisationColumns(client=parts.organisation.client),
        targets=targets,
        coverage=coverage,
        limits=limits,
        decisions=parts.stores.decisions,
        rulebook=parts.rulebook,
        clock=parts.outside.clock,
    )


def _make_desk(stores: Stores) -> ShadowDesk:
    return ShadowDesk(settings=_make_documents(stores), results=stores.shadow_results)


def _make_documents(stores: Stores) -> SettingsDocumentStore:
    return SettingsDocumentStore(database=stores.database)
