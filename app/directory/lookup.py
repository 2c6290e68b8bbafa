"""What a directory answers: a caller, or the reason why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from app.routing.callers import Caller, CallerStatus, Cause, MatchKind, Selection

__all__ = ["Answer", "AwaitedUntil", "Directory", "LookupResult", "Outage", "Source", "is_open"]


class Source(StrEnum):
    """Where a caller came from."""

    LIVE = "live"
    """Dataverse said so just now."""
    FRESH = "fresh"
    """Dataverse said so within the fresh lifetime."""
    STALE = "stale"
    """The last known caller, from memory; `Caller.as_of` tells the age."""
    MIRROR = "mirror"
    """The local index says so; `Caller.as_of` tells until when it has every change."""
    NEGATIVE = "negative"
    """Dataverse said a moment ago that nobody has this number."""
    SNAPSHOT = "snapshot"
    """The last known caller, from the store."""
    NONE = "none"
    """Nobody could tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Why a look-up gave no caller. A value, because it is expected."""

    cause: Cause
    detail: str
    """For people; holds nothing personal."""
    retry_after: float | None = None
    """Seconds during which nobody may ask again, when Dataverse said so."""

    def describe(self) -> Caller:
        """Return the caller the rules see when nothing better is known."""
        return Caller(status=CallerStatus.UNAVAILABLE, cause=self.cause, detail=self.detail)


Answer = Caller | Outage

AwaitedUntil = Callable[[], float]
"""Tells how long somebody waits for the answer (loop time); it grows when more calls join, and is past for nobody."""


@dataclass(frozen=True, slots=True)
class LookupResult:
    """A caller and where it came from."""

    caller: Caller
    source: Source
    outage: Outage | None = None
    """Why it is not live, when a look-up was tried and failed or ran out of time."""
    stages: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)
    """Seconds by stage of the look-up that was waited for: `turn`, `token`, `dataverse`."""


class Directory(Protocol):
    """Turns an E.164 number into a caller. Never raises for the CRM's failures: those are Outages."""

    async def ask(self, e164: str, selection: Selection, *, awaited_until: AwaitedUntil) -> Answer:
        """Look the number up, with the columns of the selection."""

    async def aclose(self) -> None:
        """Give up what is under way."""


def is_open(answer: Answer) -> bool:
    """Tell whether a record may still carry the number, though nothing that was asked for has found it."""
    return not isinstance(answer, Outage) and (answer.status is CallerStatus.UNKNOWN or answer.match is MatchKind.BLOCK)
