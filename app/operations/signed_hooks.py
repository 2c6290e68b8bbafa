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

_MAX_WAITING = 500
_WORTH_REPEATING = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_OK = range(200, 300)


class UndeliveredError(AppError):
    """The receiver did not take a notice; it may do so later."""

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
    """Sends notices one after the other from a bounded queue, far from any call.

    Repeating a POST is safe here: the specification has receivers recognise a notice by its id.
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
        self._waiting: asyncio.Queue[HookMessage] = asyncio.Queue(_MAX_WAITING)

    def send(self, notice: HookMessage) -> None:
        """Have a notice sent soon; when too many wait already it is dropped and logged."""
        try:
            self._waiting.put_nowait(notice)
        except asyncio.QueueFull:
            log.error("hook.dropped", notice=notice.id, type=notice.type)  # noqa: TRY400 - expected

    async def run(self) -> None:
        """Deliver for ever; a notice that cannot be delivered is given up after a while, and logged."""
        while True:
            notice = await self._waiting.get()
            try:
                await self.deliver(notice)
            except UndeliveredError as error:
                log.error("hook.given_up", notice=notice.id, detail=error.detail)  # noqa: TRY400 - expected

    async def deliver(self, notice: HookMessage) -> None:
        """Send one notice, again and again if need be; raises UndeliveredError when that was in vain."""
        body = orjson.dumps(
            {"type": notice.type, "timestamp": datetime.fromtimestamp(notice.at, UTC), "data": notice.data}
        ).decode()
        async for attempt in stamina.retry_context(
            on=UndeliveredError,
            attempts=self._options.attempts,
            timeout=self._options.give_up,
            wait_initial=self._options.first_pause,
            wait_max=self._options.longest_pause,
        ):
            with attempt:
                refused = await self._post(notice.id, body)
        if refused is None:
            log.info("hook.delivered", notice=notice.id, type=notice.type)
        else:
            log.error("hook.refused", notice=notice.id, status=refused)

    async def _post(self, notice_id: str, body: str) -> int | None:
        """Send once; returns the status of a refusal that repeating would not change."""
        now = datetime.fromtimestamp(int(self._clock()), UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notice_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signature.sign(notice_id, now, body),
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
