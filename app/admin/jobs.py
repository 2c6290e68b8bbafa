"""`/admin/jobs`: long work, how far it is, and how to stop it."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, JsonValue

from app.admin.paths import JobId
from app.admin.people_deps import JobRunnerDep, UserManagerDep
from app.admin.times import show_time
from app.problems import problems
from app.store.jobs import Job, JobState

__all__ = ["JobBody", "router"]

router = APIRouter(prefix="/admin/jobs", tags=["Jobs"])


class JobBody(BaseModel):
    """A piece of work."""

    id: str
    kind: str = Field(examples=["enreach-ids"])
    state: JobState
    author: str
    done: int
    total: int | None
    percent: float | None
    result: JsonValue = Field(description="Once it has ended.")
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job, *, with_result: bool = True) -> Self:
        """Take a job."""
        return cls.model_validate(
            {
                "id": job.id,
                "kind": job.kind,
                "state": job.state,
                "author": job.author,
                "done": job.done,
                "total": job.total,
                "percent": job.percent,
                "result": job.result if with_result else None,
                "error": job.error,
                "created_at": show_time(job.created_at),
                "finished_at": show_time(job.finished_at),
            }
        )


@router.get("", summary="List jobs", responses=problems(422, 503))
async def list_jobs(
    _manager: UserManagerDep,
    jobs: JobRunnerDep,
    *,
    kind: Annotated[str | None, Query(max_length=50)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> list[JobBody]:
    """List jobs without their results, the newest first."""
    return [JobBody.of(job, with_result=False) for job in await jobs.list_recent(limit=limit, kind=kind)]


@router.get("/{job_id}", summary="Show a job", responses=problems(404, 503))
async def show_job(job_id: JobId, _manager: UserManagerDep, jobs: JobRunnerDep) -> JobBody:
    """Show how far a job is, and its result once it has ended."""
    return JobBody.of(await jobs.show(job_id))


@router.delete("/{job_id}", summary="Stop a job", responses=problems(404, 503))
async def stop_job(job_id: JobId, _manager: UserManagerDep, jobs: JobRunnerDep) -> JobBody:
    """Ask a job to stop after the item it is at; what it did stays done."""
    return JobBody.of(await jobs.stop(job_id))
