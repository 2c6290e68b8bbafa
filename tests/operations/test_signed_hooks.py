"""Signed webhooks, as their receiver sees them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from app.operations.signed_hooks import HookMessage, HookOptions, SignedHooks
from tests.support.service import wait_for

SECRET = "whsec_" + "ZmFrZS1zZWNyZXQtZm9yLXRlc3RzLW9ubHktMTIz"
HOUR = 3600.0
Handle = Callable[[httpx.Request], httpx.Response]


def make_message(name: str = "msg_1", kind: str = "alert.opened") -> HookMessage:
    """Make a message."""
    return HookMessage(id=name, type=kind, at=1_790_000_000.0, data={"kind": "silence", "message": "ä"})


class Sender:
    """A sender whose receiver is a function and whose time goes only while it sleeps."""

    def __init__(self, handle: Handle) -> None:
        self.now = 0.0
        self.attempts: list[tuple[str, float]] = []
        self._handle = handle
        self.hooks = SignedHooks(
            http=httpx.AsyncClient(transport=httpx.MockTransport(self._receive)),
            url="https://receiver.example/hook",
            secret=SECRET,
            clock=time.time,
            monotonic=lambda: self.now,
            sleep=self._sleep,
            options=HookOptions(),
        )

    def _receive(self, request: httpx.Request) -> httpx.Response:
        self.attempts.append((request.headers["webhook-id"], self.now))
        return self._handle(request)

    async def _sleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)

    def list_ids(self) -> list[str]:
        """List what was sent, in order."""
        return [name for name, _ in self.attempts]

    @asynccontextmanager
    async def sending(self, *messages: HookMessage) -> AsyncIterator[list[str]]:
        """Send messages, and give the lines of the log about how they ended."""
        with capture_logs() as lines:
            ends: list[str] = []
            running = asyncio.create_task(self.hooks.run())
            for message in messages:
                self.hooks.send(message)

            async def read() -> list[str] | None:
                ends[:] = [
                    f"{line['event']} {line['message']}"
                    for line in lines
                    if line["event"] in {"hook.delivered", "hook.refused", "hook.given_up"}
                ]
                return ends if len(ends) >= len(messages) else None

            await wait_for(read)
            yield ends
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_receiver_can_verify_and_read_a_message() -> None:
    """The body is the specified envelope, and the library of the specification accepts the signature."""
    received: list[object] = []

    def receive(request: httpx.Request) -> httpx.Response:
        received.append(Webhook(SECRET).verify(request.content, dict(request.headers)))
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(request.content + b" ", dict(request.headers))
        return httpx.Response(204)

    async with Sender(receive).sending(make_message()):
        pass

    assert received == [
        {
            "type": "alert.opened",
            "timestamp": "2026-09-21T14:13:20+00:00",
            "data": {"kind": "silence", "message": "ä"},
        }
    ]


async def test_failed_delivery_is_repeated_under_the_same_id() -> None:
    """Errors of the network and of the server are tried again, and the receiver can recognise the repetition."""
    answers = iter([httpx.ConnectError("refused"), httpx.Response(503), httpx.Response(429), httpx.Response(200)])

    def receive(_request: httpx.Request) -> httpx.Response:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    sender = Sender(receive)
    async with sender.sending(make_message()) as ends:
        pass

    assert (sender.list_ids(), ends) == (["msg_1"] * 4, ["hook.delivered msg_1"])


async def test_refusal_is_not_repeated() -> None:
    """An answer that repeating would not change ends the delivery."""
    sender = Sender(lambda _: httpx.Response(404))

    async with sender.sending(make_message()) as ends:
        pass

    assert (sender.list_ids(), ends) == (["msg_1"], ["hook.refused msg_1"])


async def test_one_message_that_fails_does_not_hold_back_the_others() -> None:
    """While the receiver cannot take one, the others arrive; it is given up after six hours, and not before."""
    sender = Sender(lambda request: httpx.Response(500 if request.headers["webhook-id"] == "bad" else 200))

    async with sender.sending(*map(make_message, ["bad", "good-1", "good-2"])) as ends:
        pass

    tried = [at for name, at in sender.attempts if name == "bad"]
    assert ends == ["hook.delivered good-1", "hook.delivered good-2", "hook.given_up bad"]
    assert sender.list_ids()[:3] == ["bad", "good-1", "good-2"]
    assert 6 * HOUR - 300 <= tried[-1] <= 6 * HOUR
    assert max(later - earlier for earlier, later in pairwise(tried)) <= 300


async def test_receiver_that_names_a_time_gets_nothing_before() -> None:
    """Retry-After holds for every message to that receiver."""
    answers = iter([httpx.Response(429, headers={"Retry-After": "120"})])
    sender = Sender(lambda _: next(answers, httpx.Response(200)))

    async with sender.sending(*map(make_message, ["one", "two", "three"])) as ends:
        pass

    (first, *later) = sender.attempts
    assert (first, len(later), len(ends)) == (("one", 0.0), 3, 3)
    assert min(at for _, at in later) >= 120


async def test_receiver_that_is_gone_gets_nothing_more() -> None:
    """After 410 neither what waits nor what comes is sent."""
    sender = Sender(lambda _: httpx.Response(410))

    async with sender.sending(make_message()) as ends:
        sender.hooks.send(make_message("msg_2"))

    assert (sender.hooks.gone, sender.list_ids(), ends) == (True, ["msg_1"], ["hook.refused msg_1"])


async def test_full_queue_drops_and_never_blocks() -> None:
    """Whoever tells about an alert never waits for the receiver."""
    hooks = Sender(lambda _: httpx.Response(200)).hooks

    with capture_logs() as lines:
        for _ in range(600):
            hooks.send(make_message())

    assert Counter(line["event"] for line in lines) == {"hook.dropped": 100}
