"""The components that serve calls, and what administrators see of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.auth.webhook import KeyUse, WebhookAccess
from app.calls.decision_log import DecisionLog, Revisions
from app.calls.drills import DrillCallers, DrillLog, FireDrill
from app.calls.loop_guard import LoopGuard
from app.calls.route_call import Arrival, DecisionSink, LiveRuleset, RouteCall
from app.calls.simulation import Simulation
from app.calls.store import DecisionStore
from app.calls.webhook import Webhook
from app.directory.cached import CachedDirectory
from app.observability.call_lines import open_call_log
from app.observability.identifiers import new_id
from app.observability.metrics import Metrics
from app.routing.calls import Call
from app.routing.numbers import make_number_reader
from app.routing.wire import ResponseProfile
from app.settings import Settings
from app.store.audit import AuditStore

__all__ = ["CallComponents", "CallsState", "open_calls"]

_MAX_REDIRECTS = 5
"""How often one call may come back from another place before it stays where it is."""
_DRILL_RESERVE = 0.05
"""Seconds of a drill's deadline kept back, as for a real call that is alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallComponents:
    """What the routes of this capability use."""

    webhook: Webhook
    decision_log: DecisionLog
    simulation: Simulation
    fire_drill: FireDrill


class CallsState(TypedDict):
    """Its place in the lifespan state."""

    calls: CallComponents


def open_calls(
    *,
    settings: Settings,
    profile: ResponseProfile,
    directory: CachedDirectory,
    live_ruleset: LiveRuleset,
    revisions: Revisions,
    decision_log: DecisionSink,
    drill_log: DecisionSink,
    decisions: DecisionStore,
    audit: AuditStore,
    key_use: KeyUse,
    metrics: Metrics,
    clock: Callable[[], float],
) -> CallComponents:
    """Make them; `decision_log` keeps the decisions of calls, `drill_log` those of fire drills."""
    read_number = make_number_reader(settings.phone.default_region)
    call_log = open_call_log(settings.log.level, settings.log.format)
    deadline = settings.webhook.deadline_ms / 1000
    drill_guard = LoopGuard(most=1, monotonic=time.monotonic)

    async def drill(call: Call, callers: DrillCallers, log: DrillLog, who: str) -> object:
        route_call = RouteCall(
            directory=callers,
            live_ruleset=live_ruleset,
            profile=profile,
            decision_log=log,
            loop_guard=drill_guard,
            call_log=call_log,
            monotonic=time.monotonic,
        )
        started, drill_id = time.monotonic(), new_id()
        arrival = Arrival(
            id=drill_id,
            request_id=drill_id,
            trace_id=drill_id.replace("-", ""),
            credential=who,
            at=clock(),
            started=started,
            until=started + deadline - min(_DRILL_RESERVE, deadline / 5),
        )
        return await route_call(call, arrival)

    return CallComponents(
        webhook=Webhook(
            access=WebhookAccess(settings.webhook),
            key_use=key_use,
            route_call=RouteCall(
                directory=directory,
                live_ruleset=live_ruleset,
                profile=profile,
                decision_log=decision_log,
                loop_guard=LoopGuard(most=_MAX_REDIRECTS, monotonic=time.monotonic),
                call_log=call_log,
                monotonic=time.monotonic,
            ),
            read_number=read_number,
            metrics=metrics,
            no_change_status=profile.no_change_status,
            deadline=deadline,
            max_body_bytes=settings.webhook.max_body_bytes,
            clock=clock,
            monotonic=time.monotonic,
        ),
        decision_log=DecisionLog(decisions=decisions, revisions=revisions, audit=audit, clock=clock),
        simulation=Simulation(
            directory=directory,
            live_ruleset=live_ruleset,
            profile=profile,
            read_number=read_number,
            clock=clock,
            monotonic=time.monotonic,
        ),
        fire_drill=FireDrill(decide=drill, decision_log=drill_log, live_ruleset=live_ruleset, read_number=read_number),
    )
