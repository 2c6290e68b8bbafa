"""The last gate before the network: after a 429 no request leaves until Dataverse allows it."""

import math
from typing import Final

import httpx
from typing_extensions import override

from app.dataverse.client import SHARE
from app.dataverse.translation import read_failure
from app.directory.budget import RequestBudget

__all__ = ["RequestGate"]

_THROTTLED: Final = 429


class RequestGate(httpx.AsyncBaseTransport):
    """Answers 429 in the place of Dataverse, without a request, while a Retry-After runs or the budget is spent.

    The circuit breaker decides by look-up; this decides by request, so that a look-up under way does not send its
    second request into a Retry-After, and neither does anybody else who shares the connection.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport,
        budget: RequestBudget,
        pause_seconds: float = 5.0,
    ) -> None:
        """`pause_seconds` holds when a 429 names no time."""
        self._transport = transport
        self._budget = budget
        self._pause_seconds = pause_seconds
        self.refused = 0
        """Requests that were not sent, ever."""

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seconds = self._budget.spend(share=request.extensions.get(SHARE, 1.0))
        if seconds > 0:
            self.refused += 1
            return httpx.Response(_THROTTLED, headers={"Retry-After": str(math.ceil(seconds))}, request=request)
        response = await self._transport.handle_async_request(request)
        if response.status_code == _THROTTLED:
            pause = read_failure(_THROTTLED, response.headers, b"").facts.retry_after
            self._budget.close(self._pause_seconds if pause is None else pause)
        return response

    @override
    async def aclose(self) -> None:
        await self._transport.aclose()
