"""The circuit breaker: opens in time, stays open exactly as long as it must, lets one trial through."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.directory.breaker import BreakerState, CircuitBreaker, Permit
from app.directory.limits import BreakerLimits
from app.directory.lookup import Outage
from app.routing.callers import Caller, CallerStatus, Cause

GOOD = Caller(status=CallerStatus.UNKNOWN)
BAD = Outage(cause=Cause.ERROR, detail="HTTP 500")
SLOW = Outage(cause=Cause.TIMEOUT, detail="")
NEUTRAL = Outage(cause=Cause.NOT_CONFIGURED, detail="")
LIMITS = BreakerLimits(consecutive_failures=3, failure_ratio=0.5, window_seconds=30, window_minimum=10, open_seconds=5)


@dataclass
class Hand:
    """A clock that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def throttled(seconds: float | None) -> Outage:
    """Build what a 429 becomes."""
    return Outage(cause=Cause.THROTTLED, detail="", retry_after=seconds)


def build(limits: BreakerLimits = LIMITS) -> tuple[CircuitBreaker, Hand]:
    """Build a breaker and its clock."""
    clock = Hand()
    return CircuitBreaker(limits=limits, monotonic=clock), clock


def admit(breaker: CircuitBreaker) -> Permit:
    """Take a permit that must be given."""
    permit = breaker.admit()
    assert isinstance(permit, Permit)
    return permit


def test_failures_in_a_row_open_it() -> None:
    """The third failure in a row opens it for five seconds, with the cause and the time left."""
    breaker, clock = build()
    for answer in (BAD, SLOW, BAD):
        admit(breaker).settle(answer)
    assert breaker.admit() == Outage(
        cause=Cause.CIRCUIT_OPEN,
        detail="Dataverse failed repeatedly (HTTP 500); it is asked again in 5.0 s",
        retry_after=5.0,
    )
    clock.now = 4.999
    assert breaker.state is BreakerState.OPEN
    clock.now = 5.0
    assert breaker.state is BreakerState.HALF_OPEN


def test_success_between_failures_keeps_it_closed() -> None:
    """Failures that are not in a row do not open it while they are few."""
    breaker, _ = build()
    for answer in (BAD, BAD, GOOD, BAD, BAD):
        admit(breaker).settle(answer)
    assert breaker.state is BreakerState.CLOSED


def test_ratio_of_failures_opens_it() -> None:
    """Half of ten look-ups failing opens it even with successes in between."""
    breaker, _ = build()
    for answer in (BAD, GOOD) * 4:
        admit(breaker).settle(answer)
    admit(breaker).settle(BAD)
    assert breaker.state is BreakerState.CLOSED
    admit(breaker).settle(BAD)
    assert breaker.state is BreakerState.OPEN


def test_old_failures_leave_the_window() -> None:
    """What happened longer ago than the window does not count towards the ratio."""
    breaker, clock = build()
    for answer in (BAD, GOOD) * 4:
        admit(breaker).settle(answer)
    clock.now = 31
    for answer in (*[GOOD] * 9, BAD):
        admit(breaker).settle(answer)
    assert breaker.state is BreakerState.CLOSED


def test_not_configured_says_nothing() -> None:
    """A look-up that was never made is no failure of Dataverse."""
    breaker, _ = build()
    for _ in range(10):
        admit(breaker).settle(NEUTRAL)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(17.0, 17.0), (0.0, 0.0), (None, 5.0), (math.nan, 5.0), (-3.0, 0.0), (1e9, 3600.0)]
)
def test_retry_after_is_obeyed_to_the_moment(retry_after: float | None, seconds: float) -> None:
    """A single 429 opens it until Retry-After is over, not earlier and not later."""
    breaker, clock = build()
    admit(breaker).settle(throttled(retry_after))
    if seconds:
        clock.now = math.nextafter(seconds, 0)
        refusal = breaker.admit()
        assert isinstance(refusal, Outage)
        assert refusal.cause is Cause.THROTTLED
    clock.now = seconds
    admit(breaker)


def test_later_429_extends_and_earlier_one_does_not_shorten() -> None:
    """Of several 429 the one that reaches furthest counts, also when it arrives late."""
    breaker, clock = build()
    permits = [admit(breaker) for _ in range(3)]
    permits[0].settle(throttled(10))
    permits[1].settle(throttled(2))
    clock.now = 3
    assert breaker.state is BreakerState.OPEN
    permits[2].settle(throttled(20))
    clock.now = 22.9
    assert breaker.state is BreakerState.OPEN
    clock.now = 23
    assert breaker.state is BreakerState.HALF_OPEN


