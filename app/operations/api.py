"""`/admin/{alerts,jobs,callers,erasures,credentials,keys,audit}`: what operators watch and do."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status

from app.auth.access import AuditReaderDep, EraserDep, OperatorDep, SettingsManagerDep, StatusReaderDep, UserManagerDep
from app.operations.components import OperationComponents, OperationsState
from app.operations.schemas import (
    AlertBody,
    AuditPage,
    AuditQuery,
    CredentialBody,
    Erased,
    ErasureBody,
    JobBody,
    JobSummary,
    KeyBody,
    KeyRequest,
    NewKeyBody,
    PurgeBody,
    Purged,
    ReceiverBody,
    ReceiverList,
    ReceiverTest,
    RotationBody,
)
from app.operations.store import Job
from app.web.parameters import AlertId, JobId, KeyId, StrictBody, WholeList
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["OperationsDep", "answer_started", "router"]


async def _read_components(request: Request) -> OperationComponents:
    return read_state(request.scope, OperationsState)["operations"]


OperationsDep = Annotated[OperationComponents, Depends(_read_components)]

_NEWEST = "newest"
ShownJobId = Annotated[
    str,
    Path(
        description="The `id` of a job, as its start and the list tell it, or `newest`.",
        openapi_examples={"newest": {"value": _NEWEST}},
    ),
]

ReceiverName = Annotated[
    str,
    Path(
        description="The name of a receiver in the settings `alerts`.",
        openapi_examples={"first": {"value": "night-shift"}},
    ),
]

_alerts = APIRouter(prefix="/admin/alerts", tags=["Operations"])
_callers = APIRouter(prefix="/admin/callers", tags=["Operations"])
_erasures = APIRouter(prefix="/admin/erasures", tags=["Operations"])
_credentials = APIRouter(prefix="/admin/credentials", tags=["Operations"])
_jobs = APIRouter(prefix="/admin/jobs", tags=["Jobs"])
_keys = APIRouter(prefix="/admin/keys", tags=["Access"])
_audit = APIRouter(prefix="/admin/audit", tags=["Access"])


@_alerts.get("", summary="List alerts", responses=problems(422, 503))
async def list_alerts(
    _reader: StatusReaderDep,
    operations: OperationsDep,
    *,
    open_only: Annotated[bool, Query(alias="open", description="Only what is wrong now.")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> WholeList[AlertBody]:
    """List alerts, the newest first."""
    found = await operations.alerts.list_alerts(open_only=open_only, limit=limit)
    return WholeList(items=[AlertBody.model_validate(alert) for alert in found])


@_alerts.get("/receivers", summary="List receivers of alerts", responses=problems(503))
async def list_receivers(_reader: StatusReaderDep, operations: OperationsDep) -> ReceiverList:
    """List who is told of alerts and how that goes; they are set in the settings `alerts`."""
    return ReceiverList(items=[ReceiverBody.model_validate(each) for each in await operations.deliveries.list_states()])


@_alerts.post("/receivers/{receiver}/test", summary="Test a receiver of alerts", responses=problems(404, 503))
async def send_test_message(receiver: ReceiverName, _who: OperatorDep, operations: OperationsDep) -> ReceiverTest:
    """Tell a receiver at once that this is a test, and say whether it took it."""
    return ReceiverTest.model_validate(await operations.deliveries.test(receiver))


@_alerts.post("/{alert_id}/acknowledge", summary="Acknowledge an alert", responses=problems(404, 503))
async def acknowledge_alert(alert_id: AlertId, who: OperatorDep, operations: OperationsDep) -> AlertBody:
    """Note that you have seen it; the first to do so stays noted, and the audit tells. It stays until it is over."""
    return AlertBody.model_validate(await operations.alerts.acknowledge(alert_id, who=who.name))


@_callers.post("/purge", summary="Look callers up anew", responses=problems(422, 503))
async def purge_callers(body: StrictBody[PurgeBody], who: OperatorDep, operations: OperationsDep) -> Purged:
    """Forget what is remembered about one caller or all of them in this process, and the last known callers.

    The decision log stays; `/admin/erasures` is for persons who want to be forgotten.
    """
    return Purged(callers=await operations.erasure.purge(body.number, who=who.name))


@_erasures.post("", summary="Forget a caller", responses=problems(422, 503))
async def erase_number(body: StrictBody[ErasureBody], who: EraserDep, operations: OperationsDep) -> Erased:
    """Erase a number from the journal, the decision log, the memory and the last known callers.

    Decisions stay as numbers in reports, without anything that says who called. The audit record names the number
    masked. Doing it again is harmless.
    """
    number, erased = await operations.erasure.erase(body.number, who=who.name)
    return Erased(number=number, erased=erased)


@_credentials.get("", summary="List the webhook's credentials", responses=problems(503))
async def list_credentials(_reader: StatusReaderDep, operations: OperationsDep) -> WholeList[CredentialBody]:
    """List labels with their last use, so that a key can be removed once nobody uses it any more."""
    found = await operations.credentials.list_all()
    return WholeList(items=[CredentialBody.model_validate(credential) for credential in found])


@_jobs.get("", summary="List jobs", responses=problems(422, 503))
async def list_jobs(
    _manager: UserManagerDep,
    operations: OperationsDep,
    *,
    kind: Annotated[str | None, Query(max_length=50)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> WholeList[JobSummary]:
    """List jobs, the newest first; what came of one is shown with that one."""
    found = await operations.jobs.list_listed(limit=limit, kind=kind)
    return WholeList(items=[JobSummary.model_validate(job) for job in found])


@_jobs.get("/{job_id}", summary="Show a job", responses=problems(404, 503))
async def show_job(job_id: ShownJobId, _manager: UserManagerDep, operations: OperationsDep) -> JobBody:
    """Show how far a job is, and its result once it has ended."""
    jobs = operations.jobs
    return JobBody.model_validate(await (jobs.show_newest() if job_id == _NEWEST else jobs.show(job_id)))


@_jobs.delete("/{job_id}", summary="Stop a job", responses=problems(404, 503))
async def stop_job(job_id: JobId, _manager: UserManagerDep, operations: OperationsDep) -> JobBody:
    """Ask a job to stop after the item it is at; what it did stays done."""
    return JobBody.model_validate(await operations.jobs.stop(job_id))


def answer_started(job: Job, response: Response) -> JobBody:
    """Answer 202 with a job and where to watch it (RFC 9110, section 15.3.3)."""
    response.headers["Location"] = f"{_jobs.prefix}/{job.id}"
    return JobBody.model_validate(job)


@_keys.get("", summary="List keys", responses=problems(503))
async def list_keys(_manager: SettingsManagerDep, operations: OperationsDep) -> WholeList[KeyBody]:
    """List every key that was made here, the newest first; keys of the settings are not among them."""
    return WholeList(items=[KeyBody.model_validate(key) for key in await operations.keys.list_all()])


@_keys.post("", summary="Make a key", status_code=status.HTTP_201_CREATED, responses=problems(409, 422, 503))
async def create_key(
    request: StrictBody[KeyRequest], manager: SettingsManagerDep, operations: OperationsDep, response: Response
) -> NewKeyBody:
    """Make a key and show it once; only a digest is kept."""
    response.headers["Cache-Control"] = "no-store"
    expires_at = request.expires_at.timestamp() if request.expires_at else None
    made = await operations.keys.create(request.label, request.role, expires_at=expires_at, who=manager.name)
    return NewKeyBody.show(made)


@_keys.post(
    "/{key_id}/rotate",
    summary="Rotate a key",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409, 422, 503),
)
async def rotate_key(
    key_id: KeyId,
    body: StrictBody[RotationBody],
    manager: SettingsManagerDep,
    operations: OperationsDep,
    response: Response,
) -> NewKeyBody:
    """Make a new key of the same label and role; the old one goes on working for the overlap."""
    response.headers["Cache-Control"] = "no-store"
    made = await operations.keys.rotate(key_id, overlap_seconds=body.overlap_seconds, who=manager.name)
    return NewKeyBody.show(made)


@_keys.delete("/{key_id}", summary="Revoke a key", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404, 503))
async def revoke_key(key_id: KeyId, manager: SettingsManagerDep, operations: OperationsDep) -> None:
    """End a key at once, on every replica."""
    await operations.keys.revoke(key_id, who=manager.name)


@_audit.get("", summary="List the audit", responses=problems(422, 503))
async def list_audit(
    query: Annotated[AuditQuery, Query()], _reader: AuditReaderDep, operations: OperationsDep
) -> AuditPage:
    """List what was done, newest first, by person, action or target."""
    return AuditPage.model_validate(await operations.audit.page(**query.model_dump()))


router = APIRouter()
for _part in (_alerts, _callers, _erasures, _credentials, _jobs, _keys, _audit):
    router.include_router(_part)
