"""Signed webhooks, as their receiver sees them."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from app.operations.signed_hooks import HookMessage, HookOptions, SignedHooks, UndeliveredError

SECRET = "whsec_" + "ZmFrZS1zZWNyZXQtZm9yLXRlc3RzLW9ubHktMTIz"
MESSAGE = HookMessage(id="msg_1", type="alert.opened", at=1_790_000_000.0, data={"kind": "silence", "message": "ä"})
PACE = HookOptions(timeout=1, first_pause=0.001, longest_pause=0.002, attempts=4, give_up=30)


def make_hooks(handle: Callable[[httpx.Request], httpx.Response], secret: str = SECRET) -> SignedHooks:
    """Make a sender whose receiver is a function."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return SignedHooks(http=http, url="https://receiver.example/hook", secret=secret, clock=time.time, options=PACE)


async def test_receiver_can_verify_and_read_a_message() -> None:
    """The body is the specified envelope, and the library of the specification accepts the signature."""
    received: list[object] = []

    def receive(request: httpx.Request) -> httpx.Response:
        received.append(Webhook(SECRET).verify(request.content, dict(request.headers)))
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(request.content + b" ", dict(request.headers))
        return httpx.Response(204)

    await make_hooks(receive).deliver(MESSAGE)
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
    ids: list[str] = []

    def receive(request: httpx.Request) -> httpx.Response:
        ids.append(request.headers["webhook-id"])
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await make_hooks(receive).deliver(MESSAGE)
    assert ids == ["msg_1"] * 4


async def test_refusal_is_not_repeated() -> None:
    """An answer that repeating would not change ends the delivery."""
    calls: list[int] = []

    def refuse(_request: httpx.Request) -> httpx.Response:
        calls.append(1)
        return httpx.Response(404)

    await make_hooks(refuse).deliver(MESSAGE)
    assert calls == [1]


async def test_delivery_is_given_up_in_the_end() -> None:
    """A receiver that never answers well costs a bounded number of attempts, and the next message is delivered."""
    statuses = iter([500] * 4 + [200])
    seen: list[str] = []
    done = asyncio.Event()

    def receive(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["webhook-id"])
        status = next(statuses)
        if status == 200:
            done.set()
        return httpx.Response(status)

    hooks = make_hooks(receive)
    hooks.send(MESSAGE)
    hooks.send(HookMessage(id="msg_2", type="alert.cleared", at=0.0, data={}))
    running = asyncio.create_task(hooks.run())
    async with asyncio.timeout(10):
        await done.wait()
    running.cancel()
    assert seen == ["msg_1"] * 4 + ["msg_2"]
    with pytest.raises(UndeliveredError):
        await make_hooks(lambda _: httpx.Response(500)).deliver(MESSAGE)


async def test_full_queue_drops_and_never_blocks() -> None:
    """Whoever tells about an alert never waits for the receiver."""
    hooks = make_hooks(lambda _: httpx.Response(200))

    with capture_logs() as lines:
        for _ in range(600):
            hooks.send(MESSAGE)

    assert [line["event"] for line in lines] == ["hook.dropped"] * 100
