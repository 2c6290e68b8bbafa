"""A stand-in for Dataverse that costs next to nothing, so that the service is measured and not the stand-in."""

import asyncio
import json
import re
import time
from collections.abc import Iterable
from urllib.parse import unquote_plus

from starlette.types import Message, Receive, Scope, Send

__all__ = ["Crm", "make_contacts"]

_NUMBERS = re.compile(r" eq '\+([0-9]+)'")


class Crm:
    """Answers every question after `delay` seconds: with a contact for each number asked for, nothing, or 429."""

    def __init__(self, *, delay: float = 0.0, retry_after: int | None = None) -> None:
        """With `retry_after`, every answer is a 429 that asks for so many seconds."""
        self.delay = delay
        self.retry_after = retry_after
        self.hangs = False
        self.arrived: list[float] = []
        """When requests came, in monotonic seconds."""
        self.answered: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.arrived.append(time.monotonic())
        if self.hangs:
            await _wait_for_disconnect(receive)
            return
        await asyncio.sleep(self.delay)
        self.answered.append(time.monotonic())
        head: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json")],
        }
        if self.retry_after is not None:
            head["status"] = 429
            head["headers"].append((b"retry-after", str(self.retry_after).encode()))
        body = json.dumps({"value": _find_contacts(scope)}).encode()
        head["headers"].append((b"content-length", str(len(body)).encode()))
        await send(head)
        await send({"type": "http.response.body", "body": body})

    def count_inside_pause(self) -> int:
        """Count requests that came after a 429 was answered and before its time was over."""
        if self.retry_after is None:
            return 0
        pauses = [(at, at + self.retry_after) for at in self.answered]
        return sum(any(start + 0.05 < at < end - 0.005 for start, end in pauses) for at in self.arrived)


def make_contacts(numbers: Iterable[str]) -> list[dict[str, str]]:
    """Make one contact for each different number, which are digits of E.164."""
    return [
        {
            "contactid": f"a0000000-0000-0000-0000-{int(number) % 10**12:012}",
            "fullname": "Caller",
            "mobilephone": f"+{number}",
            "modifiedon": "2026-01-01T00:00:00Z",
        }
        for number in dict.fromkeys(numbers)
    ]


def _find_contacts(scope: Scope) -> list[dict[str, str]]:
    """Know everybody: each number is also asked for in E.164."""
    if not scope["path"].endswith("/contacts"):
        return []
    return make_contacts(_NUMBERS.findall(unquote_plus(scope["query_string"].decode())))


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
