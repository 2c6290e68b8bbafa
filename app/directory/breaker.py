"""A circuit breaker: stops asking a Dataverse that fails, and obeys its Retry-After to the moment."""

import math
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from app.directory.limits import BreakerLimits
from app.directory.lookup import Answer, Outage
from app.routing.callers import Cause

__all__ = ["BreakerState", "CircuitBreaker", "Permit"]


class BreakerState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """One trial request may pass, or is under way."""


class Permit:
    """Leave to make one look-up. Exactly one of `settle` and `release` ends it."""

    __slots__ = ("_breaker", "era")

    def __init__(self, breaker: "CircuitBreaker", era: int) -> None:
        self._breaker = breaker
        self.era = era

    def settle(self, answer: Answer) -> None:
        """Report what came of the look-up."""
        self._breaker.settle(self, answer)

    def release(self) -> None:
        """Report that it was given up, which says nothing about Dataverse."""
        self._breaker.release(self)


class CircuitBreaker:
    """Exists because no library admits exactly one trial, takes its clock from outside and knows Retry-After.

    Opens after so many failures in a row, or a ratio of failures within a window; a throttled look-up opens it
    until the moment Dataverse named. Then one trial passes: success closes it, failure opens it again. What arrives
    late from before a change of state counts no more, but a Retry-After always does. Not thread-safe: one loop.
    """

    def __init__(self, *, limits: BreakerLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._era = 0
        self._open_until: float | None = None
        self._cause = Cause.CIRCUIT_OPEN
        self._last_failure = ""
        self._trial: Permit | None = None
        self._failures_in_a_row = 0
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._failures_in_window = 0

    @property
    def state(self) -> BreakerState:
        """Whether requests pass at this moment."""
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._monotonic() < self._open_until else BreakerState.HALF_OPEN

    def refusal(self) -> Outage | None:
        """Tell why a look-up would be refused now; `None` when it would be admitted."""
        if self._open_until is None:
            return None
        remaining = self._open_until - self._monotonic()
        if remaining > 0:
            return Outage(cause=self._cause, detail=self._explain(remaining), retry_after=remaining)
        if self._trial is not None:
            return Outage(cause=self._cause, detail="Dataverse is being tried again; waiting for the outcome")
        return None

    def admit(self) -> Permit | Outage:
        """Give leave for one look-up that starts now, or tell why not."""
        if refusal := self.refusal():
            return refusal
        permit = Permit(self, self._era)
        if self._open_until is not None:
            self._trial = permit
        return permit

    def settle(self, permit: Permit, answer: Answer) -> None:
        """Count the outcome of an admitted look-up."""
        self.release(permit)
        if not isinstance(answer, Outage):
            self._succeed(permit)
        elif answer.cause is Cause.THROTTLED:
            self._throttle(answer.retry_after)
        elif answer.cause in {Cause.TIMEOUT, Cause.ERROR}:
            self._last_failure = answer.detail
            self._fail(permit)

    def release(self, permit: Permit) -> None:
        """Take the permit back; a trial given up leaves room for the next one."""
        if permit is self._trial:
            self._trial = None

    def _succeed(self, permit: Permit) -> None:
        if permit.era != self._era:
            return
        if self._open_until is not None:
            self._open_until = None
            self._begin_era()
        self._failures_in_a_row = 0
        self._note(failed=False)

    def _fail(self, permit: Permit) -> None:
        if permit.era != self._era:
            return
        self._failures_in_a_row += 1
        self._note(failed=True)
        if self._open_until is not None or self._is_failing():
            self._open(self._limits.open_seconds, Cause.CIRCUIT_OPEN)

    def _throttle(self, retry_after: float | None) -> None:
        seconds = self._limits.open_seconds if retry_after is None or math.isnan(retry_after) else retry_after
        self._open(min(max(seconds, 0.0), self._limits.max_retry_after_seconds), Cause.THROTTLED)

    def _open(self, seconds: float, cause: Cause) -> None:
        until = self._monotonic() + seconds
        if self._open_until is None or until >= self._open_until:
            self._open_until = until
            self._cause = cause
        self._begin_era()

    def _begin_era(self) -> None:
        self._era += 1
        self._trial = None
        self._failures_in_a_row = 0
        self._failures_in_window = 0
        self._outcomes.clear()

    def _note(self, *, failed: bool) -> None:
        now = self._monotonic()
        self._outcomes.append((now, failed))
        self._failures_in_window += failed
        while self._outcomes[0][0] <= now - self._limits.window_seconds:
            self._failures_in_window -= self._outcomes.popleft()[1]

    def _is_failing(self) -> bool:
        if self._failures_in_a_row >= self._limits.consecutive_failures:
            return True
        known = len(self._outcomes)
        return known >= self._limits.window_minimum and self._failures_in_window >= self._limits.failure_ratio * known

    def _explain(self, remaining: float) -> str:
        what = "asked for a pause" if self._cause is Cause.THROTTLED else f"failed repeatedly ({self._last_failure})"
        return f"Dataverse {what}; it is asked again in {remaining:.1f} s"
