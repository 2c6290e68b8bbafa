"""Fire drills: one marked test call on the live configuration, with a CRM that pretends to be in trouble."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from app.calls.call_settings import CallSettings, LiveCallSettings
from app.calls.redaction import redact_facts, redact_trace
from app.calls.route_call import Arrival, DecisionSink, LiveRuleset, LoopGuard, RouteCall
from app.directory.lookup import LookupResult, Outage, Source
from app.errors import InvalidInputError
from app.observability.call_lines import CallLine
from app.observability.requests import new_id
from app.routing.callers import Caller, CallerStatus, Cause
from app.routing.calls import read_call
from app.routing.decisions import DecisionRecord
from app.routing.facts import decode_facts
from app.routing.rule_data import RuleData
from app.store.journal_segment import read_decision, write_line

__all__ = ["Drill", "DrillScenario", "FireDrill"]

_RESERVE_SECONDS = 0.05
"""Of the deadline, kept back as for a real call that is alone."""


class DrillScenario(StrEnum):
    """What the CRM pretends."""

    DOWN = "down"
    """It refuses every request."""
    SLOW = "slow"
    """It does not answer within the deadline, so the drill takes as long as the deadline."""
    THROTTLED = "throttled"
    """It asks for a pause (429)."""
    CIRCUIT_OPEN = "circuit_open"
    """It has failed so often that it is not asked."""
    NOT_CONFIGURED = "not_configured"
    """There is none."""
    AMBIGUOUS = "ambiguous"
    """Two records that disagree carry the number."""
    UNKNOWN = "unknown"
    """Nobody has the number."""


_CAUSES = {
    DrillScenario.DOWN: Cause.ERROR,
    DrillScenario.SLOW: Cause.TIMEOUT,
    DrillScenario.THROTTLED: Cause.THROTTLED,
    DrillScenario.CIRCUIT_OPEN: Cause.CIRCUIT_OPEN,
    DrillScenario.NOT_CONFIGURED: Cause.NOT_CONFIGURED,
}


@dataclass(frozen=True, slots=True)
class DrillCallers:
    """The directory of one drill."""

    scenario: DrillScenario

    def recall(self, _e164: str) -> LookupResult | None:
        """Know nobody, so that the look-up is drilled."""
        return None

    async def find(self, _e164: str, *, until: float) -> LookupResult:
        """Pretend, in the time a real look-up would have taken."""
        if self.scenario is DrillScenario.AMBIGUOUS:
            return LookupResult(Caller(status=CallerStatus.AMBIGUOUS, vip=None, matches=2), Source.LIVE)
        if self.scenario is DrillScenario.UNKNOWN:
            return LookupResult(Caller(status=CallerStatus.UNKNOWN), Source.LIVE)
        if self.scenario is DrillScenario.SLOW:
            await asyncio.sleep(max(0.0, until - asyncio.get_running_loop().time()))
        outage = Outage(cause=_CAUSES[self.scenario], detail=f"Fire drill: Dataverse pretends to be {self.scenario}")
        return LookupResult(outage.describe(), Source.NONE, outage)


class DrillLog:
    """Marks the record on its way to the decision log, so that it counts for nothing, and keeps it for the report."""

    def __init__(self, decision_log: DecisionSink, scenario: DrillScenario) -> None:
        self._decision_log = decision_log
        self._scenario = scenario
        self.record: DecisionRecord | None = None

    def append(self, record: DecisionRecord) -> bool:
        """Keep the marked record, as whoever reads the log will find it."""
        marked = msgspec.structs.replace(record, drill=self._scenario.value)
        self.record = read_decision(write_line(marked))
        return self._decision_log.append(marked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What came of it."""

    record: DecisionRecord
    facts: dict[str, object]
    trace: dict[str, Any]


class FireDrill:
    """Shows what happens to a call when the CRM is in trouble, before it is."""

    def __init__(
        self,
        *,
        decision_log: DecisionSink,
        live_ruleset: LiveRuleset,
        read_data: Callable[[], RuleData],
        live_settings: LiveCallSettings,
        call_log: Callable[[CallLine], None],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """`clock` gives seconds since the epoch, `monotonic` those of the event loop."""
        self._decision_log = decision_log
        self._live_ruleset = live_ruleset
        self._read_data = read_data
        self._live_settings = live_settings
        self._call_log = call_log
        self._clock = clock
        self._monotonic = monotonic

    async def run(self, payload: Mapping[str, object], scenario: DrillScenario, *, who: str) -> Drill:
        """Decide a call as the queue posts it, and record it as a drill; other calls notice nothing.

        Raises InvalidInputError for a call without `anum`.
        """
        if "anum" not in payload:
            raise InvalidInputError("the call has no key anum; give a number, or null for a withheld one")
        rules = self._live_ruleset.current()
        log = DrillLog(self._decision_log, scenario)
        route_call = RouteCall(
            directory=DrillCallers(scenario),
            live_ruleset=self._live_ruleset,
            read_data=self._read_data,
            decision_log=log,
            loop_guard=LoopGuard(max_redirects=1, monotonic=self._monotonic),
            call_log=self._call_log,
            monotonic=self._monotonic,
        )
        settings = self._live_settings.call_settings()
        await route_call(read_call(payload, settings.read_number), self._make_arrival(who, settings))
        if log.record is None:
            raise RuntimeError("the drill's decision was not recorded")
        trace = rules.trace(decode_facts(log.record.facts), log.record.at)
        return Drill(record=log.record, facts=redact_facts(log.record.facts), trace=redact_trace(trace.document()))

    def _make_arrival(self, who: str, settings: CallSettings) -> Arrival:
        drill_id, started = new_id(), self._monotonic()
        return Arrival(
            id=drill_id,
            request_id=drill_id,
            trace_id=drill_id.replace("-", ""),
            credential=who,
            at=self._clock(),
            arrived=started,
            until=started + settings.deadline - min(_RESERVE_SECONDS, settings.deadline / 5),
            settings=settings,
        )
