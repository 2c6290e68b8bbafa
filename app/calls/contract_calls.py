"""Answers the calls of a contract test as any other, and leaves no trace of them."""

from collections.abc import Callable, Sequence
from typing import Final

from app.auth.contract_marks import ContractMarks
from app.calls.route_call import Answered, Arrival, LiveRuleset, LoopGuard, RouteCall
from app.directory.lookup import LookupResult, Source
from app.routing.callers import Caller, CallerStatus
from app.routing.calls import Call
from app.routing.decisions import DecisionRecord
from app.routing.rule_data import RuleData

__all__ = ["ContractCalls"]

_NOBODYS: Final = "+447700900"
"""Numbers that the British regulator keeps for fiction: nobody calls from or to them, so no real call is left out."""


class _Nobody:
    """Knows who has a number that nobody has, without asking."""

    def recall(self, _e164: str) -> LookupResult | None:
        return LookupResult(Caller(status=CallerStatus.UNKNOWN), Source.NONE)

    async def find(self, e164: str, *, until: float) -> LookupResult:  # noqa: ARG002 - the protocol's
        return LookupResult(Caller(status=CallerStatus.UNKNOWN), Source.NONE)


class _NoLog:
    """Keeps nothing."""

    def append(self, _record: DecisionRecord) -> bool:
        return True


class ContractCalls:
    """Recognises marked requests, and decides their calls by the live rules without log, counts or look-up."""

    def __init__(
        self,
        *,
        marks: ContractMarks,
        live_ruleset: LiveRuleset,
        read_data: Callable[[], RuleData],
        monotonic: Callable[[], float],
    ) -> None:
        """`monotonic` gives the seconds of the event loop."""
        self._marks = marks
        self._route_call = RouteCall(
            directory=_Nobody(),
            live_ruleset=live_ruleset,
            read_data=read_data,
            decision_log=_NoLog(),
            loop_guard=LoopGuard(max_redirects=1, monotonic=monotonic),
            call_log=lambda _line: None,
            monotonic=monotonic,
        )

    def is_marked(self, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Tell whether a request is part of a contract test."""
        return self._marks.find(headers)

    def takes(self, call: Call) -> bool:
        """Tell whether a marked call is from nobody, or a withheld one to nobody: any other one is a real call."""
        return (call.caller.e164 or call.called.e164 or "").startswith(_NOBODYS)

    async def answer(self, call: Call, arrival: Arrival) -> Answered:
        """Decide it."""
        return await self._route_call(call, arrival)
