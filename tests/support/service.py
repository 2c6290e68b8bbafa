"""The service as its users meet it: the real application, with only the systems beyond it replaced."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from asgi_lifespan import LifespanManager
from starlette.types import ASGIApp

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator
from app.main import create_app
from app.settings import Settings
from tests.support.samples import lay_database, make_tables

__all__ = [
    "ADMIN_KEY",
    "PROGRAM_KEY",
    "UNHURRIED",
    "USER_KEY",
    "VIP_ANSWER",
    "VIP_RULES",
    "WEBHOOK_KEY",
    "Service",
    "make_settings",
    "open_service",
    "wait_for",
]

T = TypeVar("T")
WEBHOOK_KEY = "webhook-key-for-tests"
ADMIN_KEY = "admin-key-for-tests"
PROGRAM_KEY = "program-key-for-tests"
USER_KEY = "user-key-for-tests"
VIP_RULES = {
    "destinations": {
        "vip-queue": {"kind": "queue", "id": "queue-of-vips", "label": "VIP service"},
        "overflow": {"kind": "number", "id": "+358401234567"},
    },
    "rules": [
        {
            "id": "vip",
            "when": {"fact": "caller.vip", "op": "is", "value": True},
            "then": {"redirect": "vip-queue", "on_fail": "overflow"},
        }
    ],
}
"""VIP callers go to the VIP queue; nobody else is redirected."""
VIP_ANSWER = {"InitialTarget": "queue-of-vips", "FailTarget": "+358401234567"}
_TOKEN = "token-of-the-emulator"
UNHURRIED = {"deadline_ms": 4900}
"""Webhook settings under which callers are recognised, however busy the machine is."""
_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, and the organisation it asks."""

    app: ASGIApp
    """With the state of its lifespan, for tests that speak ASGI themselves."""
    settings: Settings
    client: httpx.AsyncClient
    """Without credentials."""
    dataverse: DataverseEmulator

    async def call(self, anum: object = "+358501234567", **members: object) -> httpx.Response:
        """Post one call as the queue does."""
        return await self.post({"anum": anum, **members})

    async def post(self, payload: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post JSON (or bytes as they are) to the webhook, with a credential unless headers are given."""
        sent = {"X-Benemen-APIKey": WEBHOOK_KEY} if headers is None else headers
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return await self.client.post("/smartrouting", content=content, headers=sent)

    async def ask(self, path: str, *, key: str = ADMIN_KEY, **query: Any) -> httpx.Response:
        """Get something from the administrators' endpoints."""
        return await self.client.get(path, params=query, headers={"Authorization": f"Bearer {key}"})

    async def simulate(self, *, key: str = ADMIN_KEY, **body: object) -> httpx.Response:
        """Simulate a call."""
        return await self.client.post("/admin/simulate", json=body, headers={"Authorization": f"Bearer {key}"})

    async def list_decisions(self, count: int, **query: Any) -> list[dict[str, Any]]:
        """Return decisions, newest first, as soon as there are so many; they take a moment to reach the database."""

        async def read() -> list[dict[str, Any]] | None:
            items: list[dict[str, Any]] = (await self.ask("/admin/decisions", **query)).json()["items"]
            return items if len(items) >= count else None

        return await wait_for(read)

    async def explain_last(self, *, calls: int = 1, **query: Any) -> dict[str, Any]:
        """Return the newest decision with its explanation, as soon as there are so many of them."""
        newest = (await self.list_decisions(calls))[0]
        detail: dict[str, Any] = (await self.ask(f"/admin/decisions/{newest['id']}", **query)).json()
        return detail

    async def read_metrics(self) -> str:
        """Return the metrics in the text format of Prometheus."""
        return (await self.client.get("/metrics")).text


async def wait_for(read: Callable[[], Awaitable[T | None]], *, pause: float = 0.01) -> T:
    """Ask again and again until there is an answer, after so many seconds each; fails when none comes."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        while (found := await read()) is None:  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(pause)
        return found


def make_settings(folder: Path, *, rules: Mapping[str, Any] | None = None, **groups: Any) -> Settings:
    """Make the settings of a small deployment whose data lives in `folder`.

    Members of `groups` win over ours; one that is `None` is not set at all.
    """
    usual = _list_usual_groups(folder)
    if rules is not None:
        file = folder / "rules.json"
        file.write_text(json.dumps(rules), encoding="utf-8")
        usual["rules"] = {"file": file}
    merged = {
        name: _leave_none_out(usual.get(name, {}) | dict(group)) if isinstance(group, Mapping) else group
        for name, group in groups.items()
    }
    return Settings(**{**usual, **merged})


@asynccontextmanager
async def open_service(
    folder: Path,
    *,
    rules: Mapping[str, Any] | None = None,
    tables: Mapping[str, Any] | None = None,
    upstreams: Upstreams | None = None,
    clock: Callable[[], float] = time.time,
    **groups: Any,
) -> AsyncIterator[Service]:
    """Open a service over an emulated organisation, with the sample data unless `tables` are given.

    `rules` is the ruleset it publishes at its start; `outside` replaces the ways to the emulators and the clock.
    """
    settings = make_settings(folder, rules=rules, **groups)
    lay_database(settings.store.url)
    emulator = create_dataverse_emulator(data=make_tables(tables), static_tokens={_TOKEN: CLIENT_ID})
    world = upstreams or Upstreams(dataverse=httpx.ASGITransport(emulator), clock=clock)
    app = create_app(settings, upstreams=replace(world, issuer=world.issuer or _reach_untrusting()))
    async with LifespanManager(app, startup_timeout=_TIMEOUT_SECONDS, shutdown_timeout=_TIMEOUT_SECONDS) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield Service(manager.app, app.state.settings, client, emulator)


def _reach_untrusting() -> httpx.AsyncHTTPTransport:
    """Make a way to the network that trusts no certificate, which spares reading those that everybody trusts."""
    return httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _leave_none_out(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if value is not None}


def _list_usual_groups(folder: Path) -> dict[str, Any]:
    keys = {
        "anna": {"key": ADMIN_KEY, "role": "Voice Admin User"},
        "script": {"key": PROGRAM_KEY, "role": "Voice ApiUser"},
        "bob": {"key": USER_KEY, "role": "Voice User"},
    }
    return {
        "webhook": {"api_keys": {"queue": WEBHOOK_KEY}, **UNHURRIED},
        "admin": {"api_keys": keys},
        "dataverse": {"url": "http://127.0.0.1", "auth": "token", "token": _TOKEN},
        "store": {"url": f"sqlite:///{folder}/smartrouting.db", "journal": folder / "journal"},
    }
