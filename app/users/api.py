"""`/admin/users`: who may use Voice, what is missing, and how to change it; `/admin/me`: the same of whoever asks."""

from collections import Counter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response, status

from app.auth.access import OwnReadinessDep, UserManagerDep, UserReaderDep
from app.auth.principals import PERMISSIONS, Identity
from app.errors import NotFoundError
from app.operations.api import OperationsDep, answer_started
from app.operations.jobs import JobRunner, Progress
from app.operations.schemas import JobBody
from app.operations.store import Job
from app.settings import Role
from app.users.bulk import BulkAction, BulkRow, BulkUsers, read_csv
from app.users.components import UserComponents, UsersState
from app.users.enreach_ids import EnreachIds
from app.users.enreach_users import IdChange
from app.users.schemas import (
    BulkDisableBody,
    BulkEnableBody,
    BulkRowBody,
    ChangedUserBody,
    ConfirmationBody,
    DisableBody,
    EmailBody,
    EnableBody,
    IdBody,
    IdChangeBody,
    IdUpdateBody,
    MeBody,
    OwnReadinessBody,
    RoleChangeBody,
    UserBody,
    UserPage,
    UserQuery,
)
from app.web.parameters import StrictBody
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["me_router", "router"]

router = APIRouter(prefix="/admin/users", tags=["Users"])
me_router = APIRouter(prefix="/admin/me", tags=["Access"])

_PROBLEMS = problems(404, 409, 422, 502, 503, 504)
_CSV = "user,enreach_email,client\nnoora.laakso@contoso.example,,cif2\n"


async def _read_components(request: Request) -> UserComponents:
    return read_state(request.scope, UsersState)["users"]


async def _read_user_id(
    user_id: Annotated[
        UUID,
        Path(
            description="The `systemuserid` in Dynamics.",
            openapi_examples={"demo": {"value": "50000000-0000-4000-8000-000000000013"}},
        ),
    ],
) -> str:
    return str(user_id)


async def _require_identity(me: OwnReadinessDep) -> Identity:
    """Return whom the access token speaks of; raises NotFoundError for a key."""
    if me.identity is None:
        raise NotFoundError("A key is nobody's user; sign in with an access token to see your own readiness.")
    return me.identity


UsersDep = Annotated[UserComponents, Depends(_read_components)]
UserId = Annotated[str, Depends(_read_user_id)]
OwnIdentityDep = Annotated[Identity, Depends(_require_identity)]
RoleName = Annotated[Role, Path(json_schema_extra={"default": Role.VOICE_USER.value})]
DryRun = Annotated[bool, Query(description="Change nothing, tell what would be.")]


@router.get("", summary="List users", responses=problems(422, 502, 503, 504))
async def list_users(query: Annotated[UserQuery, Query()], _reader: UserReaderDep, users: UsersDep) -> UserPage:
    """List users by name with their roles, profiles, Enreach id and checklist."""
    return UserPage.model_validate(await users.users.page(**query.model_dump()))


@router.get("/{user_id}", summary="Show a user", responses=_PROBLEMS)
async def show_user(user_id: UserId, _reader: UserReaderDep, users: UsersDep) -> UserBody:
    """Show one user as they are this moment."""
    return UserBody.model_validate(await users.users.show(user_id))


@router.post("/{user_id}/enable", summary="Enable a user", responses=_PROBLEMS)
async def enable_user(
    user_id: UserId,
    body: StrictBody[EnableBody],
    manager: UserManagerDep,
    users: UsersDep,
    *,
    dry_run: DryRun = False,
) -> ChangedUserBody:
    """Set the address, give Voice User, update the Enreach id; repeat it until its state is `unchanged`."""
    return ChangedUserBody.model_validate(
        await users.enabling.enable_one(user_id, body.make_options(), who=manager.name, dry_run=dry_run)
    )


@router.post("/{user_id}/disable", summary="Disable a user", responses=_PROBLEMS)
async def disable_user(
    user_id: UserId,
    body: StrictBody[DisableBody],
    manager: UserManagerDep,
    users: UsersDep,
    *,
    dry_run: DryRun = False,
) -> ChangedUserBody:
    """Take Voice User and the Enreach id away; `still_granted_by` names what else lets them use Voice."""
    return ChangedUserBody.model_validate(
        await users.enabling.disable_one(user_id, body.make_options(), who=manager.name, dry_run=dry_run)
    )


@router.put("/{user_id}/roles/{role}", summary="Assign a role of Voice", responses=_PROBLEMS)
async def assign_role(user_id: UserId, role: RoleName, manager: UserManagerDep, users: UsersDep) -> RoleChangeBody:
    """Assign one of the three roles of Voice directly; no other role can be assigned here."""
    return RoleChangeBody.model_validate(await users.role_assignments.assign_to(user_id, role, who=manager.name))


@router.delete("/{user_id}/roles/{role}", summary="Remove a role of Voice", responses=_PROBLEMS)
async def remove_role(user_id: UserId, role: RoleName, manager: UserManagerDep, users: UsersDep) -> RoleChangeBody:
    """Take one of the three roles of Voice away, as far as it is held directly."""
    return RoleChangeBody.model_validate(await users.role_assignments.remove_from(user_id, role, who=manager.name))


