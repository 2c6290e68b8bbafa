"""Callers remembered in this process."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TLRUCache, TTLCache
from typing_extensions import override

from app.directory.limits import DirectoryLimits
from app.directory.lookup import LookupResult, Source
from app.routing.callers import Caller, CallerStatus, Cause, Selection

__all__ = ["CallerMemory", "Entry"]

_PASSING = frozenset({Cause.TIMEOUT, Cause.ERROR, Cause.THROTTLED, Cause.CIRCUIT_OPEN})


@dataclass(frozen=True, slots=True)
class Entry:
    """A caller, ready to be answered."""

    result: LookupResult
    """What to answer while it is fresh."""
    selection: Selection
    """What was asked for when it was read."""
    fresh_until: float
    expires: float
    generation: int = 0
    """Which settings it was read by; see `CallerMemory.outdate`."""

    @property
    def caller(self) -> Caller:
        """The caller as last known."""
        return self.result.caller

    def covers(self, selection: Selection) -> bool:
        """Tell whether it was read with everything the selection names."""
        return self.selection is selection or self.selection.covers(selection)


class _Known(TLRUCache[str, Entry | None]):
    """Answers `None` for what is not there: raising would cost more than the look."""

    @override
    def __missing__(self, _e164: str) -> None:
        return None


class _Nobody(TTLCache[str, LookupResult | None]):
    """Answers `None` for what is not there."""

    @override
    def __missing__(self, _e164: str) -> None:
        return None


class CallerMemory:
    """Bounded memory with separate lifetimes: fresh and stale callers, and numbers that nobody has.

    The two are kept apart, so that a flood of unknown numbers cannot push known callers out.
    """

    def __init__(self, *, limits: DirectoryLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._generation = 0
        self._known: _Known = _Known(limits.size, ttu=_tell_expiry, timer=monotonic)
        self._nobody: _Nobody = _Nobody(limits.size, ttl=limits.negative_seconds, timer=monotonic)

    def __len__(self) -> int:
        return len(self._known) + len(self._nobody)

    def recall(self, e164: str, selection: Selection) -> LookupResult | None:
        """Return what may be answered without asking: a fresh caller, or nobody."""
        entry = self._known[e164]
        if entry is None:
            return self._nobody[e164]
        if entry.fresh_until > self._monotonic() and self.covers(entry, selection):
            return entry.result
        return None

    def get(self, e164: str) -> Entry | None:
        """Return the last known caller, fresh or stale."""
        return self._known[e164]

    def covers(self, entry: Entry, selection: Selection) -> bool:
        """Tell whether a caller was read by the present settings, with everything the selection names."""
        return entry.generation == self._generation and entry.covers(selection)

    def outdate(self) -> None:
        """Have every number asked for anew, because callers are found or judged by other settings now.

        Callers stay as the last known ones, for when the CRM does not answer.
        """
        self._generation += 1
        self._nobody.clear()

    def remember(self, e164: str, caller: Caller, selection: Selection) -> None:
        """Keep what Dataverse just said, instead of whatever was known before.

        A caller whose cases or phone calls could not be had is asked for again as soon as a number nobody has.
        """
        if caller.status is CallerStatus.UNKNOWN:
            self._drop(e164)
            self._nobody[e164] = LookupResult(caller, Source.NEGATIVE)
            return
        with contextlib.suppress(KeyError):
            del self._nobody[e164]
        lifetime = self._limits.fresh_seconds
        if not _PASSING.isdisjoint({caller.open_cases_cause, *caller.related_causes.values()}):
            lifetime = min(lifetime, self._limits.negative_seconds)
        self._keep(e164, caller, selection, self._monotonic() + lifetime)

    def remember_old(self, e164: str, caller: Caller) -> None:
        """Keep a caller from the store: stale from the start, and read with nobody knows what selection."""
        self._keep(e164, caller, Selection(), 0.0)

    def forget(self, e164: str | None) -> int:
        """Forget one number or all of them; returns how many were known."""
        if e164 is not None:
            return self._drop(e164)
        count = len(self)
        self._known.clear()
        self._nobody.clear()
        return count

    def _keep(self, e164: str, caller: Caller, selection: Selection, fresh_until: float) -> None:
        expires = self._monotonic() + self._limits.stale_seconds
        result = LookupResult(caller, Source.FRESH)
        self._known[e164] = Entry(result, selection, fresh_until, expires, self._generation)

    def _drop(self, e164: str) -> int:
        before = len(self)
        for cache in (self._known, self._nobody):
            with contextlib.suppress(KeyError):
                del cache[e164]
        return before - len(self)


def _tell_expiry(_e164: str, entry: Entry | None, now: float) -> float:
    return now if entry is None else entry.expires
