"""Load shedding: time kept back for answers, and calls not looked up when there would be none left."""

import asyncio

import pytest

from app.directory.limits import BreakerLimits, DirectoryLimits
from app.directory.load_shedding import LoadShedding, SheddingLimits
from app.directory.lookup import LookupResult, Source
from app.routing.callers import CallerStatus, Cause
from app.single_flight import cancel_all
from tests.directory.jumping_loop import jump_clock
from tests.directory.scripted import ANNA, NUMBER, Bench, answer, answer_after, hang

LIMITS = SheddingLimits(deadline=1.5, base=0.05, per_waiting_call=0.016, max_share=0.6)
PATIENT = DirectoryLimits(
    look_ups_at_once=200, queue_seconds=5, breaker=BreakerLimits(consecutive_failures=500, window_minimum=1000)
)
"""Nothing but load shedding holds a look-up back."""


def shed_into(shed: list[int], limits: SheddingLimits = LIMITS) -> LoadShedding:
    """Make load shedding that notes each call it sheds."""
    return LoadShedding(limits=limits, on_shed=lambda: shed.append(1))


async def test_call_that_is_alone_keeps_a_little_time_back() -> None:
    """A look-up ends early enough for rules, record and sending."""
    shedding = shed_into([])
    async with Bench(hang, shedding=shedding) as bench:
        deadline = bench.by(1.5)
        await bench.directory.find(NUMBER, until=deadline)
        assert bench.now == pytest.approx(deadline - 0.05)
        assert shedding.waiting == 0


async def test_crowd_gets_less_time_each_and_then_none() -> None:
    """The more calls wait the less time the next one gets; beyond the share they are decided at once."""
    shed: list[int] = []
    async with Bench(hang, shedding=shed_into(shed), limits=PATIENT) as bench:
        deadline = bench.by(1.5)

        async def call(index: int) -> tuple[LookupResult, float]:
            return await bench.directory.find(bench.number(index), until=deadline), bench.now

        results = await asyncio.gather(*map(call, range(200)))
        waited = [at for _, at in results if at > deadline - 1.5]
        turned_away = [found for found, at in results if at == deadline - 1.5]
        assert len(waited) == 54
        assert (max(waited), min(waited)) == pytest.approx((deadline - 0.05, deadline - 0.898))
        assert len(turned_away) == len(shed) == 146
        assert {(away.source, away.caller.status, away.caller.cause, away.caller.detail) for away in turned_away} == {
            (
                Source.NONE,
                CallerStatus.UNAVAILABLE,
                Cause.TIMEOUT,
                "Overload: too many calls wait for Dataverse already",
            )
        }


async def test_known_callers_are_served_in_a_crowd() -> None:
    """A fresh caller never waits, and an older one is answered when there is no time to ask."""
    async with Bench(answer(ANNA), shedding=shed_into([]), limits=PATIENT) as bench:
        await bench.directory.find("+358401", until=bench.by(1.5))
        await asyncio.sleep(61)
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        bench.live.script = hang
        crowd = [
            asyncio.create_task(bench.directory.find(bench.number(index), until=bench.by(1.5))) for index in range(200)
        ]
        await asyncio.sleep(0)
        assert bench.directory.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)
        assert await bench.directory.find("+358401", until=bench.by(1.5)) == LookupResult(ANNA, Source.STALE)
        await asyncio.gather(*crowd)


def test_tiny_deadline_leaves_most_of_it_to_the_look_up() -> None:
    """What is kept back never exceeds a fifth of the deadline for a call that is alone."""
    assert shed_into([], SheddingLimits(deadline=0.05)).reserve == pytest.approx(0.01)


async def test_call_that_joins_a_look_up_is_never_shed() -> None:
    """However many wait, who only joins a look-up under way asks nothing of Dataverse, and is recognised with it."""
    shed: list[int] = []
    async with Bench(answer_after(0.3, ANNA), shedding=shed_into(shed), limits=PATIENT) as bench:
        finds = (bench.directory.find(NUMBER, until=bench.by(1.5)) for _ in range(1000))
        assert {result.source for result in await asyncio.gather(*finds)} == {Source.LIVE}
        assert shed == []


async def test_late_event_loop_keeps_more_time_back() -> None:
    """What holds the loop up is measured, kept back from the next look-ups, and fades when it is over."""
    shedding = shed_into([])
    loop = asyncio.get_running_loop()
    watching = asyncio.create_task(shedding.watch_lag())
    await asyncio.sleep(0.15)
    assert shedding.lag == pytest.approx(0.0)
    jump_clock(loop, 0.4)
    await asyncio.sleep(0.01)
    assert shedding.lag == pytest.approx(0.35)
    assert shedding.reserve == pytest.approx(0.05 + 0.35)
    await asyncio.sleep(0.1)
    assert shedding.lag == pytest.approx(0.35 * 0.8)
    await asyncio.sleep(3)
    assert shedding.lag == pytest.approx(0.0, abs=0.001)
    await cancel_all([watching])
