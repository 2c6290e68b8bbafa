"""What probes may ask for, out of the lifespan state."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from app.web.health import Health

__all__ = ["ExpositionDep", "HealthDep"]

Exposition = Callable[[], tuple[bytes, str]]
"""Writes every metric, and names the media type."""


def _get_health(request: Request) -> Health:
    health: Health = request.state.health
    return health


def _get_exposition(request: Request) -> Exposition:
    exposition: Exposition = request.state.exposition
    return exposition


HealthDep = Annotated[Health, Depends(_get_health)]
ExpositionDep = Annotated[Exposition, Depends(_get_exposition)]
