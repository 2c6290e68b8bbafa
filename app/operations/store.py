"""Jobs and alerts in the database."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, insert, select, update

from app.store.database import Database
from app.store.tables import alerts, jobs

__all__ = ["Alert", "AlertState", "AlertStore", "Job", "JobState", "JobStore"]


class JobState(StrEnum):
    """How far a job has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Long work that administrators start and watch."""

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
        values = {
            "id": str(uuid.uuid4()),
            "kind": kind,
            "state": JobState.RUNNING,
            "author": author,
            "done": 0,
            "total": total,
            "cancel_requested": False,
            "created_at": now,
            "updated_at": now,
        }
        async with self._database.write() as connection:
            found = await connection.execute(insert(jobs).values(values).returning(jobs))
            return _read_job(found.mappings().one())

    async def get(self, job_id: str) -> Job | None:
        """Find a job."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == job_id))).mappings().one_or_none()
        return None if row is None else _read_job(row)

    async def list_recent(self, *, limit: int, kind: str | None = None, without: Collection[str] = ()) -> list[Job]:
        """List jobs, the newest first, of one kind or of all, without those of some kinds."""
        newest = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        query = newest.where(jobs.c.kind.not_in(without))
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        async with self._database.read() as connection:
            return [_read_job(row) for row in (await connection.execute(query)).mappings()]

    async def progress(self, job_id: str, *, done: int, now: float) -> bool:
        """Note how far a job is, and return whether it should go on: nobody asked to cancel, nobody gave it up."""
        running = update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING)
        changed = running.values(done=done, updated_at=now)
        async with self._database.write() as connection:
            row = (await connection.execute(changed.returning(jobs.c.cancel_requested))).one_or_none()
        return row is not None and not row.cancel_requested

    async def note_alive(self, job_ids: Collection[str], *, now: float) -> None:
        """Give a sign of life of running jobs."""
        alive = update(jobs).where(jobs.c.id.in_(job_ids), jobs.c.state == JobState.RUNNING).values(updated_at=now)
        async with self._database.write() as connection:
            await connection.execute(alive)

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
        """Ask a running job to stop at its next sign of progress; False when none runs under this id."""
        asked = update(jobs).where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING).values(cancel_requested=True)
        async with self._database.write() as connection:
            return (await connection.execute(asked)).rowcount > 0

    async def fail_silent(self, *, before: float, now: float) -> int:
        """Give up running jobs without a sign of life since `before`, as their process is gone; return how many."""
        silent = update(jobs).where(jobs.c.state == JobState.RUNNING, jobs.c.updated_at < before)
        failed = {"state": JobState.FAILED, "error": "the process that ran it has ended"}
        async with self._database.write() as connection:
            given_up = await connection.execute(silent.values(updated_at=now, finished_at=now, **failed))
            return given_up.rowcount

    async def purge_before(self, time: float) -> int:
        """Delete jobs that ended before that time (seconds since the epoch), and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(jobs).where(jobs.c.finished_at < time))).rowcount

    async def _end(self, job_id: str, now: float, **values: object) -> bool:
        ended = (
            update(jobs)
            .where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING)
            .values(updated_at=now, finished_at=now, **values)
        )
        async with self._database.write() as connection:
            return (await connection.execute(ended)).rowcount > 0


class AlertState(StrEnum):
    """Whether what is wrong is still so."""

    OPEN = "open"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that is or was wrong, from its beginning to its end."""

    id: str
    key: str
    """What it is about, e.g. `silence:SALES_QUEUE`; at most one alert of a key is open."""
    kind: str
    state: AlertState
    detail: Mapping[str, object]
    """JSON without anything personal."""
    opened_at: float
    acknowledged_by: str | None
    acknowledged_at: float | None
    cleared_at: float | None


class AlertStore:
    """Keeps alerts, open and past; each is opened once, and once more only after it has cleared."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def open(
        self, key: str, *, kind: str, detail: Mapping[str, object], now: float, alert_id: str | None = None
    ) -> Alert | None:
        """Open an alert, under the id it has already if any; `None` when it is open, so that nobody is told twice."""
        values = {
            "id": alert_id or str(uuid.uuid4()),
            "key": key,
            "kind": kind,
            "state": AlertState.OPEN,
            "detail": detail,
            "opened_at": now,
        }
        statement = self._database.insert(alerts).values(values).on_conflict_do_nothing().returning(alerts)
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return None if row is None else _read_alert(row)

    async def clear(self, key: str, *, now: float) -> Alert | None:
        """End the open alert of this key; `None` when there is none."""
        cleared = (
            update(alerts)
            .where(alerts.c.key == key, alerts.c.state == AlertState.OPEN)
            .values(state=AlertState.CLEARED, cleared_at=now)
            .returning(alerts)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(cleared)).mappings().one_or_none()
        return None if row is None else _read_alert(row)

    async def acknowledge(self, alert_id: str, *, who: str, now: float) -> Alert | None:
        """Note who has seen an alert, keeping the first who did; `None` when there is no such alert."""
        noted = (
            update(alerts)
            .where(alerts.c.id == alert_id, alerts.c.acknowledged_at.is_(None))
            .values(acknowledged_by=who, acknowledged_at=now)
        )
        async with self._database.write() as connection:
            await connection.execute(noted)
            found = await connection.execute(select(alerts).where(alerts.c.id == alert_id))
            row = found.mappings().one_or_none()
        return None if row is None else _read_alert(row)

    async def purge_before(self, time: float) -> int:
        """Delete alerts that were over before that time (seconds since the epoch), and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(alerts).where(alerts.c.cleared_at < time))).rowcount

    async def list_recent(self, *, limit: int | None = None, open_only: bool = False) -> list[Alert]:
        """List alerts, the newest first."""
        query = select(alerts).order_by(alerts.c.opened_at.desc(), alerts.c.id).limit(limit)
        if open_only:
            query = query.where(alerts.c.state == AlertState.OPEN)
        async with self._database.read() as connection:
            return [_read_alert(row) for row in (await connection.execute(query)).mappings()]


def _read_job(row: Mapping[Any, Any]) -> Job:
    return Job(**{**row, "state": JobState(row["state"])})


def _read_alert(row: Mapping[Any, Any]) -> Alert:
    return Alert(**{**row, "state": AlertState(row["state"])})
