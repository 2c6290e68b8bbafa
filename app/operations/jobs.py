"""Runs long work in the background, and lets administrators watch and stop it."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

from app.errors import AppError, NotFoundError
from app.operations.store import Job, JobStore

__all__ = ["BEAT_SECONDS", "JobRunner", "Progress", "Work"]

log = structlog.get_logger()

BEAT_SECONDS = 10.0
"""How often `beat` is to be called."""
_SILENT_SECONDS = 45.0
"""Four beats missed, and still given up within a minute after the process died."""
_MAX_PAUSE = 2.0
"""Seconds between two questions of a paused job whether to go on."""


class Progress:
    """How far one job is."""

    def __init__(
        self, *, store: JobStore, job: Job, clock: Callable[[], float], foresee_pause: Callable[[], float]
    ) -> None:
        self._store = store
        self._job = job
        self._clock = clock
        self._foresee_pause = foresee_pause
        self.job_id = job.id
        self.stopped = False
        """Whether somebody asked to stop."""

    async def note(self, done: int) -> bool:
        """Tell how many items are done; returns whether to go on. Raises StoreError.

        Before further items this waits while what is left of the request budget is for calls.
        """
        while await self._store.progress(self._job.id, done=done, now=self._clock()):
            pause = 0.0 if done == self._job.total else self._foresee_pause()
            if pause <= 0:
                return True
            await asyncio.sleep(min(pause, _MAX_PAUSE))
        self.stopped = True
        return False

    async def report(self, done: int) -> bool:
        """Do as `note` does and never wait: for jobs that ask Dataverse nothing. Raises StoreError."""
        self.stopped = not await self._store.progress(self._job.id, done=done, now=self._clock())
        return not self.stopped


Work = Callable[[Progress], Awaitable[object]]
"""Does the work and returns its result as JSON; what it returns after being stopped is kept as well."""


class JobRunner:
    """Starts jobs of this process, of any kind; they end with it, and say so.

    A process that is killed says nothing: its jobs are given up by whichever process beats next after three quarters
    of a minute. The clocks of processes on one database must agree within seconds.
    """

    def __init__(self, *, store: JobStore, clock: Callable[[], float], foresee_pause: Callable[[], float]) -> None:
        """`foresee_pause` tells for how many seconds jobs should wait before their next items."""
        self._store = store
        self._clock = clock
        self._foresee_pause = foresee_pause
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unlisted: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop what still runs; each job notes that it did not end."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def unlist(self, kind: str) -> None:
        """Keep jobs of a kind out of the list of all jobs: the capability they belong to shows them itself."""
        self._unlisted.add(kind)

    async def beat(self) -> None:
        """Tell that the jobs of this process live, and give up those of processes that do not. Raises StoreError.

        To be called at the start and every `BEAT_SECONDS`.
        """
        now = self._clock()
        await self._store.note_alive(self._tasks.keys(), now=now)
        if given_up := await self._store.fail_silent(before=now - _SILENT_SECONDS, now=now):
            log.warning("jobs.given_up", count=given_up)

    async def start(self, kind: str, work: Work, *, author: str, total: int | None = None) -> Job:
        """Begin a job and return it at once; raises StoreError."""
        job = await self._store.start(kind, author=author, total=total, now=self._clock())
        task = asyncio.create_task(self._run(job, work), name=f"job {job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))
        return job

    async def show(self, job_id: str, *, kind: str | None = None) -> Job:
        """Find a job of one kind, or of any that is listed; raises NotFoundError and StoreError."""
        job = await self._store.get(job_id)
        if job is None or (job.kind in self._unlisted if kind is None else job.kind != kind):
            raise NotFoundError(f"there is no {kind or 'job'} {job_id}")
        return job

    async def show_newest(self) -> Job:
        """Show the listed job that was started last; raises NotFoundError and StoreError."""
        if found := await self.list_listed(limit=1):
            return found[0]
        raise NotFoundError("no job was started yet")

    async def list_listed(self, *, limit: int, kind: str | None = None) -> list[Job]:
        """List the jobs of all kinds or one that are not kept out of the list, the newest first; raises StoreError."""
        return await self._store.list_recent(limit=limit, kind=kind, without=self._unlisted)

    async def list_kind(self, kind: str, *, limit: int) -> list[Job]:
        """List the jobs of one kind, listed or not, the newest first; raises StoreError."""
        return await self._store.list_recent(limit=limit, kind=kind)

    async def stop(self, job_id: str, *, kind: str | None = None) -> Job:
        """Ask a job to stop after the item it is at; raises NotFoundError and StoreError."""
        await self.show(job_id, kind=kind)
        await self._store.request_cancel(job_id)
        return await self.show(job_id, kind=kind)

    async def _run(self, job: Job, work: Work) -> None:
        progress = Progress(store=self._store, job=job, clock=self._clock, foresee_pause=self._foresee_pause)
        try:
            result = await work(progress)
            end = self._store.cancel if progress.stopped else self._store.finish
            await end(job.id, result, now=self._clock())
        except asyncio.CancelledError:
            await self._fail(job, "the service was stopped")
            raise
        except AppError as error:
            log.warning("job.failed", job=job.id, kind=job.kind, error=error.code)
            await self._fail(job, f"{error.title}: {error.detail}")
        except Exception:  # the boundary of a task: nobody above it would hear
            log.exception("job.failed", job=job.id, kind=job.kind)
            await self._fail(job, "something went wrong here; the log tells more")

    async def _fail(self, job: Job, error: str) -> None:
        try:
            await self._store.fail(job.id, error, now=self._clock())
        except AppError as failure:
            # Without further signs of life it is given up like the job of a killed process.
            log.warning("job.end_not_noted", job=job.id, kind=job.kind, error=failure.code)
