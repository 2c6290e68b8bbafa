"""Runs long work in the background, and lets people watch and stop it."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

from app.errors import AppError, NotFoundError
from app.operations.job_store import Job, JobStore

__all__ = ["KINDS", "JobRunner", "Progress", "Work"]

log = structlog.get_logger()

KINDS = frozenset({"enreach-ids", "bulk-enable", "bulk-disable"})
"""What runs here; jobs of other kinds in the same store are shown by whoever knows what is in them."""
_SILENT_SECONDS = 300.0
_MAX_PAUSE = 2.0
"""Seconds between two signs of life of a job that waits."""


class Progress:
    """How far one job is."""

    def __init__(
        self, *, store: JobStore, job: Job, clock: Callable[[], float], foresee_pause: Callable[[], float]
    ) -> None:
        self._store = store
        self._job = job
        self._clock = clock
        self._foresee_pause = foresee_pause
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
    """Starts jobs of this process; they end with it, and say so."""

    def __init__(self, *, store: JobStore, clock: Callable[[], float], foresee_pause: Callable[[], float]) -> None:
        """`foresee_pause` tells for how many seconds jobs should wait before their next items."""
        self._store = store
        self._clock = clock
        self._foresee_pause = foresee_pause
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Give up jobs whose process has ended without a word; raises StoreError."""
        now = self._clock()
        await self._store.fail_silent(before=now - _SILENT_SECONDS, now=now, kinds=KINDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop what still runs; each job notes that it did not end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(self, kind: str, work: Work, *, author: str, total: int | None = None) -> Job:
        """Begin a job and return it at once; raises StoreError."""
        job = await self._store.start(kind, author=author, total=total, now=self._clock())
        task = asyncio.create_task(self._run(job, work), name=f"job {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def show(self, job_id: str, *, kind: str | None = None) -> Job:
        """Find a job of one kind, or of any that is listed; raises NotFoundError and StoreError."""
        job = await self._store.get(job_id)
        if job is None or job.kind not in (KINDS if kind is None else {kind}):
            raise NotFoundError(f"there is no {kind or 'job'} {job_id}")
        return job

    async def show_newest(self) -> Job:
        """Show the job that was started last; raises NotFoundError."""
        if found := await self.list_recent(limit=1, kind=None):
            return found[0]
        raise NotFoundError("no job was started yet")

    async def list_recent(self, *, limit: int, kind: str | None) -> list[Job]:
        """List jobs, the newest first."""
        return await self._store.list_recent(limit=limit, kinds=KINDS if kind is None else KINDS & {kind})

    async def list_kind(self, kind: str, *, limit: int) -> list[Job]:
        """List the jobs of one kind, listed or not, the newest first; raises StoreError."""
        return await self._store.list_recent(limit=limit, kinds={kind})

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
            await self._store.fail(job.id, "the service was stopped", now=self._clock())
            raise
        except AppError as error:
            await self._store.fail(job.id, f"{error.title}: {error.detail}", now=self._clock())
        except Exception:  # the boundary of a task: nobody above it would hear
            log.exception("job.failed", job=job.id, kind=job.kind)
            await self._store.fail(job.id, "something went wrong here; the log tells more", now=self._clock())
