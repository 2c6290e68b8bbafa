"""What would happen to a made-up call, and why."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import orjson

from app.auth.principals import Principal
from app.calls.call_settings import LiveCallSettings
from app.calls.recent_calls import RecentCalls
from app.calls.redaction import hides, redact_facts, redact_number, redact_trace
from app.calls.route_call import LiveRuleset
from app.calls.typed_caller import recognise_typed
from app.directory.lookup import LookupResult, Source
from app.directory.typed import TypedCallers
from app.errors import ForbiddenError, InvalidInputError
from app.routing.callers import Caller, CallerStatus, Selection
from app.routing.calls import Call, add_parameters, read_call
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.facts import FactValue, encode_facts
from app.routing.numbers import NumberKind
from app.routing.rule_data import DataTable, RuleData, Switch
from app.routing.rule_tests import make_caller, make_recent_calls
from app.routing.ruleset import Ruleset, read_ruleset
from app.routing.stored_tests import CallerStub
from app.routing.wire import ResponseProfile, WireAnswer, decision_document, describe_decision, encode_decision
from app.store.audit import AuditStore
from app.web.limits import HeavyWork

__all__ = ["DescribeColumns", "Simulation"]

_TIMEOUT_SECONDS = 4.5
"""Nobody's phone rings, so the look-up may take its time."""
_COMPANY_COLUMNS = ("account.columns.", "account.parent.columns.")
_WITHOUT_LOOK_UP = {
    NumberKind.WITHHELD: "the number is withheld",
    NumberKind.SHORT: "a short number is not looked up",
    NumberKind.ODD: "this could not be read as a telephone number",
    NumberKind.E164: "",
}
"""Why nobody was looked up, by what came instead of a full number."""


DescribeColumns = Callable[[Ruleset], Awaitable[Ruleset]]
"""Describes the columns of Dataverse that a ruleset compares, as far as that can be known."""


class CallerDirectory(Protocol):
    """Anything that turns an E.164 number into a caller."""

    async def find_for(self, selection: Selection, e164: str, *, until: float) -> LookupResult:
        """Answer by `until` (monotonic seconds), with the columns of the selection."""


class Simulation:
    """Decides made-up calls; nobody is answered and nothing is logged."""

    def __init__(
        self,
        *,
        directory: CallerDirectory,
        live_ruleset: LiveRuleset,
        read_data: Callable[[], RuleData],
        recent_calls: RecentCalls,
        typed_callers: TypedCallers,
        live_settings: LiveCallSettings,
        audit: AuditStore,
        heavy_work: HeavyWork,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        describe_columns: DescribeColumns | None = None,
    ) -> None:
        """Without `describe_columns` the columns of a given ruleset stay as it describes them."""
        self._describe_columns = describe_columns
        self._directory = directory
        self._live_ruleset = live_ruleset
        self._read_data = read_data
        self._recent_calls = recent_calls
        self._typed_callers = typed_callers
        self._live_settings = live_settings
        self._audit = audit
        self._heavy_work = heavy_work
        self._clock = clock
        self._monotonic = monotonic

    async def simulate(
        self,
        payload: Mapping[str, object],
        *,
        caller: CallerStub | None = None,
        at: datetime | None = None,
        parameters: Mapping[str, object] | None = None,
        culture: str | None = None,
        switches: Mapping[str, bool] | None = None,
        tables: Mapping[str, DataTable] | None = None,
        ruleset: Mapping[str, object] | None = None,
        reveal_to: Principal | None = None,
    ) -> dict[str, Any]:
        """Return caller, decision, wire answer, who is on call, facts and trace as JSON values.

        `payload` is a call as the queue posts it; `parameters` (`DYN_*`) and `culture` go into it, beside its extra
        data. Without `caller` the number is looked up, without `at` it is now, switches and tables that are not
        given are as they are, without `ruleset` (a ruleset file) the published one decides. A caller who is really
        looked up, and what tables hold, is shown in full to `reveal_to`, which leaves an audit record of the caller
        first; without it names, columns and rows are hidden, and `ruleset` and `tables` may not test them. Raises
        InvalidInputError for a call without `anum` and for an unusable ruleset, ForbiddenError and StoreError.
        """
        if "anum" not in payload:
            raise InvalidInputError("the call has no key anum; give a number, or null for a withheld one")
        rules, settings = self._live_ruleset.current(), self._live_settings.call_settings()
        if ruleset is not None:
            rules = await self._compile(ruleset)
        call = read_call(add_parameters(payload, parameters or {}, culture), settings.read_number)
        data = self._make_data(switches or {}, tables or {})
        is_typed = settings.typed_parameter is not None and settings.typed_parameter in call.parameters
        real = caller is None and (is_typed or call.caller.e164 is not None)
        read = rules.data_facts.tables.keys() - (tables or {}).keys()
        if reveal_to is None and ruleset is not None:
            _refuse_hidden_tables(read)
        if real and reveal_to is None and (ruleset is not None or tables):
            _refuse_hidden_facts(rules, self._live_ruleset.current())
        if real and reveal_to is not None:
            target = f"caller/{redact_number(call.caller.e164 or '')}"
            await self._audit.add(at=self._clock(), who=reveal_to.name, what="caller.simulated", target=target)
        now = self._clock() if at is None else at.timestamp()
        found, source = await self._find_caller(call, caller, rules, now)
        recent = make_recent_calls(caller or CallerStub(), rules)
        if caller is None and rules.asks_recent_calls:
            # Whether a number has called is for those who may see numbers.
            recent = None if reveal_to is None else await self._recent_calls.ask(call, now)
        hidden = reveal_to is None and (real or bool(read))
        pretend = partial(_decide, profile=settings.profile, data=data, recent=recent, hidden=hidden)
        decided = await self._heavy_work.run(pretend, rules, call, found, now)
        return {"caller": _describe_caller(found), "source": source, **decided}

    async def _compile(self, document: Mapping[str, object]) -> CompiledRuleset:
        ruleset = await self._heavy_work.run(read_ruleset, document)
        if self._describe_columns is not None:
            ruleset = await self._describe_columns(ruleset)
        return await self._heavy_work.run(compile_ruleset, ruleset, revision=None)

    def _make_data(self, switches: Mapping[str, bool], tables: Mapping[str, DataTable]) -> RuleData:
        present, given = self._read_data(), {name: Switch(on=on) for name, on in switches.items()}
        return RuleData(
            switches={**present.switches, **given},
            tables={**present.tables, **tables},
            queues=present.queues,
            agents=present.agents,
        )

    async def _find_caller(
        self, call: Call, stub: CallerStub | None, rules: CompiledRuleset, now: float
    ) -> tuple[Caller, str]:
        if stub is not None:
            return make_caller(stub, rules, now), "given"
        until = self._monotonic() + _TIMEOUT_SECONDS
        result = await recognise_typed(
            call,
            await self._look_up(call, rules, until),
            self._typed_callers,
            parameter=self._live_settings.call_settings().typed_parameter,
            selection=rules.selection,
            until=until,
        )
        return result.caller, result.source

    async def _look_up(self, call: Call, rules: CompiledRuleset, until: float) -> LookupResult:
        number = call.caller
        if number.e164 is not None:
            return await self._directory.find_for(rules.selection, number.e164, until=until)
        withheld = number.kind is NumberKind.WITHHELD
        status = CallerStatus.WITHHELD if withheld else CallerStatus.UNKNOWN
        return LookupResult(Caller(status=status, detail=_WITHOUT_LOOK_UP[number.kind]), Source.NONE)


