"""A service that synchronises calls between an emulated Enreach and an emulated Dynamics, by a clock that is turned."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator
from app.emulators.enreach import EnreachEmulator, create_enreach_emulator
from app.emulators.enreach.tables import put_call
from tests.support.samples import make_tables
from tests.support.service import ADMIN_KEY, Service, open_service, wait_for

__all__ = ["AINO", "ASSIGNEE", "MIKKO", "SETTINGS", "Clock", "Systems", "World", "make_call", "open_world"]

AINO = "50000000-0000-4000-8000-000000000001"
MIKKO = "50000000-0000-4000-8000-000000000002"
ASSIGNEE = "50000000-0000-4000-8000-000000000004"
_TOKEN = "fake-token-of-the-emulator"
_ENREACH = {"url": "http://127.0.0.1", "user": "voice.api@contoso.example", "secret": "demo-enreach-secret"}
_COLUMNS = {"agent_id_column": "new_enreachuserid", "agent_email_column": "new_enreachemail"}
SETTINGS = {"enabled": True, "privacy_field": "EmulatedPrivacy", "default_crm_assignee": ASSIGNEE}
"""Of the group `phone-call-sync`: the least with which it runs."""


class Clock:
    """The time for everybody; Wednesday, 11 November 2026, noon in Helsinki, until it is turned."""

    def __init__(self, now: datetime = datetime(2026, 11, 11, 10, 0, tzinfo=UTC)) -> None:
        self.now = now

    def read(self) -> datetime:
        """Tell it as the emulators want it."""
        return self.now

    def __call__(self) -> float:
        """Tell it as the service wants it."""
        return self.now.timestamp()

    def turn(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)


@dataclass(frozen=True, slots=True)
class Systems:
    """The two systems, which outlive the service."""

    clock: Clock
    dataverse: DataverseEmulator
    enreach: EnreachEmulator

    @classmethod
    def make(cls, clock: Clock | None = None, tables: Mapping[str, Any] | None = None) -> "Systems":
        """Make the sample organisation, or one of these rows, without calls."""
        turned = clock or Clock()
        dataverse = create_dataverse_emulator(
            data=make_tables(tables), clock=turned.read, static_tokens={_TOKEN: CLIENT_ID}
        )
        return cls(turned, dataverse, create_enreach_emulator(data={}, clock=turned.read))

    def call(self, call_id: str, **changes: object) -> None:
        """Have a call happen, or change; both are read from Enreach as changed now."""
        known = any(row["CallId"] == call_id for row in self.enreach.tables["calls"])
        row = changes if known else make_call(self.clock, **changes)
        put_call(self.enreach.tables, {"CallId": call_id, **row}, self.clock.now)

    def save_contact(self, number: str, contact: str = "cccccccc-0000-4000-8000-000000000001") -> None:
        """Save a contact in Dynamics."""
        row = {"contactid": contact, "fullname": "Late Saved", "mobilephone": number, "statecode": 0}
        self.dataverse.tables.store("contacts", row)

    def list_activities(self) -> list[dict[str, Any]]:
        """List what is in Dynamics beyond the sample, in the order it came."""
        return [row for row in self.dataverse.tables.rows("phonecalls") if not row["activityid"].startswith("20000000")]


def make_call(clock: Clock, **changes: object) -> dict[str, Any]:
    """Make the row of a call that Aino answered three minutes ago on her mobile."""
    return {
        "StartTime": f"{clock.now - timedelta(minutes=3):%Y-%m-%dT%H:%M:%S}",
        "ANum": "+358501234567",
        "BNum": "+358501230001",
        "UserName": "aino.virtanen@contoso.example",
        "CallTypeString": "DirectCall",
        "Direction": 0,
        "Duration": 150,
        "EndResult": 0,
        "EmulatedPrivacy": "Work",
        **changes,
    }


@dataclass(frozen=True, slots=True)
class World:
    """A running service, and the systems around it."""

    service: Service
    systems: Systems

    async def get(self, path: str = "", *, key: str = ADMIN_KEY, **query: Any) -> httpx.Response:
        """Get something below `/admin/enterprise-calls`."""
        return await self.service.ask(f"/admin/enterprise-calls{path}", key=key, **query)

    async def post(self, path: str, body: object = None, *, key: str = ADMIN_KEY) -> httpx.Response:
        """Post something there."""
        headers = {"Authorization": f"Bearer {key}"}
        return await self.service.client.post(f"/admin/enterprise-calls{path}", json=body, headers=headers)

    async def run(self, path: str = "/run", **body: object) -> dict[str, Any]:
        """Start a job and wait for it to end; without a body, read what has changed."""
        answer = await self.post(path, None if path == "/overnight" else body)
        assert answer.status_code == 202, answer.text

        async def read() -> dict[str, Any] | None:
            job: dict[str, Any] = (await self.service.ask(f"/admin/jobs/{answer.json()['id']}")).json()
            return None if job["state"] == "running" else job

        return await wait_for(read, pause=0.05)

    async def wait_for_start(self) -> None:
        """Wait until the service has looked for calls once by itself, as it does at its start."""

        async def read() -> bool | None:
            status = (await self.get()).json()
            return True if status["state"] == "stopped" or status["runs"] else None

        await wait_for(read)

    async def explain(self, call_id: str) -> dict[str, Any]:
        """Ask why a call is, or is not, in Dynamics."""
        answer = await self.get(f"/calls/{call_id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def list_outcomes(self) -> dict[str, str]:
        """List the calls that are kept: id -> outcome and reason."""
        items = (await self.get("/calls", limit=200)).json()["items"]
        return {item["call_id"]: f"{item['outcome']}/{item['reason']}" for item in items}


@asynccontextmanager
async def open_world(
    folder: Path,
    systems: Systems,
    *,
    sync: Mapping[str, Any] | None = None,
    wait: bool = True,
    through: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] = lambda network: network,
    **groups: Any,
) -> AsyncIterator[World]:
    """Open the service and wait until it has looked for calls once by itself.

    `sync` are further settings of `phone-call-sync`; `through` lies on the way to both systems.
    """
    upstreams = Upstreams(
        dataverse=through(httpx.ASGITransport(systems.dataverse)),
        enreach=through(httpx.ASGITransport(systems.enreach)),
        clock=systems.clock,
    )
    settings = {
        "enreach": _ENREACH,
        "dataverse": {"token": _TOKEN, **_COLUMNS},
        "phone_call_sync": {**SETTINGS, **(sync or {})},
        **groups,
    }
    async with open_service(folder, upstreams=upstreams, **settings) as service:
        world = World(service, systems)
        if wait:
            await world.wait_for_start()
        yield world
