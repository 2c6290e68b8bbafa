"""Long work that administrators start and watch."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update

from app.store.database import Database
from app.store.tables import jobs

__all__ = ["Job", "JobState", "JobStore"]


class JobState(StrEnum):
    """How far a job has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work."""

    id: str
    kind: str
    state: JobState
    author: str
    done: int
    """Items finished so far."""
    total: int | None
    """Items altogether; `None` while nobody knows."""
    cancel_requested: bool
    result: object
    """JSON, once it is done."""
    error: str | None
    """Why it failed, without anything personal."""
    created_at: float
    updated_at: float
    """The last sign of life, in seconds since the epoch."""
    finished_at: float | None

    @property
    def percent(self) -> float | None:
        """How far it has come, 0 to 100; `None` while nobody knows how much there is to do."""
        return round(min(self.done / self.total, 1) * 100, 1) if self.total else None


class JobStore:
    """Keeps jobs; a finished one does not change again."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def start(self, kind: str, *, author: str, total: int | None, now: float) -> Job:
        """Note a job that begins."""
        job = Job(
            id=str(uuid.uuid4()),
            kind=kind,
            state=JobState.RUNNING,
            author=author,
            done=0,
            total=total,
            cancel_requested=False,
            result=None,
            error=None,
            created_at=now,
            updated_at=now,
            finished_at=None,
        )
        async with self._database.write() as connection:
            await connection.execute(insert(jobs).values({c.name: getattr(job, c.name) for c in jobs.columns}))
        return job

    async def get(self, job_id: str) -> Job | None:
        """Find a job."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).mappings().one_or_none()
        return None if row is None else _read_job(row)

    async def list_recent(self, *, limit: int, kinds: Collection[str]) -> list[Job]:
        """List jobs of these kinds, the newest first."""
        newest = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        query = newest.where(jobs.c.kind.in_(kinds))
        async with self._database.read() as connection:
            return [_read_job(row) for row in (await connection.execute(query)).mappings()]

    async def progress(self, job_id: str, *, done: int, now: float) -> bool:
        """Note how far a job is, and return whether it should go on: nobody asked to cancel, nobody gave it up."""
        running = update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING)
        changed = running.values(done=done, updated_at=now)
        async with self._database.write() as connection:
            row = (await connection.execute(changed.returning(jobs.c.cancel_requested))).one_or_none()
        return row is not None and not row.cancel_requested

    async def finish(self, job_id: str, result: object, *, now: float) -> bool:
        """End a job with its result; False when it had ended before."""
        return await self._end(job_id, now, state=JobState.DONE, result=result)

    async def fail(self, job_id: str, error: str, *, now: float) -> bool:
        """End a job that broke; False when it had ended before."""
        return await self._end(job_id, now, state=JobState.FAILED, error=error)

    async def cancel(self, job_id: str, result: object, *, now: float) -> bool:
        """End a job that stopped because somebody asked, with what it had; False when it had ended before."""
        return await self._end(job_id, now, state=JobState.CANCELLED, result=result)

    async def request_cancel(self, job_id: str) -> bool:
        """Ask a running job to stop at its next sign of life; False when none runs under this id."""
        asked = update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING).values(cancel_requested=True)
        async with self._database.write() as connection:
            return (await connection.execute(asked)).rowcount > 0

    async def fail_silent(self, *, before: float, now: float, kinds: Collection[str]) -> int:
        """Give up running jobs of these kinds without a sign of life since `before`, as their process is gone.

        Returns how many.
        """
        given_up = (
            update(jobs)
            .where(jobs.c.state == JobState.RUNNING, jobs.c.updated_at < before, jobs.c.kind.in_(kinds))
            .values(state=JobState.FAILED, error="the process that ran it has ended", updated_at=now, finished_at=now)
        )
        async with self._database.write() as connection:
            return (await connection.execute(given_up)).rowcount

    async def purge_before(self, time: float) -> int:
        """Delete jobs that ended before that time (seconds since the epoch), and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(jobs.delete().where(jobs.c.finished_at < time))).rowcount

    async def _end(self, job_id: str, now: float, **values: object) -> bool:
        ended = (
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING)
            .values(updated_at=now, finished_at=now, **values)
        )
        async with self._database.write() as connection:
            return (await connection.execute(ended)).rowcount > 0


def _read_job(row: Mapping[Any, Any]) -> Job:
    return Job(**{**row, "state": JobState(row["state"])})
