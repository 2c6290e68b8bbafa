"""`/admin/settings`: settings that drive the product, changed while it runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from app.auth.access import SettingsManagerDep, StatusReaderDep
from app.configurator.components import ConfiguratorState
from app.configurator.settings.administration import GroupState, SettingsAdministration
from app.configurator.settings.groups import GROUPS, find_group
from app.configurator.settings.schemas import (
    ExportBody,
    GroupBody,
    GroupSummary,
    ImportReport,
    RestoreBody,
    SettingChangeBody,
    VersionPage,
)
from app.errors import PreconditionFailedError
from app.web.parameters import IfMatchDep, OptionalIfMatchDep, StrictBody, WholeList, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["OptionalVersionDep", "router"]

router = APIRouter(prefix="/admin/settings", tags=["Settings"])

_EXAMPLES: Any = {
    "deadline": {"summary": "Another deadline", "value": {"deadline_ms": 1200}},
    "default": {"summary": "Back to the default", "value": {"deadline_ms": None}},
}
GroupName = Annotated[
    str,
    Path(
        description=f"One of {', '.join(f'`{name}`' for name in GROUPS)}.",
        openapi_examples={"calls": {"value": "smart-routing"}},
    ),
]


async def _read_settings(request: Request) -> SettingsAdministration:
    return read_state(request.scope, ConfiguratorState)["configurator"].settings


async def _read_version(version: IfMatchDep) -> int:
    return _read_number(version)


async def _read_optional_version(version: OptionalIfMatchDep) -> int | None:
    return None if version is None else _read_number(version)


def _read_number(version: str) -> int:
    if not (version.isascii() and version.isdecimal()):
        raise PreconditionFailedError("If-Match is not the ETag of this group; read it again")
    return int(version)


SettingsDep = Annotated[SettingsAdministration, Depends(_read_settings)]
VersionDep = Annotated[int, Depends(_read_version)]
OptionalVersionDep = Annotated[int | None, Depends(_read_optional_version)]


@router.get("", summary="List the groups of settings", responses=problems(503))
async def list_groups(_reader: StatusReaderDep, settings: SettingsDep) -> WholeList[GroupSummary]:
    """List the groups with their versions."""
    return WholeList(items=[GroupSummary.model_validate(state) for state in await settings.list_groups()])


@router.get("/export", summary="Export the saved settings", responses=problems(503))
async def export_settings(_manager: SettingsManagerDep, settings: SettingsDep) -> ExportBody:
    """Return what was saved, without secrets and without what the environment or the defaults say."""
    return ExportBody.model_validate(await settings.export())


@router.post("/import", summary="Import settings", responses=problems(409, 412, 422, 503))
async def import_settings(
    body: StrictBody[ExportBody],
    manager: SettingsManagerDep,
    settings: SettingsDep,
    *,
    dry_run: Annotated[bool, Query(description="Change nothing, tell what would change.")] = False,
) -> ImportReport:
    """Save the values of an export, all groups or none; keys that are not in a group return to their defaults."""
    changes = await settings.take_in(body.groups, dry_run=dry_run, who=manager.name)
    return ImportReport(applied=not dry_run, changes=[SettingChangeBody.model_validate(change) for change in changes])


@router.get("/{group}", summary="Show a group of settings", responses=problems(404, 503))
async def show_group(
    group: GroupName, _reader: StatusReaderDep, settings: SettingsDep, response: Response
) -> GroupBody:
    """Show every value with its source, default, unit and meaning."""
    return _answer(await settings.show(group), response)


@router.patch("/{group}", summary="Change settings", responses=problems(404, 409, 412, 422, 428, 503))
async def change_group(
    group: GroupName,
    manager: SettingsManagerDep,
    patch: Annotated[dict[str, Any], Body(openapi_examples=_EXAMPLES)],
    version: VersionDep,
    settings: SettingsDep,
    *,
    response: Response,
) -> GroupBody:
    """Apply a JSON merge patch (RFC 7396); `null` returns a key to its default. Used within two seconds everywhere."""
    return _answer(await settings.change(group, patch, expected=version, who=manager.name), response)


@router.get("/{group}/schema", summary="Show the JSON Schema of a group", responses=problems(404))
async def show_schema(group: GroupName, _reader: StatusReaderDep) -> dict[str, Any]:
    """Return what a client needs to draw a form of the group."""
    return find_group(group).make_schema()


@router.get("/{group}/history", summary="List the versions of a group", responses=problems(404, 422, 503))
async def list_versions(
    group: GroupName,
    _reader: StatusReaderDep,
    settings: SettingsDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=20, description="`next` of the page before.")] = None,
) -> VersionPage:
    """List what was saved by whom, the newest first."""
    return VersionPage.model_validate(await settings.history(group, limit=limit, after=after))


@router.post("/{group}/restore", summary="Restore a version", responses=problems(404, 409, 412, 422, 503))
async def restore_version(
    group: GroupName,
    body: StrictBody[RestoreBody],
    manager: SettingsManagerDep,
    version: OptionalVersionDep,
    settings: SettingsDep,
    *,
    response: Response,
) -> GroupBody:
    """Save the values of an earlier version once more, as a version of its own; the history stays."""
    state = await settings.restore(group, body.version, expected=version, who=manager.name)
    return _answer(state, response)


def _answer(state: GroupState, response: Response) -> GroupBody:
    tag(response, str(state.version))
    return GroupBody.model_validate(state)
