"""Sharing: one look-up for many calls, which outlives them within bounds and leaves nothing behind."""

import asyncio
import gc
from dataclasses import replace

from app.directory.limits import BreakerLimits, DirectoryLimits
from app.directory.lookup import LookupResult, Source
from app.routing.callers import CallerStatus, Cause
from tests.directory.scripted import (
    ANNA,
    NUMBER,
    Bench,
    answer,
    answer_after,
    count_tasks,
    hang,
)

FIRM = DirectoryLimits(breaker=BreakerLimits(consecutive_failures=100, window_minimum=1000))
"""A breaker that stays closed."""


async def test_late_answer_warms_the_memory() -> None:
    """A look-up that outlives its call is there for the next one."""
    async with Bench(answer_after(2.0, ANNA)) as bench:
        assert (await bench.directory.find(NUMBER, until=bench.by(1.5))).source is Source.NONE
        await asyncio.sleep(0.6)
        assert bench.directory.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)


async def test_thousand_simultaneous_calls_are_one_look_up() -> None:
    """One number, a thousand calls at once: Dataverse is asked once and all get the same caller."""
    async with Bench(answer_after(0.08, ANNA)) as bench:
        finds = (bench.directory.find(NUMBER, until=bench.by(1.5)) for _ in range(1000))
        assert set(map(repr, await asyncio.gather(*finds))) == {repr(LookupResult(ANNA, Source.LIVE))}
        assert len(bench.live.asked) == 1
        assert bench.directory.statistics().coalesced == 999


async def test_every_waiter_has_its_own_deadline() -> None:
    """Calls that share a look-up leave one by one when their own time ends."""
    async with Bench(answer_after(1.0, ANNA), limits=FIRM) as bench:

        async def find(seconds: float) -> tuple[Source, float]:
            started = bench.now
            found = await bench.directory.find(NUMBER, until=bench.by(seconds))
            return found.source, round(bench.now - started, 3)

        results = await asyncio.gather(*map(find, [0.2, 0.5, 1.5]))
        assert results == [(Source.NONE, 0.2), (Source.NONE, 0.5), (Source.LIVE, 1.0)]
        assert len(bench.live.asked) == 1


async def test_hung_crm_and_500_callers_leave_nothing_behind() -> None:
    """Ten rounds of 500 calls against a hung Dataverse: all in time, and tasks return to where they were."""
    async with Bench(hang) as bench:
        tasks = count_tasks()
        for _ in range(10):
            until = bench.by(1.5)
            finds = (bench.directory.find(bench.number(index), until=until) for index in range(500))
            causes = {found.caller.cause for found in await asyncio.gather(*finds)}
            assert causes <= {Cause.TIMEOUT, Cause.CIRCUIT_OPEN}
            assert bench.now <= until + 0.001
        await asyncio.sleep(10)
        assert count_tasks() == tasks
        assert bench.live.under_way == 0


async def test_cancelled_waiters_do_not_cancel_the_look_up() -> None:
    """Callers that hang up leave the shared look-up to those who stay."""
    async with Bench(answer_after(0.5, ANNA)) as bench:
        leaving = [asyncio.create_task(bench.directory.find(NUMBER, until=bench.by(1.5))) for _ in range(100)]
        staying = asyncio.create_task(bench.directory.find(NUMBER, until=bench.by(1.5)))
        await asyncio.sleep(0.1)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        assert await staying == LookupResult(ANNA, Source.LIVE)
        assert all(task.cancelled() for task in leaving)


async def test_cancellation_storm_leaves_no_tasks() -> None:
    """Storms of callers that hang up at odd moments leave only what was sent, and in the end nothing."""
    limits = DirectoryLimits(background_look_ups=5, look_ups_at_once=10)
    async with Bench(answer_after(0.5, ANNA), limits=limits) as bench:
        tasks = count_tasks()
        for storm in range(20):
            calls = [
                asyncio.create_task(bench.directory.find(bench.number(storm * 40 + i // 5), until=bench.by(1.5)))
                for i in range(200)
            ]
            for index, call in enumerate(calls):
                if index % 20 == 0:
                    await asyncio.sleep(0.001)
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert bench.live.under_way <= 10
        await asyncio.sleep(5)
        gc.collect()
        assert count_tasks() == tasks
        assert bench.live.under_way == 0


async def test_no_room_in_the_background_gives_the_look_up_up() -> None:
    """A number nobody waits for leaves the queue when too many go on already, and the next call starts anew."""
    async with Bench(hang, limits=replace(FIRM, background_look_ups=1, look_ups_at_once=1)) as bench:
        for index in range(3):
            await bench.directory.find(bench.number(index), until=bench.by(0.5))
        await asyncio.sleep(3)
        assert [e164 for e164, _ in bench.live.asked] == [bench.number(0)]
        bench.live.script = answer(ANNA)
        assert (await bench.directory.find(bench.number(2), until=bench.by(0.5))).source is Source.LIVE


async def test_closing_ends_waits_and_look_ups() -> None:
    """Closing cancels what is under way and lets those who wait go, with an answer."""
    async with Bench(hang) as bench:
        finds = [asyncio.create_task(bench.directory.find(bench.number(i), until=bench.by(30))) for i in range(50)]
        await asyncio.sleep(0.1)
        await bench.directory.aclose()
        assert {(await find).caller.status for find in finds} == {CallerStatus.UNAVAILABLE}
        assert bench.live.under_way == 0
        assert (await bench.directory.find(NUMBER, until=bench.by(1))).caller.status is CallerStatus.UNAVAILABLE
