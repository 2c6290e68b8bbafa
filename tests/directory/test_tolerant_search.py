"""The second look: who is stored in a notation that nobody foresaw is recognised, and nobody pays for it."""

import asyncio

from app.directory.lookup import LookupResult, Outage, Source
from app.routing.callers import Cause
from tests.directory.scripted import ANNA, FAILED, NOBODY, NUMBER, Bench, answer, answer_after, hang

EXPENSIVE = Outage(cause=Cause.THROTTLED, detail="Dataverse asks to slow down")


async def test_caller_whom_no_notation_finds_is_recognised() -> None:
    """Within the time of the call the number is searched once more, and what is found is remembered."""
    async with Bench(answer_after(0.1, NOBODY), search=answer_after(0.5, ANNA)) as bench:
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(ANNA, Source.LIVE)
        assert bench.directory.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)


async def test_slow_search_goes_on_behind_the_answer() -> None:
    """A call that cannot wait hears that nobody has the number; the next one is recognised."""
    async with Bench(answer_after(0.1, NOBODY), search=answer_after(1.8, ANNA)) as bench:
        assert await bench.directory.find(NUMBER, until=bench.by(1.0)) == LookupResult(NOBODY, Source.LIVE)
        await asyncio.sleep(1.2)
        assert bench.directory.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)


async def test_who_is_found_at_once_is_not_searched() -> None:
    """Searching is for those whom no notation finds, and for no outage."""
    async with Bench(answer(ANNA), search=answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        bench.live.script = answer(FAILED)
        await bench.directory.find(bench.number(1), until=bench.by(1.5))
        assert bench.search.asked == []


async def test_stranger_is_searched_once_an_hour() -> None:
    """What was not found is not searched again for an hour, or until it is purged."""
    async with Bench(answer(NOBODY), search=answer(NOBODY)) as bench:
        for _ in range(3):
            assert (await bench.directory.find(NUMBER, until=bench.by(1.5))).caller == NOBODY
            await asyncio.sleep(31)
        assert len(bench.search.asked) == 1
        await bench.directory.purge(NUMBER)
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert len(bench.search.asked) == 2
        await asyncio.sleep(3601)
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert len(bench.search.asked) == 3


async def test_budget_of_searches_is_their_own() -> None:
    """When it is spent strangers are nobody at once, and look-ups go on."""
    async with Bench(answer(NOBODY), search=answer(NOBODY), searches=2) as bench:
        found = [await bench.directory.find(bench.number(index), until=bench.by(1.5)) for index in range(5)]
        assert [result.caller for result in found] == [NOBODY] * 5
        assert (len(bench.live.asked), len(bench.search.asked)) == (5, 2)
        await asyncio.sleep(301)
        await bench.directory.find(bench.number(9), until=bench.by(1.5))
        assert len(bench.search.asked) == 3


async def test_server_that_finds_searching_too_expensive_is_left_alone() -> None:
    """After one refusal for the expense nothing is searched for five minutes, while look-ups go on."""
    async with Bench(answer(NOBODY), search=answer(EXPENSIVE)) as bench:
        for index in range(3):
            found = await bench.directory.find(bench.number(index), until=bench.by(1.5))
            assert found == LookupResult(NOBODY, Source.LIVE)
        assert len(bench.search.asked) == 1
        await asyncio.sleep(301)
        await bench.directory.find(bench.number(4), until=bench.by(1.5))
        assert (len(bench.live.asked), len(bench.search.asked)) == (4, 2)


async def test_hanging_search_holds_nothing_up() -> None:
    """A search without an answer ends after two seconds, and after two of them none is tried for a while."""
    async with Bench(answer(NOBODY), search=hang) as bench:
        for index in range(4):
            until = bench.by(1.5)
            assert (await bench.directory.find(bench.number(index), until=until)).caller == NOBODY
            assert bench.now < until
            await asyncio.sleep(3)
        assert len(bench.search.asked) == 2
