"""Protection: Dataverse is never asked more than it allows, nor while it fails."""

import asyncio
from dataclasses import replace

from app.directory.limits import DirectoryLimits
from app.directory.lookup import LookupResult, Source
from app.routing.callers import Caller, Cause
from tests.directory.scripted import (
    ANNA,
    NUMBER,
    THROTTLED,
    Bench,
    answer,
    answer_after,
    hang,
)


async def test_429_sends_nothing_inside_retry_after() -> None:
    """5,000 calls from 500 numbers within 10 s of a 429: only what was already sent reached Dataverse."""
    async with Bench(answer_after(0.05, THROTTLED)) as bench:

        async def call(index: int) -> LookupResult:
            await asyncio.sleep(index / 500)
            return await bench.directory.find(bench.number(index % 500), until=bench.by(1.5))

        started = bench.now
        results = await asyncio.gather(*map(call, range(5000)))
        first = bench.live.asked[0][1] + 0.05
        inside = [at for _, at in bench.live.asked if first < at < first + 10]
        assert inside == []
        assert len(bench.live.asked) <= 25
        assert {found.caller.cause for found in results} == {Cause.THROTTLED}
        assert bench.now - started < 11.6


async def test_queued_look_ups_are_not_sent_after_a_429() -> None:
    """What waited for its turn when the 429 arrived is refused; what was under way is all there was."""
    async with Bench(answer_after(0.05, THROTTLED), limits=DirectoryLimits(look_ups_at_once=3)) as bench:
        finds = (bench.directory.find(bench.number(index), until=bench.by(1.5)) for index in range(200))
        results = await asyncio.gather(*finds)
        assert len(bench.live.asked) == 3
        assert {found.caller.cause for found in results} == {Cause.THROTTLED}


