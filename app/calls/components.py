"""The components that serve calls, and what administrators see of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.auth.contract_marks import ContractMarks
from app.auth.guessing import GuessBrake
from app.auth.webhook import KeyUse, WebhookAccess
from app.calls.call_settings import LiveCallSettings
from app.calls.contract_calls import ContractCalls
from app.calls.decision_feed import DecisionFeed
from app.calls.decision_log import DecisionLog, Revisions
from app.calls.drills import FireDrill
from app.calls.recent_calls import RecentCalls
from app.calls.route_call import DecisionSink, LiveRuleset, LoopGuard, RouteCall
from app.calls.schemas import write_event
from app.calls.simulation import DescribeColumns, Simulation
from app.calls.store import DecisionStore
from app.calls.webhook import CallSpans, Webhook
from app.directory.cached import CachedDirectory
from app.directory.mirror.directory import MirroredDirectory
from app.directory.typed import TypedCallers
from app.observability.logging import open_call_log
from app.observability.metrics import Metrics
from app.routing.rule_data import RuleData
from app.settings import Settings
from app.store.audit import AuditStore
from app.web.limits import HeavyWork

__all__ = ["CallComponents", "CallsState", "open_calls"]

_MAX_REDIRECTS = 5
"""How often one call may come back from another place before it stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallComponents:
    """What the routes of this capability use."""

    webhook: Webhook
    decision_log: DecisionLog
    decision_feed: DecisionFeed
    simulation: Simulation
    fire_drill: FireDrill


class CallsState(TypedDict):
    """Its place in the lifespan state."""

    calls: CallComponents


def open_calls(
    *,
    settings: Settings,
    live_settings: LiveCallSettings,
    describe_columns: DescribeColumns,
    directory: CachedDirectory | MirroredDirectory,
    live_ruleset: LiveRuleset,
    read_data: Callable[[], RuleData],
    revisions: Revisions,
    journal: DecisionSink,
    recent_calls: RecentCalls,
    typed_callers: TypedCallers,
    decisions: DecisionStore,
    audit: AuditStore,
    key_use: KeyUse,
    guess_brake: GuessBrake,
    heavy_work: HeavyWork,
    metrics: Metrics,
    spans: CallSpans | None,
    find_arrival: Callable[[float], float],
    is_leaving: Callable[[], bool],
    clock: Callable[[], float],
) -> CallComponents:
    """Make them; `journal` keeps the decisions.

    `describe_columns` completes rulesets that are tried out; `read_data` tells the switches as they are set now;
    `spans` are those of calls (`open_spans`); `find_arrival` tells since when what was received at a moment of
    the event loop's clock may have waited; `is_leaving` whether the process is about to end.
    """
    call_log = open_call_log(settings.log.level, settings.log.format)
    return CallComponents(
        webhook=Webhook(
            access=WebhookAccess(settings.webhook, brake=guess_brake),
            key_use=key_use,
            contract_calls=ContractCalls(
                marks=ContractMarks(settings.webhook, clock=clock),
                live_ruleset=live_ruleset,
                read_data=read_data,
                monotonic=time.monotonic,
            ),
            route_call=RouteCall(
                directory=directory,
                live_ruleset=live_ruleset,
                decision_log=journal,
                read_data=read_data,
                loop_guard=LoopGuard(max_redirects=_MAX_REDIRECTS, monotonic=time.monotonic),
                call_log=call_log,
                monotonic=time.monotonic,
                recent_calls=recent_calls,
                typed_callers=typed_callers,
            ),
            live_settings=live_settings,
            metrics=metrics,
            max_body_bytes=settings.webhook.max_body_bytes,
            spans=spans,
            find_arrival=find_arrival,
            clock=clock,
            monotonic=time.monotonic,
        ),
        decision_log=DecisionLog(decisions=decisions, revisions=revisions, audit=audit, clock=clock),
        decision_feed=DecisionFeed(
            decisions=decisions, write=write_event, heavy_work=heavy_work, clock=clock, is_leaving=is_leaving
        ),
        simulation=Simulation(
            describe_columns=describe_columns,
            directory=directory,
            live_ruleset=live_ruleset,
            read_data=read_data,
            recent_calls=recent_calls,
            typed_callers=typed_callers,
            live_settings=live_settings,
            audit=audit,
            heavy_work=heavy_work,
            clock=clock,
            monotonic=time.monotonic,
        ),
        fire_drill=FireDrill(
            decision_log=journal,
            live_ruleset=live_ruleset,
            read_data=read_data,
            live_settings=live_settings,
            call_log=call_log,
            clock=clock,
            monotonic=time.monotonic,
        ),
    )
