"""`/admin/app-registrations`: which registrations are in use, and when their secrets expire."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response, status

from app.auth.access import SettingsManagerDep, StatusReaderDep
from app.operations.registrations.components import RegistrationComponents, RegistrationsState
from app.operations.registrations.registration import AppRegistration
from app.operations.registrations.schemas import (
    NewSecret,
    RegistrationBody,
    RenewalBody,
    RenewalPlan,
    SentNote,
    UpdatedNote,
)
from app.web.parameters import IfMatchDep, OptionalIfMatchDep, StrictBody, WholeList, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin/app-registrations", tags=["Operations"])

RegistrationName = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9-]{0,49}$",
        description="What it is called here, in small letters, digits and hyphens.",
        openapi_examples={"routing": {"value": "routing"}},
    ),
]


async def _read_its(request: Request) -> RegistrationComponents:
    return read_state(request.scope, RegistrationsState)["registrations"]


ItsDep = Annotated[RegistrationComponents, Depends(_read_its)]


async def _show(its: RegistrationComponents, name: str, response: Response) -> RegistrationBody:
    found, version = await its.registrations.get(name)
    tag(response, version)
    return RegistrationBody.of(name, found, its.clock(), reads=its.reader.configured)


async def _show_renewal(its: RegistrationComponents, name: str, response: Response) -> RenewalBody:
    known, renewal, version = await its.renewals.get(name)
    tag(response, version)
    return RenewalBody.of(name, known, renewal)


@router.get("", summary="List app registrations", responses=problems(503))
async def list_app_registrations(
    _reader: StatusReaderDep, its: ItsDep, response: Response
) -> WholeList[RegistrationBody]:
    """List them with the days that each secret and certificate has left; no secret is kept here."""
    found, version = await its.registrations.read()
    tag(response, version)
    reads = its.reader.configured
    bodies = [RegistrationBody.of(name, each, its.clock(), reads=reads) for name, each in sorted(found.items())]
    return WholeList(items=bodies)


@router.get("/{name}", summary="Show an app registration", responses=problems(404, 422, 503))
async def show_app_registration(
    name: RegistrationName, _reader: StatusReaderDep, its: ItsDep, response: Response
) -> RegistrationBody:
    """Show one with the days that each secret and certificate has left, as they were entered and read."""
    return await _show(its, name, response)


@router.put("/{name}", summary="Enter an app registration", responses=problems(412, 422, 503))
async def set_app_registration(
    name: RegistrationName,
    body: StrictBody[AppRegistration],
    manager: SettingsManagerDep,
    version: OptionalIfMatchDep,
    its: ItsDep,
    *,
    response: Response,
) -> RegistrationBody:
    """Add or replace one. A credential that is left out is watched no longer, and its alert is over.

    What Microsoft Graph tells need not be entered. The version is that of all registrations together.
    """
    await its.registrations.put(name, body, version=version, who=manager.name)
    return await _show(its, name, response)


@router.post("/{name}/read", summary="Read an app registration from Microsoft Graph", responses=problems(404, 422, 503))
async def read_app_registration(
    name: RegistrationName, _manager: SettingsManagerDep, its: ItsDep, response: Response
) -> RegistrationBody:
    """Read its secrets and certificates now, instead of within the hour; `graph` tells what became of it."""
    await its.reader.read(name)
    return await _show(its, name, response)


@router.delete(
    "/{name}",
    summary="Remove an app registration",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412, 422, 428, 503),
)
async def remove_app_registration(
    name: RegistrationName, manager: SettingsManagerDep, version: IfMatchDep, its: ItsDep
) -> None:
    """Watch it no longer; its alerts are over."""
    await its.registrations.remove(name, version=version, who=manager.name)


@router.get("/{name}/renewal", summary="Show the renewal of a secret", responses=problems(404, 422, 503))
async def show_renewal(
    name: RegistrationName, _reader: StatusReaderDep, its: ItsDep, response: Response
) -> RenewalBody:
    """Show each step with its proof, or with what is to be done; it is closed when there is proof of all of them."""
    return await _show_renewal(its, name, response)


@router.put("/{name}/renewal", summary="Begin the renewal of a secret", responses=problems(404, 409, 412, 422, 503))
async def begin_renewal(
    name: RegistrationName,
    body: StrictBody[RenewalPlan],
    manager: SettingsManagerDep,
    version: OptionalIfMatchDep,
    its: ItsDep,
    *,
    response: Response,
) -> RenewalBody:
    """Begin to replace a secret or certificate. The version is that of all registrations together."""
    await its.renewals.begin(name, body.replaces, body.environments, version=version, who=manager.name)
    return await _show_renewal(its, name, response)


@router.post("/{name}/renewal/sent", summary="Note a secret as sent", responses=problems(404, 409, 412, 422, 503))
async def note_secret_sent(
    name: RegistrationName, body: StrictBody[SentNote], manager: SettingsManagerDep, its: ItsDep, response: Response
) -> RenewalBody:
    """Note on which day you sent the new secret to Enreach."""
    await its.renewals.note_sent(name, body.on, who=manager.name)
    return await _show_renewal(its, name, response)


@router.post(
    "/{name}/renewal/updated", summary="Note a back end as updated", responses=problems(404, 409, 412, 422, 503)
)
async def note_back_end_updated(
    name: RegistrationName, body: StrictBody[UpdatedNote], manager: SettingsManagerDep, its: ItsDep, response: Response
) -> RenewalBody:
    """Note on which day Enreach confirmed the new secret in one environment."""
    await its.renewals.note_updated(name, body.environment, body.on, who=manager.name)
    return await _show_renewal(its, name, response)


@router.post(
    "/{name}/renewal/token",
    summary="Obtain a token with a new secret",
    responses=problems(404, 409, 412, 422, 502, 503),
)
async def prove_new_secret(
    name: RegistrationName, body: StrictBody[NewSecret], manager: SettingsManagerDep, its: ItsDep, response: Response
) -> RenewalBody:
    """Ask Entra ID for a token with the new secret, and forget both; only the success is kept."""
    await its.renewals.prove_token(name, body.secret, who=manager.name)
    return await _show_renewal(its, name, response)


@router.delete(
    "/{name}/renewal",
    summary="Abandon the renewal of a secret",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412, 422, 428, 503),
)
async def abandon_renewal(
    name: RegistrationName, manager: SettingsManagerDep, version: IfMatchDep, its: ItsDep
) -> None:
    """Forget what was noted of it."""
    await its.renewals.abandon(name, version=version, who=manager.name)
