"""Faults an emulator can be told to show, and the ASGI layer that shows them.

The layer knows nothing of the emulated system: that tells it what a request is about and how it words its errors.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Sleep = Callable[[float], Awaitable[None]]


class FaultKind(StrEnum):
    """What goes wrong."""

    DELAY = "delay"
    """A correct answer, `seconds` late."""
    HANG = "hang"
    """No answer until the client gives up."""
    RESET = "reset"
    """The connection is dropped before the first byte of the answer."""
    RESET_MID_BODY = "reset_mid_body"
    """The connection is dropped halfway through the body."""
    DRIP = "drip"
    """A correct answer, a few bytes every `seconds`."""
    TRUNCATED = "truncated"
    """Half of the JSON, as if it were all."""
    GARBAGE = "garbage"
    """Bytes that are no JSON, labelled as JSON."""
    WRONG_TYPE = "wrong_type"
    """A web page with status 200, as a proxy or a sign-in page sends."""
    STATUS = "status"
    """An error answer with `status`, worded as the emulated system words it."""


class Fault(BaseModel):
    """One fault and the requests it applies to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    status: Annotated[int, Field(ge=400, le=599)] = 500
    """For `status`."""
    retry_after_s: Annotated[int, Field(ge=0)] | None = None
    """For `status`: seconds in a `Retry-After` header."""
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    """For `delay` the wait, for `drip` the wait between two pieces."""
    piece_bytes: Annotated[int, Field(ge=1)] = 16
    """For `drip`."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How many requests it hits; None for all."""
    at: Literal["api", "token"] = "api"
    """Which endpoint it hits: the API itself or the one that grants tokens."""
    table: str | None = None
    """Hits only requests to this table."""
    mentions: str | None = None
    """Hits only requests whose decoded query or path holds this text, e.g. `+358401112233`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a request is about, in the terms a fault can name."""

    at: str
    table: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error as the emulated system words it."""

    headers: dict[str, str]
    body: bytes


DescribeTraffic = Callable[[Scope], Traffic | None]
"""Says what a request is about; None for one that faults never hit."""
WordError = Callable[[int, Traffic], ErrorAnswer]


class ConnectionDroppedError(httpx.ReadError):
    """Stands for a dropped connection where there is none to drop: client and emulator share one process."""


class Faults:
    """The faults in force, first match wins."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int | None]] = []

    def replace(self, faults: Iterable[Fault]) -> None:
        """Put these faults in force instead of the present ones."""
        self._left = [(fault, fault.times) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Put one more fault in force."""
        self._left.append((fault, fault.times))

    def clear(self) -> None:
        """Let everything work again; requests already hanging stay so."""
        self._left = []

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that can still hit a request."""
        return tuple(fault for fault, _ in self._left)

    def take(
        self, traffic: Traffic, *, kinds: Collection[FaultKind] = frozenset(FaultKind), named: bool = False
    ) -> Fault | None:
        """Return the fault of these kinds that hits this request and use it up once; with `named`, of its table."""
        for index, (fault, left) in enumerate(self._left):
            if fault.kind in kinds and (fault.table or not named) and _hits(fault, traffic):
                self._use(index, fault, left)
                return fault
        return None

    def _use(self, index: int, fault: Fault, left: int | None) -> None:
        if left == 1:
            del self._left[index]
        elif left is not None:
            self._left[index] = (fault, left - 1)


def _hits(fault: Fault, traffic: Traffic) -> bool:
    return (
        fault.at == traffic.at
        and fault.table in {None, traffic.table}
        and (fault.mentions is None or fault.mentions in traffic.text)
    )


class FaultLayer:
    """An ASGI application around the emulator's own, that shows the faults in force."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        faults: Faults,
        describe: DescribeTraffic,
        word_error: WordError,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._app = app
        self._faults = faults
        self._describe = describe
        self._word_error = word_error
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or show the fault that hits it."""
        traffic = self._describe(scope) if scope["type"] == "http" else None
        fault = self._faults.take(traffic) if traffic else None
        if fault is None or traffic is None:
            await self._app(scope, receive, send)
        else:
            await self._show(fault, traffic, (scope, receive, send))

    async def _show(self, fault: Fault, traffic: Traffic, call: tuple[Scope, Receive, Send]) -> None:
        _, receive, send = call
        match fault.kind:
            case FaultKind.DELAY:
                await self._sleep(fault.seconds)
                await self._app(*call)
            case FaultKind.HANG:
                await _wait_for_disconnect(receive)
            case FaultKind.RESET:
                await _drop_connection(receive, send)
            case FaultKind.STATUS:
                await self._send_error(fault, traffic, send)
            case FaultKind.GARBAGE:
                await _send(send, 200, {"content-type": "application/json"}, b'{"value":[{\x00 oops')
            case FaultKind.WRONG_TYPE:
                await _send(send, 200, {"content-type": "text/html"}, b"<html><body>Sign in</body></html>")
            case FaultKind.DRIP | FaultKind.TRUNCATED | FaultKind.RESET_MID_BODY:
                await self._spoil(fault, call)

    async def _send_error(self, fault: Fault, traffic: Traffic, send: Send) -> None:
        answer = self._word_error(fault.status, traffic)
        waiting = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
        await _send(send, fault.status, answer.headers | waiting, answer.body)

    async def _spoil(self, fault: Fault, call: tuple[Scope, Receive, Send]) -> None:
        """Let the emulator answer, then send that answer badly."""
        scope, receive, send = call
        start, body = await _collect(self._app, scope, receive)
        half = body[: len(body) // 2]
        match fault.kind:
            case FaultKind.DRIP:
                await self._drip(fault, start, body, send)
            case FaultKind.TRUNCATED:
                await send(_resize(start, len(half)))
                await send({"type": "http.response.body", "body": half})
            case _:
                await send(start)
                await send({"type": "http.response.body", "body": half, "more_body": True})
                await _drop_connection(receive, send)

    async def _drip(self, fault: Fault, start: Message, body: bytes, send: Send) -> None:
        await send(start)
        for place in range(0, len(body), fault.piece_bytes):
            piece = body[place : place + fault.piece_bytes]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._sleep(fault.seconds)
        await send({"type": "http.response.body", "body": b""})


async def _collect(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """Return the start message and the whole body the application answers with."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0], body


def _resize(start: Message, length: int) -> Message:
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    sized = {**headers, "content-length": str(len(body))}
    raw = [(name.lower().encode(), value.encode()) for name, value in sized.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _drop_connection(receive: Receive, send: Send) -> None:
    """Close the socket without another byte, which ASGI itself has no word for.

    Uvicorn's `send` belongs to an object that knows its transport. Without one, client and emulator share a process.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionDroppedError("The emulated connection was dropped.")
    await asyncio.sleep(0)
    _close_at_once(transport)
    await _wait_for_disconnect(receive)


def _close_at_once(transport: Any) -> None:
    """With no time to linger the peer sees a reset instead of an orderly end."""
    connection = transport.get_extra_info("socket")
    if connection is not None and transport.get_extra_info("sslcontext") is None:
        no_linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    transport.abort()
