"""Work that is done once for everybody who needs it at the same time."""

import asyncio

import pytest

from app.single_flight import SingleFlight, cancel_all, gather_or_cancel


class Work:
    """Waits until it may end, and counts how often it began."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return self.begun


async def test_who_comes_while_it_runs_shares_the_result() -> None:
    """Ten at once are one piece of work; the next one after its end is another."""
    flight, work = SingleFlight[int](), Work()
    everybody = [asyncio.create_task(flight.run("key", work)) for _ in range(10)]
    await asyncio.sleep(0)
    work.may_end.set()

    assert await asyncio.gather(*everybody) == [1] * 10
    assert await flight.run("key", work) == 2


async def test_who_gives_up_leaves_the_work_to_the_others() -> None:
    """A cancelled wait does not cancel the work."""
    flight, work = SingleFlight[int](), Work()
    leaving, staying = (asyncio.create_task(flight.run("key", work)) for _ in range(2))
    await asyncio.sleep(0)
    await cancel_all([leaving])
    work.may_end.set()

    assert (await staying, leaving.cancelled()) == (1, True)


async def test_errors_reach_everybody_who_waits() -> None:
    """What the work raises is raised for each of them, and forgotten afterwards."""
    flight, work = SingleFlight[int](), Work()
    work.error = ValueError("broken")
    everybody = [asyncio.create_task(flight.run("key", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.may_end.set()

    assert [str(error) for error in await asyncio.gather(*everybody, return_exceptions=True)] == ["broken"] * 3
    work.error = None
    assert await flight.run("key", work) == 2


async def test_closing_cancels_what_is_under_way() -> None:
    """After the end nothing runs, and nothing starts in the background."""
    flight, work = SingleFlight[int](), Work()
    waiting = asyncio.create_task(flight.run("key", work))
    await asyncio.sleep(0)
    await flight.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert flight.start("key", lambda _: work()) is None


async def test_a_failure_ends_what_was_begun_with_it() -> None:
    """The others are gone before the failure is told, so that none of them works for nobody."""
    work, ended = Work(), asyncio.Event()

    async def wait() -> int:
        try:
            return await work()
        finally:
            ended.set()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await gather_or_cancel(wait(), fail())
    assert ended.is_set()
    work.may_end.set()
    assert await gather_or_cancel(work(), work()) == (2, 3)