@router.put("/{user_id}/enreach-email", summary="Set the Enreach e-mail", responses=_PROBLEMS)
async def set_enreach_email(
    user_id: UserId, body: StrictBody[EmailBody], manager: UserManagerDep, users: UsersDep
) -> IdChangeBody:
    """Set the address in Enreach where it differs, which updates the Enreach id of this user."""
    return IdChangeBody.model_validate(await users.enreach_ids.set_email(user_id, body.enreach_email, who=manager.name))


@router.put("/{user_id}/enreach-id", summary="Set the Enreach user id by hand", responses=_PROBLEMS)
async def set_enreach_id(
    user_id: UserId, body: StrictBody[IdBody], manager: UserManagerDep, users: UsersDep
) -> UserBody:
    """Set the id where no address decides, or clear it; Enreach must know the id."""
    enreach_id = None if body.enreach_user_id is None else str(body.enreach_user_id)
    await users.enreach_ids.set_id(user_id, enreach_id, who=manager.name)
    return UserBody.model_validate(await users.users.show(user_id))


@router.put(
    "/{user_id}/confirmations/web-phone",
    summary="Confirm the web-phone role",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_PROBLEMS,
)
async def confirm_web_phone(
    user_id: UserId, body: StrictBody[ConfirmationBody], manager: UserManagerDep, users: UsersDep
) -> None:
    """Note that the user's role in Enreach includes the web phone, which no interface of Enreach tells."""
    await users.users.confirm_web_phone(user_id, confirmed=body.confirmed, who=manager.name, note=body.note)


@router.put(
    "/confirmations/default-assignee",
    summary="Confirm the default assignee",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(422, 503),
)
async def confirm_assignee(body: StrictBody[ConfirmationBody], manager: UserManagerDep, users: UsersDep) -> None:
    """Note that DefaultCrmAssignee is set in the configurator app, which no interface of it tells."""
    await users.users.confirm_assignee(confirmed=body.confirmed, who=manager.name, note=body.note)


@router.put(
    "/confirmations/web-phone",
    summary="Confirm the web-phone role for everybody",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=_PROBLEMS,
)
async def confirm_web_phone_for_all(
    body: StrictBody[ConfirmationBody], manager: UserManagerDep, users: UsersDep
) -> None:
    """Note that every role used in Enreach includes the web phone."""
    await users.users.confirm_web_phone(None, confirmed=body.confirmed, who=manager.name, note=body.note)


@router.post(
    "/enreach-ids",
    summary="Update Enreach user ids",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(422, 502, 503, 504),
)
async def update_ids(
    body: StrictBody[IdUpdateBody],
    manager: UserManagerDep,
    users: UsersDep,
    operations: OperationsDep,
    response: Response,
) -> JobBody:
    """Match users with Enreach by e-mail, then by the override, in a job; nothing is overwritten silently.

    Enreach and Dynamics are asked before this answers, so that what fails with them is an error at once.
    """
    chosen = None if body.users is None else [str(user) for user in body.users]
    plan = await users.enreach_ids.plan(chosen, overwrite=body.overwrite)
    job = await _start_update(operations.jobs, users.enreach_ids, plan, who=manager.name, dry_run=body.dry_run)
    return answer_started(job, response)


@router.post(
    "/bulk-enable", summary="Enable many users", status_code=status.HTTP_202_ACCEPTED, responses=problems(422, 503)
)
async def enable_many(
    body: StrictBody[BulkEnableBody],
    manager: UserManagerDep,
    users: UsersDep,
    operations: OperationsDep,
    response: Response,
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
    body: StrictBody[BulkDisableBody],
    manager: UserManagerDep,
    users: UsersDep,
    operations: OperationsDep,
    response: Response,
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


@me_router.get("", summary="Who am I?")
async def show_me(me: OwnReadinessDep) -> MeBody:
    """Say whose credential this is, and what it may do."""
    return MeBody(name=me.name, kind=me.kind, role=me.role, permissions=sorted(PERMISSIONS[me.role]))


@me_router.get("/readiness", summary="Is my phone set up?", responses=problems(404, 409, 502, 503, 504))
async def show_own_readiness(me: OwnIdentityDep, users: UsersDep) -> OwnReadinessBody:
    """Show the checklist of one's own user, found by what the access token says; nobody else's."""
    return OwnReadinessBody.model_validate(await users.users.show_own(me))


async def _start_update(jobs: JobRunner, ids: EnreachIds, plan: list[IdChange], *, who: str, dry_run: bool) -> Job:
    async def work(progress: Progress) -> object:
        changes = plan if dry_run else await ids.apply(plan, who=who, on_progress=progress.note)
        await progress.note(len(changes))
        counts = Counter(change.outcome.value for change in changes)
        rows = [IdChangeBody.model_validate(change).model_dump(mode="json") for change in changes]
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
            "rows": [BulkRowBody.model_validate(result).model_dump(mode="json") for result in results],
        }

    return await jobs.start(f"bulk-{action.value}", work, author=who, total=len(rows))
