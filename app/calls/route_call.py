"""The use case: identify the caller, gather facts, let the rules decide, record, answer.

Every call ends here in one of three ways, and always in an answer: the rules decide with what the directory knows; the
directory cannot tell in time, and the rules decide knowing just that; or something is broken, and nothing changes.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
import structlog
from cachetools import TTLCache

from app.calls.call_settings import CallSettings
from app.calls.recent_calls import RecentCalls
from app.calls.typed_caller import recognise_typed
from app.directory.lookup import LookupResult, Source
from app.directory.typed import TypedCallers
from app.observability.logging import CallLine
from app.observability.redaction import redact_number
from app.routing.callers import Caller, CallerStatus, Cause
from app.routing.calls import Call
from app.routing.compiled import CompiledRuleset
from app.routing.decisions import Decision, DecisionRecord, Outcome
from app.routing.facts import FactValue
from app.routing.numbers import NumberKind
from app.routing.rule_data import RuleData
from app.routing.wire import WireAnswer

__all__ = ["Answered", "Arrival", "CallerDirectory", "DecisionSink", "LiveRuleset", "LoopGuard", "RouteCall"]

log = structlog.get_logger()


class Arrival(msgspec.Struct, frozen=True):
    """When and how a request came in."""

    id: str
    """The decision's id: UUID version 7."""
    request_id: str
    """The sender's `X-Request-ID`, or else the decision's id."""
    trace_id: str
    """The sender's trace, or else the decision's id without its dashes."""
    credential: str
    """Label of the key or name of the Basic user; never the secret."""
    at: float
    """Wall clock, in seconds since the epoch."""
    arrived: float
    """Monotonic clock, in seconds: the earliest moment at which it may have come."""
    until: float
    """Monotonic clock, in seconds: the answer must have left by then."""
    settings: CallSettings
    """What the call began with; a change of them is for the next one."""


class CallerDirectory(Protocol):
    """Anything that turns an E.164 number into a caller."""

    def recall(self, e164: str) -> LookupResult | None:
        """Answer from memory, at once, or not at all."""

    async def find(self, e164: str, *, until: float) -> LookupResult:
        """Answer by `until` (monotonic seconds), whatever it takes; never raises for trouble with the CRM."""


class LiveRuleset(Protocol):
    """Knows which ruleset is live."""

    def current(self) -> CompiledRuleset:
        """Return the ruleset a call that starts now is decided by."""


class DecisionSink(Protocol):
    """Keeps what was answered, even if the process dies the moment after."""

    def append(self, record: DecisionRecord) -> bool:
        """Keep one record; False when that failed, which must not keep the answer back."""


class Answered(msgspec.Struct, frozen=True):
    """A decision and its wire form, for whoever sends and counts."""

    decision: Decision
    answer: WireAnswer
    result: LookupResult
    seconds: float
    """From the request's arrival to the decision."""
    record_seconds: float
    """What it took to record it."""
    recorded: bool
    """Whether the decision log took it."""
    record: DecisionRecord


_CALLS_KEPT = 100_000
_CALL_SECONDS = 3600.0
"""After its last redirect a call id is remembered so long."""
_WITHHELD = LookupResult(Caller(status=CallerStatus.WITHHELD), Source.NONE)
_NOBODY = LookupResult(Caller(status=CallerStatus.UNKNOWN), Source.NONE)
_BROKEN = LookupResult(
    Caller(status=CallerStatus.UNAVAILABLE, cause=Cause.ERROR, detail="the look-up is broken"), Source.NONE
)


