"""Outgoing webhooks, signed as the Standard Webhooks specification says, and repeated until they arrive."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import uniform

import httpx
import orjson
import structlog
from standardwebhooks.webhooks import Webhook

from app.retry_after import read_retry_after

__all__ = ["HookMessage", "HookOptions", "SignedHooks", "sign_body", "write_body"]

log = structlog.get_logger()

_MAX_QUEUED = 500
_AT_ONCE = 4
_WORTH_REPEATING = frozenset({408, 425, 429})
_SERVER_ERROR = 500
_GONE = 410
_OK = range(200, 300)


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
    """JSON without anything personal; times as `datetime`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookOptions:
    """How long and how often delivery is tried, in seconds."""

    timeout: float = 10.0
    first_pause: float = 1.0
    longest_pause: float = 300.0
    """Pauses double up to this, and are shortened by chance by up to a half, so that messages spread."""
    give_up: float = 6 * 3600.0
    """No attempt begins later than so long after the message was given."""


class SignedHooks:
    """Sends messages far from any call, each on its own: one that is refused does not hold back the others.

    A receiver that names a time (Retry-After) gets nothing at all before it. One that says it is gone gets nothing
    more from this process. Repeating a POST is safe here: the specification has receivers recognise a message by its
    id.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        url: str,
        secret: str,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        options: HookOptions,
    ) -> None:
        """`secret` is `whsec_` and base64, `clock` gives seconds since the epoch."""
        self._http = http
        self._url = url
        self._signature = Webhook(secret)
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._options = options
        self._queue: asyncio.Queue[tuple[HookMessage, float]] = asyncio.Queue()
        self._undelivered = 0
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._quiet_until = float("-inf")
        self.gone = False
        """Whether the receiver answered 410, and nothing is sent to it any more."""

    def send(self, message: HookMessage) -> None:
        """Have a message sent soon; when too many are undelivered already it is dropped and logged."""
        if self.gone:
            return
        if self._undelivered >= _MAX_QUEUED:
            log.error("hook.dropped", message=message.id, type=message.type)
            return
        self._undelivered += 1
        self._queue.put_nowait((message, self._monotonic() + self._options.give_up))

    async def run(self) -> None:
        """Deliver for ever; a message that cannot be delivered is given up after a while, and logged."""
        async with asyncio.TaskGroup() as group:
            while True:
                message, until = await self._queue.get()
                group.create_task(self._deliver(message, until))

    async def _deliver(self, message: HookMessage, until: float) -> None:
        body = write_body(message)
        pause = self._options.first_pause
        try:
            while not await self._post(message, body):
                now = self._monotonic()
                due = max(now + pause * uniform(0.5, 1.0), self._quiet_until)  # noqa: S311 - no secret
                if due > until:
                    log.error("hook.given_up", message=message.id, type=message.type)
                    return
                pause = min(2 * pause, self._options.longest_pause)
                await self._sleep(due - now)
        finally:
            self._undelivered -= 1

    async def _post(self, message: HookMessage, body: str) -> bool:
        """Send once; tells whether the message is done with: taken, refused for good, or without a receiver."""
        async with self._slots:
            if self.gone:
                return True
            if self._monotonic() < self._quiet_until:
                return False
            try:
                async with asyncio.timeout(self._options.timeout):
                    headers = sign_body(self._signature, message.id, body, now=self._clock())
                    answer = await self._http.post(self._url, content=body, headers=headers)
            except (httpx.HTTPError, TimeoutError) as error:
                log.warning("hook.undelivered", message=message.id, error=type(error).__name__)
                return False
        return self._read_answer(message, answer)

    def _read_answer(self, message: HookMessage, answer: httpx.Response) -> bool:
        status = answer.status_code
        if status in _OK:
            log.info("hook.delivered", message=message.id, type=message.type)
            return True
        if status in _WORTH_REPEATING or status >= _SERVER_ERROR:
            log.warning("hook.undelivered", message=message.id, status=status)
            if retry_after := read_retry_after(answer.headers):
                self._quiet_until = max(self._quiet_until, self._monotonic() + retry_after)
            return False
        log.error("hook.refused", message=message.id, type=message.type, status=status)
        self.gone = self.gone or status == _GONE
        return True


def write_body(message: HookMessage) -> str:
    """Write what is signed and sent (Standard Webhooks, "Payload structure")."""
    data = {"type": message.type, "timestamp": datetime.fromtimestamp(message.at, UTC), "data": message.data}
    return orjson.dumps(data).decode()


def sign_body(signature: Webhook, message_id: str, body: str, *, now: float) -> dict[str, str]:
    """Make the headers of one attempt, made `now` (seconds since the epoch)."""
    time = datetime.fromtimestamp(int(now), UTC)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": signature.sign(message_id, time, body),
    }
