"""`/admin/jobs`: long work, how far it is, and how to stop it."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, JsonValue

from app.auth.access import UserManagerDep
from app.operations.deps import OperationsDep
from app.operations.job_store import Job, JobState
from app.web.parameters import JobId, show_time
from app.web.problems import problems

__all__ = ["JobBody", "answer_started", "router"]

router = APIRouter(prefix="/admin/jobs", tags=["Jobs"])

_NEWEST = "newest"
ShownJobId = Annotated[
    str,
    Path(
        description="The `id` of a job, as its start and the list tell it, or `newest`.",
        openapi_examples={"newest": {"value": _NEWEST}},
    ),
]


class JobSummary(BaseModel):
    """A piece of work, and how far it is."""

    id: str
    kind: str = Field(examples=["enreach-ids"])
    state: JobState
    author: str
    done: int
    total: int | None
    percent: float | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> Self:
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
                "error": job.error,
                "created_at": show_time(job.created_at),
                "finished_at": show_time(job.finished_at),
                "result": job.result,
            }
        )


class JobBody(JobSummary):
    """A piece of work, and what came of it."""

    result: JsonValue = Field(description="Null until it has ended.")


def answer_started(job: Job, response: Response) -> JobBody:
    """Answer 202 with a job and where to watch it (RFC 9110, section 15.3.3)."""
    response.headers["Location"] = f"{router.prefix}/{job.id}"
    return JobBody.of(job)


@router.get("", summary="List jobs", responses=problems(422, 503))
async def list_jobs(
    _manager: UserManagerDep,
    operations: OperationsDep,
    *,
    kind: Annotated[str | None, Query(max_length=50)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> list[JobSummary]:
    """List jobs, the newest first; what came of one is shown with that one."""
    return [JobSummary.of(job) for job in await operations.jobs.list_recent(limit=limit, kind=kind)]


@router.get("/{job_id}", summary="Show a job", responses=problems(404, 503))
async def show_job(job_id: ShownJobId, _manager: UserManagerDep, operations: OperationsDep) -> JobBody:
    """Show how far a job is, and its result once it has ended."""
    return JobBody.of(await (operations.jobs.show_newest() if job_id == _NEWEST else operations.jobs.show(job_id)))


@router.delete("/{job_id}", summary="Stop a job", responses=problems(404, 503))
async def stop_job(job_id: JobId, _manager: UserManagerDep, operations: OperationsDep) -> JobBody:
    """Ask a job to stop after the item it is at; what it did stays done."""
    return JobBody.of(await operations.jobs.stop(job_id))
