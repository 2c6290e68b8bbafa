"""Long work waits for calls, and can be stopped meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.operations.job_store import JobState, JobStore
from app.operations.jobs import JobRunner, Progress
from app.store.database import open_database
from tests.support.samples import lay_database
from tests.support.service import wait_for


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[JobStore]:
    """A store without jobs."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    lay_database(url)
    database = open_database(url)
    yield JobStore(database=database)
    await database.close()


async def run_two(store: JobStore, foresee_pause: Callable[[], float], *, stop: bool = False) -> tuple[str, object]:
    """Run a job of two items, stopped before its end or not; return how it ended and what it was told."""

    async def work(progress: Progress) -> object:
        return [await progress.note(done) for done in range(3)]

    async with JobRunner(store=store, clock=lambda: 0.0, foresee_pause=foresee_pause) as runner:
        job = await runner.start("enreach-ids", work, author="anna", total=2)
        if stop:
            await runner.stop(job.id)

        async def read() -> tuple[str, object] | None:
            found = await runner.show(job.id)
            return None if found.state is JobState.RUNNING else (found.state, found.result)

        return await wait_for(read)


async def test_a_job_waits_before_items_and_not_at_its_end(store: JobStore) -> None:
    """It asks again after each pause, and what is done waits for nothing."""
    pauses = [0.001, 0.001, 0.0, 0.001, 0.0]

    ended = await run_two(store, lambda: pauses.pop(0))

    assert (ended, pauses) == (("done", [True, True, True]), [])


async def test_a_waiting_job_can_be_stopped(store: JobStore) -> None:
    """However long the wait would be."""
    async with asyncio.timeout(10):
        state, told = await run_two(store, lambda: 300.0, stop=True)

    assert (state, told) == ("cancelled", [False, False, False])
