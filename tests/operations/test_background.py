"""Work beside the calls."""

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from app.operations.background import Background


async def test_broken_work_starts_again() -> None:
    """A piece of work that breaks is logged and started again, until it ends by itself."""
    attempts: list[int] = []
    ended = asyncio.Event()

    async def work() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("broken")
        ended.set()

    with capture_logs() as lines:
        async with Background() as background:
            background.start("mine", work)
            await asyncio.wait_for(ended.wait(), 5)

    assert len(attempts) == 2
    assert [(line["event"], line["work"]) for line in lines] == [("background.failed", "mine")]


async def test_leaving_waits_until_everything_ended() -> None:
    """At the end all work is cancelled, and what it does on the way out is waited for."""
    started, cleaned = asyncio.Event(), []

    async def work() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            cleaned.append("yes")

    async with Background() as background:
        background.start("mine", work)
        await started.wait()

    assert cleaned == ["yes"]


async def test_repeated_work_goes_on() -> None:
    """Short work is done again and again, also after it broke once."""
    turns: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        turns.append(1)
        if len(turns) == 3:
            enough.set()

    async with Background() as background:
        background.repeat("mine", work, every=0.001)
        await asyncio.wait_for(enough.wait(), 5)

    assert len(turns) >= 3


async def test_failure_of_the_block_still_stops_the_work() -> None:
    """When the block it belongs to breaks, the work ends too, and the error goes on."""
    tasks: list[asyncio.Task[None] | None] = []
    started = asyncio.Event()

    async def work() -> None:
        tasks.append(asyncio.current_task())
        started.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        async with Background() as background:
            background.start("mine", work)
            await started.wait()
            raise ValueError("out")

    with pytest.raises(ValueError, match="out"):
        await fail()

    assert [task.cancelled() for task in tasks if task] == [True]
