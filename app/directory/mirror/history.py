"""Cases and phone calls of a caller whom the index knows: Dataverse is asked for them at the moment of the call."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from app.dataverse.customer_history import CustomerHistory
from app.dataverse.errors import DataverseError
from app.directory.breaker import CircuitBreaker
from app.directory.lookup import Outage
from app.routing.callers import Caller, CallerStatus, Cause, LookUp, Match, Selection

__all__ = ["BoundedHistory"]

_ANSWERED: Final = Caller(status=CallerStatus.UNKNOWN)
"""What the breaker is told of an answer that came: it asks for no more than that Dataverse answered."""


class BoundedHistory:
    """Asks within a time, and not while its circuit breaker is open."""

    def __init__(self, *, history: CustomerHistory, breaker: CircuitBreaker) -> None:
        self._history = history
        self._breaker = breaker

    async def read(self, matches: Sequence[Match], selection: Selection, *, until: float) -> LookUp:
        """Return the matches with what the selection wants of them; what is not known at `until` (loop time) is marked.

        It is marked with the cause.
        """
        if not selection.open_cases and not selection.phone_calls:
            return LookUp(matches=tuple(matches))
        permit = self._breaker.admit()
        if isinstance(permit, Outage):
            return _mark(matches, selection, permit.cause)
        try:
            async with asyncio.timeout_at(until):
                found, error = await self._history.read([matches], selection)
        except TimeoutError:
            permit.settle(Outage(cause=Cause.TIMEOUT, detail="Dataverse did not tell cases or phone calls in time"))
            return _mark(matches, selection, Cause.TIMEOUT)
        except BaseException:
            permit.release()
            raise
        permit.settle(_ANSWERED if error is None else _describe(error))
        return replace(found, matches=tuple(matches))


def _mark(matches: Sequence[Match], selection: Selection, cause: Cause) -> LookUp:
    return LookUp(matches=tuple(matches), open_cases_failed=selection.open_cases, failure=cause)


def _describe(error: DataverseError) -> Outage:
    return Outage(cause=error.cause, detail=error.detail, retry_after=error.facts.retry_after)
