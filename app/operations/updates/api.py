"""`/admin/releases` and `/admin/update-plans`."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Request, Response, status

from app.auth.access import SettingsManagerDep, StatusReaderDep
from app.errors import InvalidInputError
from app.operations.updates.components import UpdateComponents, UpdatesState
from app.operations.updates.plans import UpdatePlan
from app.operations.updates.releases import Release, read_releases
from app.operations.updates.schemas import PlanBody, ReleasesBody
from app.web.parameters import IfMatchDep, OptionalIfMatchDep, StrictBody, WholeList, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin", tags=["Operations"])

EnvironmentName = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9-]{0,49}$",
        description="As the settings `updates` call it.",
        openapi_examples={"production": {"value": "production"}},
    ),
]


async def _read_components(request: Request) -> UpdateComponents:
    return read_state(request.scope, UpdatesState)["updates"]


UpdatesDep = Annotated[UpdateComponents, Depends(_read_components)]


@router.get("/releases", summary="Show what is installed and which releases there are", responses=problems())
async def show_releases(_reader: StatusReaderDep, updates: UpdatesDep) -> ReleasesBody:
    """Show the version of Voice's solution in each environment, this service's own, and the releases that are known.

    Versions are read from Dataverse, and remembered for five minutes. No read spends what calls need of its requests.
    """
    found = await updates.solutions.read_all()
    known, problem = await anyio.to_thread.run_sync(_read_known, updates)
    return ReleasesBody.tell(version=updates.version, found=found, known=known, file_problem=problem)


@router.get("/update-plans", summary="List update plans", responses=problems(503))
async def list_update_plans(_reader: StatusReaderDep, updates: UpdatesDep, response: Response) -> WholeList[PlanBody]:
    """List the plan of each environment that has one, with its steps."""
    plans, version = await updates.plans.read()
    tag(response, version)
    return WholeList(items=[PlanBody.of(name, plan) for name, plan in sorted(plans.items())])


@router.get("/update-plans/{environment}", summary="Show an update plan", responses=problems(404, 422, 503))
async def show_update_plan(
    environment: EnvironmentName, _reader: StatusReaderDep, updates: UpdatesDep, response: Response
) -> PlanBody:
    """Show the plan of an environment."""
    plan, version = await updates.plans.get(environment)
    tag(response, version)
    return PlanBody.of(environment, plan)


@router.put("/update-plans/{environment}", summary="Set an update plan", responses=problems(404, 412, 422, 503))
async def set_update_plan(
    environment: EnvironmentName,
    body: StrictBody[UpdatePlan],
    manager: SettingsManagerDep,
    version: OptionalIfMatchDep,
    updates: UpdatesDep,
    *,
    response: Response,
) -> PlanBody:
    """Set what is agreed and what was done; a plan that was closed is open again.

    The version is that of all plans together.
    """
    plan, written = await updates.plans.put(environment, body, version=version, who=manager.name)
    tag(response, written)
    return PlanBody.of(environment, plan)


@router.post(
    "/update-plans/{environment}/verify",
    summary="Close an update plan by reading the version",
    responses=problems(404, 409, 412, 422, 503),
)
async def verify_update_plan(
    environment: EnvironmentName, manager: SettingsManagerDep, updates: UpdatesDep, response: Response
) -> PlanBody:
    """Read the version of the environment anew, and close the plan when it is the one of the plan, or later."""
    plan, written = await updates.plans.verify(environment, who=manager.name)
    tag(response, written)
    return PlanBody.of(environment, plan)


@router.delete(
    "/update-plans/{environment}",
    summary="Remove an update plan",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412, 422, 428, 503),
)
async def remove_update_plan(
    environment: EnvironmentName, manager: SettingsManagerDep, version: IfMatchDep, updates: UpdatesDep
) -> None:
    """Remove the plan; its alerts are over."""
    await updates.plans.remove(environment, version=version, who=manager.name)


def _read_known(updates: UpdateComponents) -> tuple[tuple[Release, ...], str | None]:
    """Read the releases, those of this version at least, and say why the operator's are not among them."""
    try:
        return read_releases(updates.releases_file), None
    except InvalidInputError as error:
        return read_releases(None), error.detail
