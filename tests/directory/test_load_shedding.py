"""Load shedding: time kept back for answers, and calls not looked up when there would be none left."""

import asyncio

import pytest

from app.directory.limits import BreakerLimits, DirectoryLimits
from app.directory.load_shedding import LoadShedding, SheddingLimits
from app.directory.lookup import LookupResult, Source
from app.routing.callers import CallerStatus, Cause
from tests.directory.scripted import ANNA, NUMBER, Bench, answer, hang

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