def test_one_trial_closes_it() -> None:
    """Half open, one look-up passes and the others wait; its success closes the breaker."""
    breaker, clock = build()
    admit(breaker).settle(throttled(1))
    clock.now = 1
    trial = admit(breaker)
    assert isinstance(breaker.admit(), Outage)
    trial.settle(GOOD)
    assert breaker.state is BreakerState.CLOSED
    admit(breaker)
    admit(breaker)


def test_failed_trial_opens_it_again() -> None:
    """One failure of the trial is enough to open it for the full time."""
    breaker, clock = build()
    admit(breaker).settle(throttled(1))
    clock.now = 1
    admit(breaker).settle(BAD)
    clock.now = 5.9
    assert breaker.state is BreakerState.OPEN
    clock.now = 6
    assert breaker.state is BreakerState.HALF_OPEN


def test_trial_given_up_leaves_room_for_the_next() -> None:
    """A trial that was cancelled neither opens nor closes; another one may start at once."""
    breaker, clock = build()
    admit(breaker).settle(throttled(1))
    clock.now = 1
    admit(breaker).release()
    assert breaker.state is BreakerState.HALF_OPEN
    admit(breaker).settle(GOOD)
    assert breaker.state is BreakerState.CLOSED


def test_late_success_from_before_does_not_close_it() -> None:
    """A success that was sent before the breaker opened is no trial."""
    breaker, clock = build()
    early = admit(breaker)
    admit(breaker).settle(throttled(10))
    early.settle(GOOD)
    assert breaker.state is BreakerState.OPEN
    clock.now = 10
    assert breaker.state is BreakerState.HALF_OPEN


class BreakerMachine(RuleBasedStateMachine):
    """Compares the breaker with the promises it makes, under any order of events."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.clock = build()
        self.under_way: list[Permit] = []
        self.trials: list[Permit] = []
        self.quiet_until = 0.0
        """No look-up may start before this: Dataverse said so."""

    @rule(seconds=st.floats(0, 40))
    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.clock.now += seconds

    @rule()
    def ask(self) -> None:
        """Ask for leave; what it says must fit its state."""
        state, refusal = self.breaker.state, self.breaker.refusal()
        outcome = self.breaker.admit()
        assert isinstance(outcome, Outage) == (refusal is not None)
        if isinstance(outcome, Permit):
            assert state is not BreakerState.OPEN
            assert self.clock.now >= self.quiet_until
            if state is BreakerState.HALF_OPEN:
                assert not self.trials
                self.trials = [outcome]
            self.under_way.append(outcome)
        else:
            assert state is BreakerState.OPEN or self.trials

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), answer=st.sampled_from([GOOD, BAD, SLOW, NEUTRAL]))
    def settle(self, data: st.DataObject, answer: Caller | Outage) -> None:
        """End any look-up under way, in any order."""
        permit = self._take(data)
        before = self.breaker.state
        permit.settle(answer)
        was_trial = permit in self.trials
        self._end(permit)
        if was_trial and answer is GOOD:
            assert self.breaker.state is BreakerState.CLOSED
            assert before is BreakerState.HALF_OPEN
        elif before is BreakerState.OPEN:
            assert self.breaker.state is BreakerState.OPEN
        elif before is BreakerState.HALF_OPEN and not was_trial:
            assert self.breaker.state is BreakerState.HALF_OPEN

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), seconds=st.floats(0.001, 100))
    def throttle(self, data: st.DataObject, seconds: float) -> None:
        """End any look-up under way with a 429."""
        self._take(data).settle(throttled(seconds))
        self.trials = []
        self.quiet_until = max(self.quiet_until, self.clock.now + seconds)
        assert self.breaker.state is BreakerState.OPEN

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Give up any look-up under way."""
        before = self.breaker.state
        permit = self._take(data)
        permit.release()
        self._end(permit)
        assert self.breaker.state is before

    @invariant()
    def keeps_quiet(self) -> None:
        """Inside a Retry-After it is open."""
        if self.clock.now < self.quiet_until:
            assert self.breaker.state is BreakerState.OPEN

    def _take(self, data: st.DataObject) -> Permit:
        return self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))

    def _end(self, permit: Permit) -> None:
        if permit in self.trials:
            self.trials = []


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
