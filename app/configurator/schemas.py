"""How the authentication mode and the checks of its prerequisites look in JSON."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from app.configurator.authentication_mode import STEPS, AuthenticationMode, ModeState
from app.configurator.issuer_check import CheckState, ModernSettings, PrerequisiteCheck
from app.settings import Role
from app.web.parameters import show_time

__all__ = ["AuthenticationBody", "CheckBody", "CheckReport", "DecisionBody", "StepBody"]

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

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    issuer: str = Field(max_length=500, examples=[_MODERN["issuer"]])
    client_id: str = Field(min_length=1, max_length=200, examples=[_MODERN["client_id"]])
    audience: str = Field(min_length=1, max_length=500, examples=[_MODERN["audience"]])

    def make_settings(self) -> ModernSettings:
        """Turn the body into settings."""
        return ModernSettings(**self.model_dump())


class ModeStep(BaseModel):
    """One thing that somebody has to do and to confirm."""

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
            modern=None if state.modern is None else ModernBody.model_validate(state.modern),
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

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"confirmed": True, "note": "CHG-1042"}]})

    confirmed: bool = True
    note: str = Field(default="", max_length=500)


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
