"""Open cases of a caller whom the index knows: they are counted in Dataverse, at the moment of the call."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from cachetools import TTLCache

from app.dataverse.client import DataverseClient, read_rows
from app.dataverse.errors import DataverseError, RecordNotFoundError
from app.dataverse.queries import build_case_query
from app.dataverse.records import count_cases
from app.directory.breaker import CircuitBreaker
from app.directory.lookup import Outage
from app.routing.callers import Caller, CallerStatus, Cause, Match

__all__ = ["OpenCases"]

log = structlog.get_logger()

_ABSENT_SECONDS: Final = 600.0
"""How long an organisation without a table of cases is not asked again; somebody may install it."""

_ANSWERED: Final = Caller(status=CallerStatus.UNKNOWN)
"""What the breaker is told of a count that came: it asks for no more than that Dataverse answered."""


class OpenCases:
    """Counts within a time, and not while the breaker that it shares with live look-ups is open."""

    def __init__(self, *, client: DataverseClient, breaker: CircuitBreaker, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._breaker = breaker
        self._absent: TTLCache[str, bool] = TTLCache(1, ttl=_ABSENT_SECONDS, timer=monotonic)

    async def count(self, matches: Sequence[Match], *, until: float) -> Mapping[str, int] | Cause:
        """Return the active cases by contact or account, or why they are not known at `until` (loop time)."""
        customers = {match.id for match in matches} | {match.account.id for match in matches if match.account}
        if not customers or "incidents" in self._absent:
            return {}
        permit = self._breaker.admit()
        if isinstance(permit, Outage):
            return permit.cause
        outage = Outage(cause=Cause.TIMEOUT, detail="Dataverse did not count the cases in time")
        try:
            async with asyncio.timeout_at(until):
                counted = await self._ask(customers)
            permit.settle(_ANSWERED)
        except TimeoutError:
            permit.settle(outage)
            return outage.cause
        except DataverseError as error:
            log.warning("dataverse.cases_failed", **error.describe())
            outage = Outage(cause=error.cause, detail=error.detail, retry_after=error.facts.retry_after)
            permit.settle(outage)
            return outage.cause
        except BaseException:
            permit.release()
            raise
        return counted

    async def _ask(self, customers: set[str]) -> Mapping[str, int]:
        try:
            return count_cases(read_rows(await self._client.get_json(build_case_query(customers))))
        except RecordNotFoundError:
            self._absent["incidents"] = True
            return {}
