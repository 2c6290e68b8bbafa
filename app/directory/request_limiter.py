"""The last gate before the network: after a 429 no request leaves until Dataverse allows it."""

import math
from typing import Final

from app.dataverse.translation import read_failure
from app.dataverse.wire import Request, Response, Wire
from app.directory.budget import RequestBudget

__all__ = ["RequestLimiter"]

_THROTTLED: Final = 429
_PAUSE_SECONDS: Final = 5.0
"""The pause after a 429 that names no time."""


class RequestLimiter:
    """Answers 429 in the place of Dataverse, without a request, while a Retry-After runs or the budget is spent.

    The circuit breaker decides by look-up; this decides by request, so that a look-up under way does not send its
    second request into a Retry-After, and neither does anybody else who shares the connection.
    """

    def __init__(self, *, wire: Wire, budget: RequestBudget) -> None:
        self._wire = wire
        self._budget = budget

    async def send(self, request: Request) -> Response:
        """Exchange one request, or refuse it."""
        seconds = self._budget.spend(share=request.share)
        if seconds > 0:
            return Response(_THROTTLED, {"retry-after": str(math.ceil(seconds))})
        response = await self._wire.send(request)
        if response.status == _THROTTLED:
            pause = read_failure(_THROTTLED, response.headers, b"").facts.retry_after
            self._budget.close(_PAUSE_SECONDS if pause is None else pause)
        return response

    async def aclose(self) -> None:
        """Close what is behind."""
        await self._wire.aclose()
