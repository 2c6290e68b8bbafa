"""`/admin/authentication`: Standard or Modern authentication for the phone users of this organisation."""

from datetime import datetime
from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.auth.access import SettingsManagerDep, StatusReaderDep
from app.configurator.authentication_mode import (
    STEPS,
    AuthenticationMode,
    CheckState,
    ModernSettings,
    ModeState,
    PrerequisiteCheck,
)
from app.configurator.deps import ConfiguratorDep
from app.settings import Role
from app.web.parameters import IfMatchDep, StepId, show_time, tag
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/authentication", tags=["Access"])

_FIRST = "none"
"""The version before anybody has decided."""
_MODERN = {"issuer": "https://login.microsoftonline.com/<tenant>/v2.0", "client_id": "voice", "audience": "voice"}


class ModeMeaning(BaseModel):
    """What a mode means (administrator guide, "User authentication")."""

    safety: str
    user_experience: str
    token_issuer: str


_MEANINGS = {
    AuthenticationMode.STANDARD: ModeMeaning(
        safety="Simple for the end user.",
        user_experience="Signs in by itself inside the phone; nobody has to do anything.",
        token_issuer="The Enreach API.",  # noqa: S106 - who issues tokens
    ),
    AuthenticationMode.MODERN: ModeMeaning(
        safety="The organisation's own sign-in, usually Microsoft work accounts with single sign-on.",
        user_experience="Signs in in a pop-up window; where pop-ups are blocked, a link opens it.",
        token_issuer="The organisation's identity provider, with Keycloak in between.",  # noqa: S106 - see above
    ),
}


class ModernBody(BaseModel):
    """The identity provider of Modern authentication."""

    model_config = ConfigDict(extra="forbid")

    issuer: str = Field(max_length=500, examples=[_MODERN["issuer"]])
    client_id: str = Field(min_length=1, max_length=200, examples=[_MODERN["client_id"]])
    audience: str = Field(min_length=1, max_length=500, examples=[_MODERN["audience"]])

    @classmethod
    def of(cls, modern: ModernSettings) -> Self:
        """Take the settings."""
        return cls(issuer=modern.issuer, client_id=modern.client_id, audience=modern.audience)

    def make_settings(self) -> ModernSettings:
        """Turn the body into settings."""
        return ModernSettings(issuer=self.issuer, client_id=self.client_id, audience=self.audience)


class ModeStep(BaseModel):
    """One thing that people have to do."""

    id: str = Field(examples=["back_end"])
    what_to_do: str
    confirmed: bool
    confirmed_by: str | None
    confirmed_at: datetime | None
    note: str


class AuthenticationBody(BaseModel):
    """What was decided, and how far it is."""

    decided: AuthenticationMode
    in_effect: AuthenticationMode = Field(description="Modern only once every step is confirmed.")
    changeable_by: Role = Field(description="End users cannot change the mode.")
    modern: ModernBody | None
    steps: list[ModeStep]
    meanings: dict[AuthenticationMode, ModeMeaning]
    decided_by: str | None
    decided_at: datetime | None

    @classmethod
    def of(cls, state: ModeState) -> Self:
        """Take the state."""
        return cls(
            decided=state.decided,
            in_effect=state.in_effect,
            changeable_by=Role.VOICE_ADMIN_USER,
            modern=None if state.modern is None else ModernBody.of(state.modern),
            steps=[_describe_step(state, step) for step in STEPS],
            meanings=_MEANINGS,
            decided_by=state.author,
            decided_at=show_time(state.at),
        )


class DecisionBody(BaseModel):
    """The mode to decide on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"mode": "standard"}]})

    mode: AuthenticationMode
    modern: ModernBody | None = Field(default=None, description="Null keeps what was set before.")


class CheckBody(BaseModel):
    """What to check."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"modern": {**_MODERN}}]})

    modern: ModernBody | None = Field(default=None, description="Null checks what is set.")
    test_token: str | None = Field(
        default=None, max_length=16_000, description="An access token of this client for this audience; not kept."
    )


class CheckResult(BaseModel):
    """One prerequisite."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(examples=["issuer"])
    state: CheckState
    detail: str
    what_to_do: str


class CheckReport(BaseModel):
    """All prerequisites, as far as they could be tried."""

    passed: bool = Field(description="Whether every one was tried and is in order.")
    checks: list[CheckResult]

    @classmethod
    def of(cls, checks: list[PrerequisiteCheck]) -> Self:
        """Take the checks."""
        passed = all(check.state is CheckState.OK for check in checks)
        return cls(passed=passed, checks=[CheckResult.model_validate(check) for check in checks])


class StepBody(BaseModel):
    """Whether a step was taken."""

    model_config = ConfigDict(extra="forbid")

    confirmed: bool = True
    note: str = Field(default="", max_length=500)


@router.get("", summary="Show the authentication mode", responses=problems(503))
async def show_mode(_reader: StatusReaderDep, configurator: ConfiguratorDep, response: Response) -> AuthenticationBody:
    """Show what was decided, what it means, and which steps are open."""
    return _answer(await configurator.authentication_modes.show(), response)


@router.put("", summary="Decide on the authentication mode", responses=problems(409, 412, 422, 428, 503))
async def decide_mode(
    body: DecisionBody,
    manager: SettingsManagerDep,
    version: IfMatchDep,
    configurator: ConfiguratorDep,
    response: Response,
) -> AuthenticationBody:
    """Decide for the whole organisation; Modern is refused while its identity provider does not answer as it must.

    `If-Match` is the `ETag` that showing the mode answers with: `"none"` as long as nobody has decided.
    """
    modern = None if body.modern is None else body.modern.make_settings()
    expected = None if version == _FIRST else version
    return _answer(
        await configurator.authentication_modes.decide(body.mode, modern, expected=expected, who=manager.name), response
    )


@router.post("/check", summary="Check the prerequisites of Modern", responses=problems(409, 422, 503))
async def check_modern(body: CheckBody, _manager: SettingsManagerDep, configurator: ConfiguratorDep) -> CheckReport:
    """Ask the identity provider for real: discovery document, keys, and what a test token says."""
    modern = None if body.modern is None else body.modern.make_settings()
    return CheckReport.of(await configurator.authentication_modes.check(modern, body.test_token))


@router.put("/steps/{step}", summary="Confirm a step", responses=problems(404, 422, 503))
async def confirm_step(
    step: StepId, body: StepBody, manager: SettingsManagerDep, configurator: ConfiguratorDep, response: Response
) -> AuthenticationBody:
    """Note that a step was taken by whoever has to take it, or open it again."""
    return _answer(
        await configurator.authentication_modes.confirm(
            step, confirmed=body.confirmed, who=manager.name, note=body.note
        ),
        response,
    )


def _answer(state: ModeState, response: Response) -> AuthenticationBody:
    tag(response, state.version or _FIRST)
    return AuthenticationBody.of(state)


def _describe_step(state: ModeState, step: str) -> ModeStep:
    found = state.confirmations.get(step)
    return ModeStep(
        id=step,
        what_to_do=STEPS[step],
        confirmed=found is not None,
        confirmed_by=found.who if found else None,
        confirmed_at=show_time(found.at) if found else None,
        note=found.note if found else "",
    )
