"""Ends loops: a call that one queue sends to another, whose own webhook sends it back."""

from collections.abc import Callable

from cachetools import TTLCache

from app.routing.calls import Call
from app.routing.decisions import Decision, Outcome

__all__ = ["LoopGuard"]

_MAX_CALLS = 100_000
_CALL_LASTS = 3600.0
"""Seconds after its last redirect in which a call id is remembered."""


class LoopGuard:
    """Counts, for the calls of this process, how often each one was redirected and came back from another place.

    The same queue asking again is a repetition and no hop. A call without an id cannot be followed and is never held
    back.
    """

    def __init__(self, *, most: int, monotonic: Callable[[], float]) -> None:
        """`most` is how many hops one call may make, at least 1."""
        self._most = most
        self._last: TTLCache[str, tuple[str | None, int]] = TTLCache(_MAX_CALLS, _CALL_LASTS, timer=monotonic)

    def limit(self, call: Call, decision: Decision) -> tuple[Decision, int]:
        """Return the decision, or `no_change` when the call went round too often; and its hops so far."""
        if call.call_id is None or decision.outcome is not Outcome.REDIRECT:
            return decision, 0
        place = call.queue_id or call.target_id or call.called.e164
        before = self._last.get(call.call_id)
        hops = 0 if before is None else before[1] + (before[0] != place)
        if before is None or before[0] != place:
            self._last[call.call_id] = (place, hops)
        if hops <= self._most:
            return decision, hops
        reason = f"redirect loop: this call was redirected {hops} times already"
        return Decision(outcome=Outcome.NO_CHANGE, rule=decision.rule, reason=reason), hops