class LoopGuard:
    """Ends loops: a call that one queue sends to another, whose own webhook sends it back.

    It counts, for the calls of this process, how often each one was redirected and came back from another place. The
    same queue asking again is a repetition and no hop. A call without an id cannot be followed and is never held back.
    """

    def __init__(self, *, max_redirects: int, monotonic: Callable[[], float]) -> None:
        """`max_redirects` is how often one call may come back from another place, at least once."""
        self._max_redirects = max_redirects
        self._last: TTLCache[str, tuple[str | None, int]] = TTLCache(_CALLS_KEPT, _CALL_SECONDS, timer=monotonic)

    def limit(self, call: Call, decision: Decision) -> tuple[Decision, int]:
        """Return the decision, or `no_change` when the call went round too often; and its hops so far."""
        if call.call_id is None or decision.outcome is not Outcome.REDIRECT:
            return decision, 0
        place = call.queue_id or call.target_id or call.called.e164
        before = self._last.get(call.call_id)
        hops = 0 if before is None else before[1] + (before[0] != place)
        if before is None or before[0] != place:
            self._last[call.call_id] = (place, hops)
        if hops <= self._max_redirects:
            return decision, hops
        reason = f"redirect loop: this call was redirected {hops} times already"
        return Decision(outcome=Outcome.NO_CHANGE, rule=decision.rule, reason=reason), hops


class RouteCall:
    """Decides one call. Holds no state of its own; what it needs is handed in."""

    def __init__(
        self,
        *,
        directory: CallerDirectory,
        live_ruleset: LiveRuleset,
        read_data: Callable[[], RuleData],
        decision_log: DecisionSink,
        loop_guard: LoopGuard,
        call_log: Callable[[CallLine], None],
        monotonic: Callable[[], float],
        recent_calls: RecentCalls | None = None,
        typed_callers: TypedCallers | None = None,
    ) -> None:
        """`read_data` tells the switches as they are set now; without `recent_calls` no call came
        before, and without `typed_callers` nobody is recognised by what they typed.
        """
        self._recent_calls = recent_calls
        self._typed_callers = typed_callers
        self._directory = directory
        self._live_ruleset = live_ruleset
        self._read_data = read_data
        self._decision_log = decision_log
        self._loop_guard = loop_guard
        self._monotonic = monotonic
        self._call_log = call_log

    async def __call__(self, call: Call, arrival: Arrival) -> Answered:
        """Answer the call by `arrival.until`; never raises for anything the CRM, the rules or the disk do."""
        rules, received = self._live_ruleset.current(), self._monotonic()
        result = self._recognise(call) or await self._look_up(call, arrival)
        if self._typed_callers is not None and arrival.settings.typed_parameter is not None:
            result = await self._recognise_typed(call, arrival, result, rules, self._typed_callers)
        found = self._monotonic()
        facts, decision = self._decide(rules, call, result.caller, arrival.at)
        decision, hops = self._loop_guard.limit(call, decision)
        decision, answer, document = arrival.settings.spell(decision)
        decided = self._monotonic()
        waterfall = {
            "receive": _milliseconds(arrival.arrived, received),
            "look_up": _milliseconds(received, found),
            **{f"look_up.{stage}": _milliseconds(0.0, seconds) for stage, seconds in result.stages.items()},
            "rules": _milliseconds(found, decided),
            "total": _milliseconds(arrival.arrived, decided),
        }
        record = _make_record(
            call=call,
            arrival=arrival,
            result=result,
            revision=rules.revision,
            facts=facts,
            decision=decision,
            document=document,
            answer=answer,
            waterfall=waterfall,
            hops=hops,
        )
        recorded = self._decision_log.append(record)
        if self._recent_calls is not None and rules.asks_recent_calls:
            self._recent_calls.note(record)
        answered = Answered(
            decision=decision,
            answer=answer,
            result=result,
            seconds=decided - arrival.arrived,
            record_seconds=self._monotonic() - decided,
            recorded=recorded,
            record=record,
        )
        self._call_log(_make_line(answered, arrival.trace_id))
        return answered

    def _recognise(self, call: Call) -> LookupResult | None:
        """Tell who it is without waiting, where that is possible."""
        number = call.caller
        if number.e164 is not None:
            return self._directory.recall(number.e164)
        return _WITHHELD if number.kind is NumberKind.WITHHELD else _NOBODY

    async def _look_up(self, call: Call, arrival: Arrival) -> LookupResult:
        try:
            return await self._directory.find(call.caller.e164 or "", until=arrival.until)
        except Exception:  # the boundary: a defect in a directory must not cost the caller an answer
            log.exception("call.look_up_broken", request_id=arrival.request_id)
            return _BROKEN

    async def _recognise_typed(
        self, call: Call, arrival: Arrival, result: LookupResult, rules: CompiledRuleset, callers: TypedCallers
    ) -> LookupResult:
        try:
            return await recognise_typed(
                call,
                result,
                callers,
                parameter=arrival.settings.typed_parameter,
                selection=rules.selection,
                until=arrival.until,
            )
        except Exception:  # the boundary: as for the look-up of the number
            log.exception("call.typed_look_up_broken", request_id=arrival.request_id)
            return result

    def _decide(
        self, rules: CompiledRuleset, call: Call, caller: Caller, now: float
    ) -> tuple[Mapping[str, FactValue], Decision]:
        facts: Mapping[str, FactValue] = {}
        try:
            recent = None
            if self._recent_calls is not None and rules.asks_recent_calls:
                recent = self._recent_calls.tell(call, now)
            facts = rules.gather(call, caller, now, data=self._read_data(), recent=recent)
            return facts, rules.decide(facts, now)
        except Exception:  # the boundary: a defect in a rule must not cost the caller an answer
            log.exception("call.rules_broken", revision=rules.revision)
            return facts, Decision(outcome=Outcome.NO_CHANGE, reason="the rules could not be evaluated")


