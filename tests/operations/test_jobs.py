"""Long work waits for calls, can be stopped meanwhile, and does not outlive its process."""

import asyncio
import json
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from app.errors import NotFoundError
from app.operations.jobs import JobRunner, Progress
from app.operations.store import JobState, JobStore
from app.store.database import open_database
from tests.support.console import Console
from tests.support.samples import lay_database
from tests.support.service import ADMIN_KEY, wait_for


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[JobStore]:
    """A store without jobs."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    lay_database(url)
    database = open_database(url)
    yield JobStore(database=database)
    await database.close()


def make_runner(
    store: JobStore, *, clock: Callable[[], float] = lambda: 0.0, foresee_pause: Callable[[], float] = lambda: 0.0
) -> JobRunner:
    """Make a runner whose jobs wait for nothing, unless told otherwise."""
    return JobRunner(store=store, clock=clock, foresee_pause=foresee_pause)


async def run_two(store: JobStore, foresee_pause: Callable[[], float], *, stop: bool = False) -> tuple[str, object]:
    """Run a job of two items, stopped before its end or not; return how it ended and what it was told."""

    async def work(progress: Progress) -> object:
        return [await progress.note(done) for done in range(3)]

    async with make_runner(store, foresee_pause=foresee_pause) as runner:
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
    async with asyncio.timeout(60):
        state, told = await run_two(store, lambda: 300.0, stop=True)

    assert (state, told) == ("cancelled", [False, False, False])


async def test_jobs_of_a_kind_can_be_left_to_their_capability(store: JobStore) -> None:
    """They are neither listed nor shown among all jobs, and found under their own kind."""

    async def work(_progress: Progress) -> object:
        return None

    async with make_runner(store) as runner:
        runner.unlist("replay")
        listed = await runner.start("bulk-enable", work, author="anna")
        hidden = await runner.start("replay", work, author="anna")

        assert [job.id for job in await runner.list_listed(limit=9)] == [listed.id]
        assert await runner.list_listed(limit=9, kind="replay") == []
        assert [job.id for job in await runner.list_kind("replay", limit=9)] == [hidden.id]
        assert (await runner.show_newest()).id == listed.id
        assert (await runner.show(hidden.id, kind="replay")).id == hidden.id
        for job, kind in ((hidden, None), (listed, "replay")):
            with pytest.raises(NotFoundError):
                await runner.show(job.id, kind=kind)


async def test_a_job_lives_as_long_as_its_process_says_so(store: JobStore) -> None:
    """However long an item takes: beats keep the job, and without them another process gives it up within a minute."""
    now = [0.0]

    async def work(_progress: Progress) -> object:
        return await asyncio.Event().wait()

    async with make_runner(store, clock=lambda: now[0]) as owner, make_runner(store, clock=lambda: now[0]) as other:
        job = await owner.start("bulk-enable", work, author="anna")
        for now[0] in (10.0, 20.0, 100.0, 110.0):
            await owner.beat()
            await other.beat()
        alive = await other.show(job.id)
        for now[0] in (120.0, 130.0, 140.0, 150.0, 160.0):
            await other.beat()
        given_up = await owner.show(job.id)

    assert (alive.state, alive.updated_at) == (JobState.RUNNING, 110.0)
    assert (given_up.state, given_up.finished_at) == (JobState.FAILED, 160.0)


async def test_job_of_a_killed_service_is_given_up(console: Console, tmp_path: Path) -> None:
    """A service that comes back at once shows it as running at first, and as failed within a minute."""
    settings = {
        "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"anna": {"key": ADMIN_KEY, "role": "Voice Admin User"}}),
        # So few that the job has to wait for requests, at half of its list.
        "SMARTROUTING_DATAVERSE__REQUESTS_PER_5_MINUTES": "30",
    }
    rows = [{"user": f"nobody{number}@contoso.example"} for number in range(30)]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as client:

        async def read_state(url: str) -> str:
            found = (await client.get(f"{url}/admin/jobs/newest")).json()
            return f"{found['state']} {found['error']}"

        with console.serve_demo(tmp_path, **settings) as (url, process):
            body = {"users": rows, "dry_run": True}
            assert (await client.post(f"{url}/admin/users/bulk-enable", json=body)).status_code == 202
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait, 15)
        with console.serve_demo(tmp_path, **settings) as (url, process):
            at_once = await read_state(url)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait, 15)
        with closing(sqlite3.connect(tmp_path / "data" / "smartrouting.db")) as database, database:
            database.execute("UPDATE jobs SET updated_at = updated_at - 45")
        with console.serve_demo(tmp_path, **settings) as (url, _):
            later = await wait_for_state(read_state, url)

    assert (at_once, later) == ("running None", "failed the process that ran it has ended")


async def wait_for_state(read_state: Callable[[str], Awaitable[str]], url: str) -> str:
    """Return the state of the newest job when it runs no more."""

    async def read() -> str | None:
        state = await read_state(url)
        return None if state.startswith("running") else state

    return await wait_for(read)
