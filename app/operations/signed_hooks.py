"""Outgoing webhooks, signed as the Standard Webhooks specification says, and repeated until they arrive."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import orjson
import stamina
import structlog
from standardwebhooks.webhooks import Webhook

from app.errors import AppError

__all__ = ["HookMessage", "HookOptions", "SignedHooks"]

log = structlog.get_logger()

_MAX_QUEUED = 500
_WORTH_REPEATING = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_OK = range(200, 300)


class UndeliveredError(AppError):
    """The receiver did not take a message; it may do so later."""

    status = 502
    code = "hook-undelivered"
    title = "Webhook not delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookMessage:
    """One thing that happened."""

    id: str
    """The same for every attempt, so that the receiver can tell a repetition."""
    type: str
    """Dotted, e.g. `alert.opened`."""
    at: float
    """When it happened, in seconds since the epoch."""
    data: Mapping[str, object]
    """JSON without anything personal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """How long and how often delivery is tried, in seconds."""

    timeout: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 300.0
    """Pauses double up to this."""
    give_up: float = 6 * 3600.0
    attempts: int = 100


class SignedHooks:
    """Sends messages one after the other from a bounded queue, far from any call.

    Repeating a POST is safe here: the specification has receivers recognise a message by its id.
    """

    def __init__(
        self, *, http: httpx.AsyncClient, url: str, secret: str, clock: Callable[[], float], options: HookOptions
    ) -> None:
        """`secret` is `whsec_` and base64, `clock` gives seconds since the epoch."""
        self._http = http
        self._url = url
        self._signature = Webhook(secret)
        self._clock = clock
        self._options = options
        self._queue: asyncio.Queue[HookMessage] = asyncio.Queue(_MAX_QUEUED)

    def send(self, message: HookMessage) -> None:
        """Have a message sent soon; when too many are queued already it is dropped and logged."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            log.error("hook.dropped", message=message.id, type=message.type)  # noqa: TRY400 - expected

    async def run(self) -> None:
        """Deliver for ever; a message that cannot be delivered is given up after a while, and logged."""
        while True:
            message = await self._queue.get()
            try:
                await self.deliver(message)
            except UndeliveredError as error:
                log.error("hook.given_up", message=message.id, detail=error.detail)  # noqa: TRY400 - expected

    async def deliver(self, message: HookMessage) -> None:
        """Send one message, again and again if need be; raises UndeliveredError in the end."""
        body = orjson.dumps(
            {"type": message.type, "timestamp": datetime.fromtimestamp(message.at, UTC), "data": message.data}
        ).decode()
        async for attempt in stamina.retry_context(
            on=UndeliveredError,
            attempts=self._options.attempts,
            timeout=self._options.give_up,
            wait_initial=self._options.first_pause,
            wait_max=self._options.longest_pause,
        ):
            with attempt:
                refused = await self._post(message.id, body)
        if refused is None:
            log.info("hook.delivered", message=message.id, type=message.type)
        else:
            log.error("hook.refused", message=message.id, status=refused)

    async def _post(self, message_id: str, body: str) -> int | None:
        """Send once; returns the status of a refusal that repeating would not change."""
        now = datetime.fromtimestamp(int(self._clock()), UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signature.sign(message_id, now, body),
        }
        try:
            async with asyncio.timeout(self._options.timeout):
                answer = await self._http.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise UndeliveredError(f"the receiver could not be reached ({type(error).__name__})") from error
        if answer.status_code in _OK:
            return None
        if answer.status_code in _WORTH_REPEATING or answer.status_code >= _SERVER_ERROR:
            raise UndeliveredError(f"the receiver answered {answer.status_code}")
        return answer.status_code
