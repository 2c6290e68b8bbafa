"""`/admin/users/…` for many users at once: the id update, and enabling and disabling from a list."""

from collections import Counter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field

from app.auth.requirements import UserManagerDep
from app.operations.api import OperationsDep, answer_started
from app.operations.jobs import JobRunner, Progress
from app.operations.schemas import JobBody
from app.operations.store import Job
from app.users.api import DisableBody, EnableBody
from app.users.bulk import MAX_ROWS, BulkAction, BulkRow, BulkUsers, read_csv
from app.users.deps import UsersDep
from app.users.enreach_ids import EnreachIds
from app.users.matching import IdChange
from app.users.schemas import BulkRowBody, IdChangeBody
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/users", tags=["Users"])

_CSV = "user,enreach_email,client\nnoora.laakso@contoso.example,,cif2\n"


class IdUpdateBody(BaseModel):
    """Whose ids to update."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    users: list[UUID] | None = Field(
        default=None, max_length=MAX_ROWS, description="Null for everybody with the privileges of Voice User."
    )
    overwrite: bool = Field(default=False, description="Replace ids that differ from the matching one.")
    dry_run: bool = Field(default=False, description="Change nothing, tell what would be.")


class BulkEnableRow(EnableBody):
    """One user to enable."""

    user: str = Field(min_length=1, max_length=200, description="Id, login or e-mail address.")


class BulkDisableRow(DisableBody):
    """One user to disable."""

    user: str = Field(min_length=1, max_length=200, description="Id, login or e-mail address.")


class BulkEnableBody(BaseModel):
    """Whom to enable."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"users": [{"user": "noora.laakso@contoso.example"}], "dry_run": True}]},
    )

    users: list[BulkEnableRow] = Field(min_length=1, max_length=MAX_ROWS)
    dry_run: bool = False


class BulkDisableBody(BaseModel):
    """Whom to disable."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"users": [{"user": "noora.laakso@contoso.example", "client": "cif2"}], "dry_run": True}]
        },
    )

    users: list[BulkDisableRow] = Field(min_length=1, max_length=MAX_ROWS)
    dry_run: bool = False


@router.post(
    "/enreach-ids",
    summary="Update Enreach user ids",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(422, 502, 503, 504),
)
async def update_ids(
    body: IdUpdateBody, manager: UserManagerDep, users: UsersDep, operations: OperationsDep, response: Response
) -> JobBody:
    """Match users with Enreach by e-mail, then by the override, in a job; nothing is overwritten silently.

    Enreach and Dynamics are asked before this answers, so that trouble with them is an error at once.
    """
    chosen = None if body.users is None else [str(user) for user in body.users]
    plan = await users.enreach_ids.plan(chosen, overwrite=body.overwrite)
    job = await _start_update(operations.jobs, users.enreach_ids, plan, who=manager.name, dry_run=body.dry_run)
    return answer_started(job, response)


@router.post(
    "/bulk-enable", summary="Enable many users", status_code=status.HTTP_202_ACCEPTED, responses=problems(422, 503)
)
async def enable_many(
    body: BulkEnableBody, manager: UserManagerDep, users: UsersDep, operations: OperationsDep, response: Response
) -> JobBody:
    """Enable everybody on the list in a job; running it again takes up where it failed and changes nothing twice."""
    rows = [
        BulkRow(number=number, user=row.user, enable=row.make_options())
        for number, row in enumerate(body.users, start=1)
    ]
    job = await _start(operations.jobs, users.bulk, rows, BulkAction.ENABLE, who=manager.name, dry_run=body.dry_run)
    return answer_started(job, response)


@router.post(
    "/bulk-disable", summary="Disable many users", status_code=status.HTTP_202_ACCEPTED, responses=problems(422, 503)
)
async def disable_many(
    body: BulkDisableBody, manager: UserManagerDep, users: UsersDep, operations: OperationsDep, response: Response
) -> JobBody:
    """Disable everybody on the list in a job; running it again takes up where it failed and changes nothing twice."""
    rows = [
        BulkRow(number=number, user=row.user, disable=row.make_options())
        for number, row in enumerate(body.users, start=1)
    ]
    job = await _start(operations.jobs, users.bulk, rows, BulkAction.DISABLE, who=manager.name, dry_run=body.dry_run)
    return answer_started(job, response)


@router.post(
    "/bulk-csv",
    summary="Enable or disable many users from a CSV file",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(422, 503),
)
async def change_many_from_csv(
    text: Annotated[str, Body(media_type="text/csv", max_length=2_000_000, examples=[_CSV])],
    manager: UserManagerDep,
    users: UsersDep,
    operations: OperationsDep,
    response: Response,
    *,
    action: Annotated[BulkAction, Query()],
    dry_run: Annotated[bool, Query(description="Change nothing, tell what would be.")] = False,
) -> JobBody:
    """Work through a list with a header: `user`, and any of team, enreach_email, overwrite, client, leave_teams."""
    job = await _start(operations.jobs, users.bulk, read_csv(text), action, who=manager.name, dry_run=dry_run)
    return answer_started(job, response)


async def _start_update(jobs: JobRunner, ids: EnreachIds, plan: list[IdChange], *, who: str, dry_run: bool) -> Job:
    async def work(progress: Progress) -> object:
        changes = plan if dry_run else await ids.apply(plan, who=who, on_progress=progress.note)
        await progress.note(len(changes))
        counts = Counter(change.outcome.value for change in changes)
        rows = [IdChangeBody.of(change).model_dump(mode="json") for change in changes]
        return {"dry_run": dry_run, "counts": counts, "users": rows}

    return await jobs.start("enreach-ids", work, author=who, total=len(plan))


async def _start(
    jobs: JobRunner, bulk: BulkUsers, rows: list[BulkRow], action: BulkAction, *, who: str, dry_run: bool
) -> Job:
    async def work(progress: Progress) -> object:
        results = await bulk.run(rows, action, who=who, dry_run=dry_run, on_progress=progress.note)
        counts = Counter(result.outcome.value for result in results)
        return {
            "action": action.value,
            "dry_run": dry_run,
            "counts": counts,
            "rows": [BulkRowBody.of(result).model_dump(mode="json") for result in results],
        }

    return await jobs.start(f"bulk-{action.value}", work, author=who, total=len(rows))
