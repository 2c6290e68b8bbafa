"""Probes and metrics. A dead CRM or database never makes the service unready: it still answers calls."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypedDict

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.auth.access import MayReadStatusDep
from app.dataverse.errors import BudgetSpentError
from app.errors import AppError
from app.single_flight import SingleFlight
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["Departure", "Dependency", "Exposition", "Health", "WebState", "judge", "router"]

router = APIRouter(tags=["Probes"])

State = Literal["ok", "degraded", "down"]
_BETWEEN_EXPOSITIONS = 0.1
"""Seconds."""
_BETWEEN_CHECKS = 5.0
"""Seconds."""
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


def judge(name: str, ping: Callable[[], Awaitable[object]], *, monotonic: Callable[[], float]) -> Check:
    """Make a check of a call that raises AppError when the dependency is down; one that is silent counts as down.

    It is asked every five seconds at most, for all who want to know; `monotonic` gives seconds.
    """
    single_flight: SingleFlight[Dependency] = SingleFlight()
    known: Dependency | None = None
    due = 0.0

    async def check() -> Dependency:
        if known is not None and monotonic() < due:
            return known
        return await single_flight.run(name, ask)

    async def ask() -> Dependency:
        nonlocal known, due
        known = await reach()
        due = monotonic() + _BETWEEN_CHECKS
        return known

    async def reach() -> Dependency:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await ping()
        except TimeoutError:
            return Dependency(name, "down", f"no answer within {_TIMEOUT:g} seconds")
        except BudgetSpentError as error:
            return Dependency(name, "degraded", error.detail)
        except AppError as error:
            return Dependency(name, "down", error.detail)
        return Dependency(name, "ok")

    return check


Write = Callable[[], tuple[bytes, str]]
"""Writes every metric, and names the media type."""


class Exposition:
    """The metrics as Prometheus reads them, written at most ten times a second for all who ask.

    Writing them takes milliseconds, so it is done in a thread. Whoever asks in between waits and shares what is written
    next, so that it is never older than the request.
    """

    def __init__(self, prepare: Callable[[], Write], *, monotonic: Callable[[], float]) -> None:
        """`prepare` reads the state of the service, and returns what writes it; `monotonic` gives seconds."""
        self._prepare = prepare
        self._monotonic = monotonic
        self._due = 0.0
        self._single_flight: SingleFlight[tuple[bytes, str]] = SingleFlight()

    async def read(self) -> tuple[bytes, str]:
        """Return what is true now."""
        return await self._single_flight.run("metrics", self._write)

    async def _write(self) -> tuple[bytes, str]:
        await asyncio.sleep(max(0.0, self._due - self._monotonic()))
        self._due = self._monotonic() + _BETWEEN_EXPOSITIONS
        return await asyncio.to_thread(self._prepare())


@dataclass(slots=True)
class Departure:
    """Whether this process is about to end, so that nothing new should be sent to it."""

    begun: bool = False


class WebState(TypedDict):
    """What these routes read from the lifespan state."""

    departure: Departure
    health: Health
    exposition: Exposition


async def _read_health(request: Request) -> Health:
    return read_state(request.scope, WebState)["health"]


async def _read_departure(request: Request) -> Departure:
    return read_state(request.scope, WebState)["departure"]


async def _read_exposition(request: Request) -> Exposition:
    return read_state(request.scope, WebState)["exposition"]


HealthDep = Annotated[Health, Depends(_read_health)]
DepartureDep = Annotated[Departure, Depends(_read_departure)]
ExpositionDep = Annotated[Exposition, Depends(_read_exposition)]


class LeavingError(AppError):
    """Nothing new should be sent here."""

    status = 503
    code = "leaving"
    title = "Leaving"


class Sign(BaseModel):
    """A sign of life."""

    status: Literal["alive", "ready"]


class DependencyBody(BaseModel):
    """One thing the service leans on."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["dataverse"])
    state: Literal["ok", "degraded", "down"]
    detail: str = Field(description="What is wrong; empty when nothing is, and without a credential.")


class DependencyReport(BaseModel):
    """All of them; calls are answered whatever they say."""

    dependencies: list[DependencyBody]


@router.get("/health/live", summary="Is the process alive?")
async def show_life() -> Sign:
    """Answer as long as the event loop turns."""
    return Sign(status="alive")


@router.get("/health/ready", summary="Can it answer calls?", responses=problems(503))
async def show_readiness(departure: DepartureDep) -> Sign:
    """Answer as soon as the service has started, whether or not the CRM or the database do.

    503 from the moment it was asked to end: calls that come all the same are answered, for the seconds of
    `SMARTROUTING_DRAIN_SECONDS`.
    """
    if departure.begun:
        raise LeavingError("the service is about to end")
    return Sign(status="ready")


@router.get(
    "/health/dependencies",
    summary="How are the systems it leans on?",
    responses=problems(401, 403),
    openapi_extra={"security": [{}, {"AdministratorToken": []}]},
)
async def show_dependencies(health: HealthDep, *, may_read_details: MayReadStatusDep) -> DependencyReport:
    """Tell the states of Dataverse, the database and the journal; details only to a role that reads alerts."""
    found = await health.inspect()
    shown = found if may_read_details else [replace(dependency, detail="") for dependency in found]
    return DependencyReport(dependencies=[DependencyBody.model_validate(dependency) for dependency in shown])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_metrics(exposition: ExpositionDep) -> Response:
    """Write every metric in the text format of Prometheus."""
    body, media_type = await exposition.read()
    return Response(body, media_type=media_type)
