"""Cases and phone calls of a caller whom the index knows: Dataverse is asked for them at the moment of the call."""

import asyncio
from dataclasses import replace
from typing import Final

from app.dataverse.customer_history import CustomerHistory
from app.dataverse.errors import DataverseError
from app.directory.breaker import CircuitBreaker
from app.directory.lookup import Outage
from app.routing.callers import Caller, CallerStatus, Cause, LookUp, Selection

__all__ = ["BoundedHistory"]

_ANSWERED: Final = Caller(status=CallerStatus.UNKNOWN)
"""What the breaker is told of an answer that came: it asks for no more than that Dataverse answered."""


class BoundedHistory:
    """Asks within a time, and not while its circuit breaker is open."""

    def __init__(self, *, history: CustomerHistory, breaker: CircuitBreaker) -> None:
        self._history = history
        self._breaker = breaker

    async def add(self, found: LookUp, selection: Selection, *, until: float) -> LookUp:
        """Add what the selection wants of the matches; what is not known at `until` (loop time) is marked."""
        if not selection.open_cases and not selection.phone_calls:
            return found
        permit = self._breaker.admit()
        if isinstance(permit, Outage):
            return _mark(found, selection, permit.cause)
        try:
            async with asyncio.timeout_at(until):
                complete, error = await self._history.add({"": found}, selection)
        except TimeoutError:
            permit.settle(Outage(cause=Cause.TIMEOUT, detail="Dataverse did not tell cases or phone calls in time"))
            return _mark(found, selection, Cause.TIMEOUT)
        except BaseException:
            permit.release()
            raise
        permit.settle(_ANSWERED if error is None else _describe(error))
        return complete[""]


def _mark(found: LookUp, selection: Selection, cause: Cause) -> LookUp:
    return replace(found, open_cases_failed=selection.open_cases, failure=cause)


def _describe(error: DataverseError) -> Outage:
    return Outage(cause=error.cause, detail=error.detail, retry_after=error.facts.retry_after)
