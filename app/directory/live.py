"""Asks Dataverse at the moment of the call."""

from collections.abc import Callable
from typing import Protocol

import structlog

from app.dataverse.errors import DataverseError
from app.directory.lookup import Answer, Outage
from app.routing.callers import Caller, LookUp, Selection

__all__ = ["Identify", "LiveDirectory", "Organisation"]

log = structlog.get_logger()

Identify = Callable[[LookUp, float], Caller]
"""Judges what was found; the time is when Dataverse answered, in seconds since the epoch."""


class Organisation(Protocol):
    """The records of a Dataverse organisation, by number."""

    async def look_up(self, e164: str, selection: Selection) -> LookUp:
        """Return the active records with this number. Raises DataverseError."""


class LiveDirectory:
    """The directory that keeps nothing: what it answers is what Dataverse says now."""

    def __init__(self, *, organisation: Organisation, identify: Identify, clock: Callable[[], float]) -> None:
        self._organisation = organisation
        self._identify = identify
        self._clock = clock

    async def ask(self, e164: str, selection: Selection) -> Answer:
        """Look the number up and judge the matches; a failure of Dataverse is an Outage with its cause."""
        try:
            look_up = await self._organisation.look_up(e164, selection)
        except DataverseError as error:
            log.warning("dataverse.look_up_failed", **error.describe())
            return Outage(cause=error.cause, detail=error.detail, retry_after=error.facts.retry_after)
        return self._identify(look_up, self._clock())
