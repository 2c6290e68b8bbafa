"""`/admin/authentication`: Standard or Modern authentication for the phone users of this organisation."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.auth.access import SettingsManagerDep, StatusReaderDep
from app.configurator.authentication_mode import AuthenticationModes, ModeState
from app.configurator.components import ConfiguratorState
from app.configurator.schemas import AuthenticationBody, CheckBody, CheckReport, DecisionBody, StepBody
from app.web.parameters import IfMatchDep, StepId, StrictBody, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["router"]

router = APIRouter(prefix="/admin/authentication", tags=["Access"])

_FIRST = "none"
"""The version before anybody has decided."""


async def _read_modes(request: Request) -> AuthenticationModes:
    return read_state(request.scope, ConfiguratorState)["configurator"].authentication_modes


ModesDep = Annotated[AuthenticationModes, Depends(_read_modes)]


@router.get("", summary="Show the authentication mode", responses=problems(503))
async def show_mode(_reader: StatusReaderDep, modes: ModesDep, response: Response) -> AuthenticationBody:
    """Show what was decided, what it means, and which steps are open."""
    return _answer(await modes.show(), response)


@router.put("", summary="Decide on the authentication mode", responses=problems(409, 412, 422, 428, 503))
async def decide_mode(
    body: StrictBody[DecisionBody],
    manager: SettingsManagerDep,
    version: IfMatchDep,
    modes: ModesDep,
    response: Response,
) -> AuthenticationBody:
    """Decide for the whole organisation; Modern is refused while its identity provider does not answer as it must.

    `If-Match` is the `ETag` that showing the mode answers with: `"none"` as long as nobody has decided.
    """
    modern = None if body.modern is None else body.modern.make_settings()
    expected = None if version == _FIRST else version
    return _answer(await modes.decide(body.mode, modern, expected=expected, who=manager.name), response)


@router.post("/check", summary="Check the prerequisites of Modern", responses=problems(409, 422, 503))
async def check_modern(body: StrictBody[CheckBody], _manager: SettingsManagerDep, modes: ModesDep) -> CheckReport:
    """Ask the identity provider for real: discovery document, keys, and what a test token says."""
    modern = None if body.modern is None else body.modern.make_settings()
    return CheckReport.of(await modes.check(modern, body.test_token))


@router.put("/steps/{step}", summary="Confirm a step", responses=problems(404, 422, 503))
async def confirm_step(
    step: StepId, body: StrictBody[StepBody], manager: SettingsManagerDep, modes: ModesDep, response: Response
) -> AuthenticationBody:
    """Note that a step was taken by whoever has to take it, or open it again."""
    return _answer(
        await modes.confirm(step, confirmed=body.confirmed, who=manager.name, note=body.note),
        response,
    )


def _answer(state: ModeState, response: Response) -> AuthenticationBody:
    tag(response, state.version or _FIRST)
    return AuthenticationBody.of(state)
