"""One HTTP request spoken as raw ASGI, for what no client would send."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp, Message

__all__ = ["RawAnswer", "post_raw", "send_parts"]


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return orjson.loads(self.body)


async def post_raw(
    app: ASGIApp,
    path: str,
    *,
    headers: Mapping[str, str],
    receive: Callable[[], Awaitable[Message]],
    client: tuple[str, int] | None = ("127.0.0.1", 50000),
) -> RawAnswer | None:
    """Post with a body given by `receive`; `None` when no answer was begun."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": client,
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    if not sent:
        return None
    start, *rest = sent
    return RawAnswer(
        status=start["status"],
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in rest),
    )


def send_parts(parts: Iterable[bytes]) -> Callable[[], Awaitable[Message]]:
    """Make a `receive` that gives these parts and then says that there are no more."""
    left = [*({"type": "http.request", "body": part, "more_body": True} for part in parts)]
    left.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return left.pop(0)

    return receive
