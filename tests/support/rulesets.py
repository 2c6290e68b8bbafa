"""An administrator at work on rulesets, through the front door."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

from app.calls.store import DecisionStore
from app.routing.decisions import DecisionRecord
from app.store.database import open_database
from tests.support.service import ADMIN_KEY, Service, wait_for

__all__ = ["Administrator", "Drafted", "make_rule", "record"]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft as it was last seen."""

    id: str
    etag: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/admin/rulesets/{self.id}"


@dataclass(frozen=True, slots=True)
class Administrator:
    """Sends what an administrator would send."""

    service: Service
    key: str = ADMIN_KEY

    async def send(
        self, method: str, path: str, body: object = None, *, etag: str | None = None, **query: Any
    ) -> httpx.Response:
        """Send JSON (or bytes as they are) with the administrator's key."""
        headers = {"Authorization": f"Bearer {self.key}"} | ({"If-Match": etag} if etag else {})
        if isinstance(body, bytes):
            return await self.service.client.request(method, path, content=body, headers=headers, params=query)
        extra = {} if body is None else {"json": body}
        return await self.service.client.request(method, path, headers=headers, params=query, **extra)

    async def read(self, path: str, **query: Any) -> Any:
        """Get something that must be there."""
        answer = await self.send("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def draft(self, document: object = None, *, source: str | None = None, name: str = "Summer") -> Drafted:
        """Start a draft."""
        body = {"name": name, "source": source} | ({} if document is None else {"document": document})
        answer = await self.send("POST", "/admin/rulesets/drafts", body)
        assert answer.status_code == 201, answer.text
        return Drafted(answer.json()["ref"], answer.headers["ETag"])

    async def change(self, method: str, draft: Drafted, part: str, body: object = None, **query: Any) -> Drafted:
        """Change a draft from the version it was last seen in."""
        answer = await self.send(method, draft.path + part, body, etag=draft.etag, **query)
        assert answer.status_code == 200, answer.text
        return Drafted(draft.id, answer.headers["ETag"])

    async def publish(self, draft: Drafted, expected: int | None, **query: Any) -> httpx.Response:
        """Publish a draft over a revision."""
        body = {"comment": "because", "expected_revision": expected}
        return await self.send("POST", f"{draft.path}/publish", body, etag=draft.etag, **query)

    async def replay(self, ref: str, **body: Any) -> dict[str, Any]:
        """Replay recorded calls and wait for the end."""
        started = await self.send("POST", f"/admin/rulesets/{ref}/replay", body)
        assert started.status_code == 202, started.text

        async def look() -> dict[str, Any] | None:
            state: dict[str, Any] = await self.read(started.headers["Location"])
            return None if state["state"] == "running" else state

        return await wait_for(look)


async def record(service: Service, records: Iterable[DecisionRecord]) -> None:
    """Put decisions into the service's database, as if they had been made before."""
    database = open_database(service.settings.store.url)
    await DecisionStore(database=database).add(list(records))
    await database.close()


def make_rule(rule_id: str, when: object = None, **then: object) -> dict[str, object]:
    """Write a rule; without an action it redirects to `vip-queue`."""
    rule: dict[str, object] = {"id": rule_id, "then": then or {"redirect": "vip-queue"}}
    return rule if when is None else {**rule, "when": when}
