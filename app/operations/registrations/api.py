"""`/admin/app-registrations`: which registrations are in use, and when their secrets expire."""

from typing import Annotated, TypedDict

from fastapi import APIRouter, Depends, Path, Request, Response, status
from pydantic import BaseModel, Field

from app.auth.access import SettingsManagerDep, StatusReaderDep
from app.operations.registrations.registrations import (
    AppRegistration,
    AppRegistrations,
    RegisteredCredential,
    count_days,
)
from app.web.parameters import IfMatchDep, OptionalIfMatchDep, WholeList, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["RegistrationsState", "router"]

router = APIRouter(prefix="/admin/app-registrations", tags=["Operations"])

RegistrationName = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9-]{0,49}$",
        description="What it is called here, in small letters, digits and hyphens.",
        openapi_examples={"routing": {"value": "routing"}},
    ),
]


class RegistrationsState(TypedDict):
    """Its place in the lifespan state."""

    registrations: AppRegistrations


async def _read_registrations(request: Request) -> AppRegistrations:
    return read_state(request.scope, RegistrationsState)["registrations"]


RegistrationsDep = Annotated[AppRegistrations, Depends(_read_registrations)]


class CredentialState(RegisteredCredential):
    """A secret or certificate, and how long it lasts."""

    days_left: int = Field(description="Whole days; negative after the expiry.")


class RegistrationBody(BaseModel):
    """An app registration, and how long its credentials last."""

    name: str
    used_by: str
    application_id: str
    environment: str | None
    credentials: list[CredentialState] = Field(description="What expires first comes first.")

    @classmethod
    def of(cls, name: str, registration: AppRegistration, now: float) -> "RegistrationBody":
        """Show one."""
        ordered = sorted(registration.credentials, key=lambda credential: credential.expires_at)
        states = [CredentialState(**each.model_dump(), days_left=count_days(each, now)) for each in ordered]
        return cls(name=name, **registration.model_dump(exclude={"credentials"}), credentials=states)


@router.get("", summary="List app registrations", responses=problems(503))
async def list_app_registrations(
    _reader: StatusReaderDep, registrations: RegistrationsDep, response: Response
) -> WholeList[RegistrationBody]:
    """List them with the days that each secret and certificate has left; no secret is kept here."""
    found, version = await registrations.read()
    tag(response, version)
    now = registrations.read_clock()
    return WholeList(items=[RegistrationBody.of(name, each, now) for name, each in sorted(found.items())])


@router.get("/{name}", summary="Show an app registration", responses=problems(404, 422, 503))
async def show_app_registration(
    name: RegistrationName, _reader: StatusReaderDep, registrations: RegistrationsDep, response: Response
) -> RegistrationBody:
    """Show one with the days that each secret and certificate has left."""
    found, version = await registrations.get(name)
    tag(response, version)
    return RegistrationBody.of(name, found, registrations.read_clock())


@router.put("/{name}", summary="Enter an app registration", responses=problems(412, 422, 503))
async def set_app_registration(
    name: RegistrationName,
    body: AppRegistration,
    manager: SettingsManagerDep,
    version: OptionalIfMatchDep,
    registrations: RegistrationsDep,
    *,
    response: Response,
) -> RegistrationBody:
    """Add or replace one. A credential that is left out is watched no longer, and its alert is over.

    The version is that of all registrations together.
    """
    tag(response, await registrations.put(name, body, version=version, who=manager.name))
    return RegistrationBody.of(name, body, registrations.read_clock())


@router.delete(
    "/{name}",
    summary="Remove an app registration",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412, 422, 428, 503),
)
async def remove_app_registration(
    name: RegistrationName, manager: SettingsManagerDep, version: IfMatchDep, registrations: RegistrationsDep
) -> None:
    """Watch it no longer; its alerts are over."""
    await registrations.remove(name, version=version, who=manager.name)
