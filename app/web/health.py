"""Probes and metrics. A dead CRM or database never makes the service unready: it still answers calls."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.errors import AppError
from app.web.state import read_state

__all__ = ["Dependency", "Exposition", "Health", "WebState", "judge", "router"]

router = APIRouter(tags=["Probes"])

State = Literal["ok", "degraded", "down"]
Exposition = Callable[[], tuple[bytes, str]]
"""Writes every metric, and names the media type."""
_TIMEOUT = 3.0
"""Seconds a dependency has to answer."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One thing the service leans on, and its state."""

    name: str
    state: State
    detail: str = ""
    """What is wrong; empty when nothing is. Holds nothing personal."""


Check = Callable[[], Awaitable[Dependency]]


@dataclass(frozen=True, slots=True)
class Health:
    """The checks of all of them, each given by the part it concerns."""

    checks: tuple[Check, ...]

    async def inspect(self) -> tuple[Dependency, ...]:
        """Ask every dependency, one after the other; a failure is an answer."""
        return tuple([await check() for check in self.checks])


def judge(name: str, ping: Callable[[], Awaitable[object]]) -> Check:
    """Make a check of a call that raises AppError when the dependency is down; one that is silent counts as down."""

    async def check() -> Dependency:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await ping()
        except TimeoutError:
            return Dependency(name, "down", f"no answer within {_TIMEOUT:g} seconds")
        except AppError as error:
            return Dependency(name, "down", error.detail)
        return Dependency(name, "ok")

    return check


class WebState(TypedDict):
    """What these routes read from the lifespan state."""

    health: Health
    exposition: Exposition


def _read_health(request: Request) -> Health:
    return read_state(request.scope, WebState)["health"]


def _read_exposition(request: Request) -> Exposition:
    return read_state(request.scope, WebState)["exposition"]


HealthDep = Annotated[Health, Depends(_read_health)]
ExpositionDep = Annotated[Exposition, Depends(_read_exposition)]


class Sign(BaseModel):
    """A sign of life."""

    status: Literal["alive", "ready"]


class DependencyBody(BaseModel):
    """One thing the service leans on."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["dataverse"])
    state: Literal["ok", "degraded", "down"]
    detail: str = Field(description="What is wrong; empty when nothing is.")


class Dependencies(BaseModel):
    """All of them; calls are answered whatever they say."""

    dependencies: list[DependencyBody]


@router.get("/health/live", summary="Is the process alive?")
async def show_life() -> Sign:
    """Answer as long as the event loop turns."""
    return Sign(status="alive")


@router.get("/health/ready", summary="Can it answer calls?")
async def show_readiness() -> Sign:
    """Answer as soon as the service has started, whether or not the CRM or the database do."""
    return Sign(status="ready")


@router.get("/health/dependencies", summary="How are the systems it leans on?")
async def show_dependencies(health: HealthDep) -> Dependencies:
    """Ask Dataverse, the database and the journal now. For administrators and alerts, not for probes."""
    found = await health.inspect()
    return Dependencies(dependencies=[DependencyBody.model_validate(dependency) for dependency in found])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_metrics(exposition: ExpositionDep) -> Response:
    """Write every metric in the text format of Prometheus."""
    body, media_type = exposition()
    return Response(body, media_type=media_type)
