"""`/admin/enterprise-calls`: how calls become phone-call activities, and why one did not."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status

from app.auth.access import DecisionReaderDep, OperatorDep, StatusReaderDep
from app.calls.api import RevealDep
from app.enterprise_calls.components import EnterpriseCallComponents, EnterpriseCallsState
from app.enterprise_calls.rules import SyncOutcome
from app.enterprise_calls.schemas import (
    CallDetailBody,
    CallPage,
    CallQuery,
    ChecklistBody,
    PendingQuery,
    RunBody,
    StatusBody,
)
from app.operations.api import answer_started
from app.operations.schemas import JobBody
from app.web.parameters import StrictBody
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin/enterprise-calls", tags=["Enterprise Calls"])


async def _read_components(request: Request) -> EnterpriseCallComponents:
    return read_state(request.scope, EnterpriseCallsState)["enterprise_calls"]


EnterpriseCallsDep = Annotated[EnterpriseCallComponents, Depends(_read_components)]
CallId = Annotated[
    str,
    Path(
        max_length=200,
        description="Enreach's id of the call.",
        openapi_examples={"demo": {"value": "6c1d7c5e-0a3f-5a0e-8f66-6a1a6f5f0001"}},
    ),
]


@router.get("", summary="Show the synchronisation of calls", responses=problems(503))
async def show_status(_reader: StatusReaderDep, calls: EnterpriseCallsDep) -> StatusBody:
    """Show whether it runs and why not, how far it is, and what became of the calls."""
    return StatusBody.model_validate(await calls.watch.describe())


@router.post(
    "/run", summary="Synchronise calls now", status_code=status.HTTP_202_ACCEPTED, responses=problems(409, 422, 503)
)
async def run_now(
    body: StrictBody[RunBody], who: OperatorDep, calls: EnterpriseCallsDep, response: Response
) -> JobBody:
    """Read calls in a job; what is in Dynamics already stays as it is."""
    since, until = (None if time is None else time.timestamp() for time in (body.since, body.until))
    job = await calls.jobs.start_run(since, until, dry_run=body.dry_run, who=who.name)
    return answer_started(job, response)


@router.post(
    "/overnight",
    summary="Try the calls that wait now",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problems(409, 503),
)
async def run_overnight(who: OperatorDep, calls: EnterpriseCallsDep, response: Response) -> JobBody:
    """Do by hand what the overnight run does: match calls whose customer was saved after them."""
    return answer_started(await calls.jobs.start_overnight(who=who.name), response)


@router.get("/calls", summary="List work calls", responses=problems(422, 503))
async def list_calls(
    query: Annotated[CallQuery, Query()], _reader: DecisionReaderDep, calls: EnterpriseCallsDep
) -> CallPage:
    """List calls classified as work and what became of them, the latest first. Numbers are masked."""
    since = None if query.since is None else query.since.timestamp()
    page = await calls.store.page(
        outcome=query.outcome, user_id=query.user_id, since=since, limit=query.limit, after=query.after
    )
    return CallPage.of(page)


@router.get("/pending", summary="List calls that wait", responses=problems(422, 503))
async def list_pending(
    query: Annotated[PendingQuery, Query()], _reader: DecisionReaderDep, calls: EnterpriseCallsDep
) -> CallPage:
    """List calls that wait for the overnight run, the latest first."""
    return CallPage.of(await calls.store.page(outcome=SyncOutcome.PENDING, limit=query.limit, after=query.after))


@router.get("/calls/{call_id}", summary="Explain a call", responses=problems(404, 503))
async def show_call(call_id: CallId, calls: EnterpriseCallsDep, reveal_to: RevealDep) -> CallDetailBody:
    """Say why a call is, or is not, in Dynamics: every rule in order with what it saw and decided.

    With `reveal=true` the full number is shown; that needs the role Voice Admin User and leaves an audit record.
    """
    return CallDetailBody.of(await calls.call_log.show(call_id, reveal_to=reveal_to))


@router.post("/calls/{call_id}/retry", summary="Try a call again", responses=problems(404, 409, 502, 503, 504))
async def retry_call(call_id: CallId, who: OperatorDep, calls: EnterpriseCallsDep) -> CallDetailBody:
    """Read a call from Enreach anew, and decide it as if it had never been decided."""
    return CallDetailBody.of(await calls.call_log.retry(call_id, who=who.name))


@router.get("/checklist", summary="Show the checklist", responses=problems(502, 503, 504))
async def show_checklist(_reader: StatusReaderDep, calls: EnterpriseCallsDep) -> ChecklistBody:
    """Judge the administrator guide's checklist of Enterprise Calls for the organisation."""
    return ChecklistBody.model_validate({"items": await calls.checklist.judge()})