async def test_first_request_after_retry_after_is_one_trial() -> None:
    """The moment Retry-After is over one look-up passes, and when it succeeds all do."""
    async with Bench(answer(THROTTLED)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        bench.live.script = answer_after(0.1, ANNA)
        await asyncio.sleep(9.99)
        assert (await bench.directory.find(NUMBER, until=bench.by(1.5))).caller.cause is Cause.THROTTLED
        await asyncio.sleep(0.02)
        finds = (bench.directory.find(bench.number(index), until=bench.by(1.5)) for index in range(50))
        sources = [found.source for found in await asyncio.gather(*finds)]
        assert sources.count(Source.LIVE) == 1
        assert (await bench.directory.find(NUMBER, until=bench.by(1.5))).source is Source.LIVE


async def test_look_ups_at_once_are_bounded() -> None:
    """However many numbers call, Dataverse sees a bounded number of look-ups together."""
    async with Bench(answer_after(0.1, ANNA), limits=DirectoryLimits(look_ups_at_once=7)) as bench:
        finds = (bench.directory.find(bench.number(index), until=bench.by(5)) for index in range(50))
        assert {found.source for found in await asyncio.gather(*finds)} == {Source.LIVE}
        assert bench.live.most_under_way == 7


async def test_the_wait_for_a_turn_is_bounded() -> None:
    """A look-up that does not get its turn in time, or finds the queue full, says so without a request."""
    limits = DirectoryLimits(look_ups_at_once=1, queue_seconds=0.3, queue_length=1)
    async with Bench(hang, limits=limits) as bench:
        finds = (bench.directory.find(bench.number(index), until=bench.by(1.5)) for index in range(3))
        details = [found.caller.detail for found in await asyncio.gather(*finds)]
        assert details == [
            "Dataverse timed out at 1.5 s",
            "The look-up did not get its turn within 0.3 s",
            "Too many look-ups wait for Dataverse already",
        ]
        assert len(bench.live.asked) == 1


async def test_hung_crm_opens_the_breaker() -> None:
    """When look-ups keep hanging, calls stop waiting for them."""
    async with Bench(hang) as bench:
        for index in range(6):
            await bench.directory.find(bench.number(index), until=bench.by(1.5))
        await asyncio.sleep(2)
        asked_at = bench.now
        found = await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert (found.caller.cause, bench.now) == (Cause.CIRCUIT_OPEN, asked_at)


async def test_look_up_that_was_sent_runs_to_its_end() -> None:
    """Calls that give up cancel nothing that was sent: its outcome still tells whether Dataverse is well."""
    async with Bench(hang, limits=DirectoryLimits(background_look_ups=0)) as bench:
        for index in range(5):
            await bench.directory.find(bench.number(index), until=bench.by(0.5))
        assert (bench.live.under_way, bench.metrics.observed) == (5, [])
        await asyncio.sleep(4)
        assert bench.metrics.observed == [("timeout", 4.0)] * 5
        assert (await bench.directory.find(NUMBER, until=bench.by(0.5))).caller.cause is Cause.CIRCUIT_OPEN


async def test_numbers_that_wait_share_the_next_look_up() -> None:
    """A crowd of strangers is few questions, each about several numbers, and everybody is recognised."""

    async def script(e164: str) -> Caller:
        await asyncio.sleep(0.08)
        return replace(ANNA, id=e164)

    async with Bench(script, limits=DirectoryLimits(look_ups_at_once=2, numbers_per_look_up=8)) as bench:
        finds = (bench.directory.find(bench.number(index), until=bench.by(1.5)) for index in range(50))
        found = await asyncio.gather(*finds)

        assert [(result.caller.id, result.source) for result in found] == [
            (bench.number(index), Source.LIVE) for index in range(50)
        ]
        assert [len(numbers) for numbers in bench.live.look_ups] == [1, 1, 8, 8, 8, 8, 8, 8]


async def test_calls_with_the_least_time_left_come_first_and_unwaited_ones_last() -> None:
    """The order of turns follows the time that is left to the calls, not their arrival."""
    limits = DirectoryLimits(look_ups_at_once=1, numbers_per_look_up=1)
    async with Bench(answer(ANNA), limits=limits) as bench:
        await bench.directory.find("+358401", until=bench.by(1.5))
        await asyncio.sleep(61)
        bench.live.asked.clear()
        bench.live.script = answer_after(0.1, ANNA)
        first = asyncio.create_task(bench.directory.find("+358402", until=bench.by(3)))
        await asyncio.sleep(0)
        stale = asyncio.create_task(bench.directory.find("+358401", until=bench.by(3)))
        given_up = asyncio.create_task(bench.directory.find("+358403", until=bench.by(0.05)))
        patient = asyncio.create_task(bench.directory.find("+358404", until=bench.by(2)))
        urgent = asyncio.create_task(bench.directory.find("+358405", until=bench.by(1)))
        await asyncio.gather(first, stale, given_up, patient, urgent)
        await asyncio.sleep(1)

        assert [e164 for e164, _ in bench.live.asked] == ["+358402", "+358405", "+358404", "+358401", "+358403"]


async def test_call_that_joins_keeps_a_look_up_urgent() -> None:
    """A look-up whose first call gave up comes before others again when another call waits for it."""
    limits = DirectoryLimits(look_ups_at_once=1, numbers_per_look_up=1)
    async with Bench(answer_after(0.5, ANNA), limits=limits) as bench:
        calls = [
            asyncio.create_task(bench.directory.find(e164, until=bench.by(seconds)))
            for e164, seconds in [("+358401", 3.0), ("+358402", 0.1), ("+358403", 3.0), ("+358402", 1.2)]
        ]
        found = await asyncio.gather(*calls)

        assert [e164 for e164, _ in bench.live.asked] == ["+358401", "+358402", "+358403"]
        assert [result.source for result in found] == [Source.LIVE, Source.NONE, Source.LIVE, Source.LIVE]


async def test_trial_refuses_the_others_at_once() -> None:
    """While the trial is under way nobody queues behind it."""
    async with Bench(answer(THROTTLED), limits=DirectoryLimits(look_ups_at_once=1)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(10)
        bench.live.script = hang
        trial = asyncio.create_task(bench.directory.find(bench.number(1), until=bench.by(1.5)))
        await asyncio.sleep(0.1)
        asked_at = bench.now
        found = await bench.directory.find(bench.number(2), until=bench.by(1.5))
        assert (found.caller.cause, bench.now) == (Cause.THROTTLED, asked_at)
        await trial