def _refuse_hidden_tables(read: Collection[str]) -> None:
    """Refuse to look up in tables for rules of somebody who may not see what they hold."""
    if read:
        raise ForbiddenError(
            f"Your role may not see what the table {min(read)} holds, so your own rules cannot read it; "
            "give rows with `tables`, or use the published rules."
        )


def _refuse_hidden_facts(rules: CompiledRuleset, published: CompiledRuleset) -> None:
    """Refuse what somebody may not see of a real caller: what decisions hide, and columns that no decision shows."""
    columns = {fact for fact in rules.facts_used if fact.startswith(_COMPANY_COLUMNS)} - published.facts_used
    if hidden := sorted({fact for fact in rules.facts_used if hides(fact)} | columns):
        raise ForbiddenError(
            f"Your role may not see {', '.join(hidden)} of a real caller, so your own rules and tables cannot test it; "
            "pretend a caller with `caller`, or use the published rules and tables."
        )


def _describe_caller(caller: Caller) -> dict[str, Any]:
    known = caller.status in {CallerStatus.IDENTIFIED, CallerStatus.AMBIGUOUS}
    return {
        "status": caller.status.value,
        "cause": None if caller.cause is None else caller.cause.value,
        "detail": caller.detail,
        "kind": None if caller.kind is None else caller.kind.value,
        "vip": caller.vip,
        "vip_reason": caller.vip_reason,
        "match": caller.match.value if known else None,
        "confidence": caller.confidence if known else 0.0,
        "matches": caller.matches,
    }


def _describe_answer(answer: WireAnswer) -> dict[str, Any]:
    return {"status": answer.status, "body": None if answer.body is None else orjson.loads(answer.body)}


def _decide(
    rules: CompiledRuleset,
    call: Call,
    caller: Caller,
    now: float,
    *,
    profile: ResponseProfile,
    data: RuleData,
    recent: Mapping[str, FactValue] | None,
    hidden: bool,
) -> dict[str, Any]:
    """Decide, and explain it rule by rule; with thousands of rules that takes longer than a call may wait."""
    facts = rules.gather(call, caller, now, data=data, recent=recent)
    trace = rules.trace(facts, now)
    turns = rules.list_turns(now)
    labels = dict(rules.list_labels(facts))
    shown = {
        "on_call": {name: turn and asdict(turn) for name, turn in turns.items()},
        "labels": redact_facts(labels) if hidden else labels,
    }
    return {name: members for name, members in shown.items() if members} | {
        "decision": decision_document(trace.decision),
        "summary": describe_decision(trace.decision),
        "answer": _describe_answer(encode_decision(trace.decision, profile)),
        "facts": redact_facts(encode_facts(facts)) if hidden else encode_facts(facts),
        "trace": redact_trace(trace.document()) if hidden else trace.document(),
    }
