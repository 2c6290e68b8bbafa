"""Events of the phone client, and receivers of hooks on this machine."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.organisation import Organisation
from tests.support.service import WEBHOOK_KEY, Service

__all__ = ["CALL", "LOCAL", "Receiver", "add_row", "list_activities", "post_event"]

LOCAL = {"allowed_networks": ["127.0.0.0/8", "::1/128"]}
"""Settings by which hooks may reach this machine."""
CALL = "5d2c7f0a-1111-4222-8333-944445555666"


async def post_event(service: Service, event: str, *, key: str | None = WEBHOOK_KEY, **context: Any) -> httpx.Response:
    """Post an event as the phone client does."""
    headers = {} if key is None else {"X-Benemen-APIKey": key}
    return await service.client.post(f"/events/{event}", json=context, headers=headers)


async def add_row(organisation: Organisation, event: str, plugin: str, **row: Any) -> dict[str, Any]:
    """Add a row and return it as it was answered."""
    answer = await organisation.send("POST", f"/admin/events/{event}/plugins", {"plugin": plugin, **row})
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    return added


def list_activities(organisation: Organisation) -> list[Mapping[str, Any]]:
    """List the phone-call activities in Dynamics that the sample does not have."""
    rows = organisation.dataverse.tables.rows("phonecalls")
    return [row for row in rows if not row["activityid"].startswith("20000000-")]


@dataclass
class Receiver:
    """A receiver of hooks: an ASGI application that keeps what it gets."""

    answer: bytes = b""
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    stream: Callable[[Callable[..., Any]], Any] | None = None
    """Sends the body in some other way."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.got.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if self.stream is not None:
            await self.stream(send)
            return
        await send({"type": "http.response.body", "body": self.answer})

    @property
    def contexts(self) -> list[dict[str, Any]]:
        """The contexts that came."""
        return [json.loads(body)["data"] for _, body in self.got]