def _milliseconds(start: float, end: float) -> float:
    return round((end - start) * 1_000_000) / 1000


def _make_record(
    *,
    call: Call,
    arrival: Arrival,
    result: LookupResult,
    revision: int | None,
    facts: Mapping[str, FactValue],
    decision: Decision,
    document: Mapping[str, object],
    answer: WireAnswer,
    waterfall: Mapping[str, float],
    hops: int,
) -> DecisionRecord:
    caller = result.caller
    return DecisionRecord(
        id=arrival.id,
        at=arrival.at,
        request_id=arrival.request_id,
        credential=arrival.credential,
        call_id=call.call_id,
        caller_raw=call.caller.raw,
        caller_e164=call.caller.e164,
        called_raw=call.called.raw,
        called_e164=call.called.e164,
        target_id=call.target_id,
        queue_id=call.queue_id,
        facts=facts,
        caller_status=caller.status,
        # Why Dataverse did not say so now, also when an older caller could be answered.
        caller_cause=caller.cause if result.outage is None else result.outage.cause,
        caller_age_seconds=None if caller.as_of is None else round(max(0.0, arrival.at - caller.as_of), 3),
        caller_source=result.source,
        revision=revision,
        rule=decision.rule,
        outcome=decision.outcome,
        decision=document,
        status=answer.status,
        body=None if answer.body is None else answer.body.decode(),
        waterfall=waterfall,
        hops=hops,
        settings_version=arrival.settings.version,
        deadline_ms=round(arrival.settings.deadline * 1000),
    )


def _make_line(answered: Answered, trace_id: str) -> CallLine:
    record = answered.record
    return CallLine(
        decision_id=record.id,
        request_id=record.request_id,
        trace_id=trace_id,
        call_id=record.call_id,
        caller=redact_number(record.caller_e164),
        caller_status=record.caller_status,
        caller_cause=record.caller_cause,
        source=record.caller_source,
        caller_age_seconds=record.caller_age_seconds,
        rule=record.rule,
        outcome=record.outcome,
        status=record.status,
        revision=record.revision,
        ms=_milliseconds(0.0, answered.seconds),
        record_ms=_milliseconds(0.0, answered.record_seconds),
    )
