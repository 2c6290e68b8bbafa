"""A running service over an emulated Dynamics and an emulated Enreach, for tests about users."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator
from app.emulators.dataverse.application import read_utc_clock
from app.emulators.enreach import EnreachEmulator, create_enreach_emulator
from tests.support.samples import make_tables
from tests.support.service import ADMIN_KEY, Service, open_service, wait_for

__all__ = ["NOORA", "PLACES", "Organisation", "Place", "open_organisation"]

Place = Literal["columns", "store"]
PLACES: tuple[Place, ...] = ("columns", "store")
"""Where Enreach ids are kept; whatever is promised holds for both."""
NOORA = "50000000-0000-4000-8000-000000000013"
"""A sample user who is in Enreach and in a profile, and has neither the role nor the id."""
_TOKEN = "fake-token-of-the-emulator"
_COLUMNS = {"agent_id_column": "new_enreachuserid", "agent_email_column": "new_enreachemail"}
_ENREACH = {"url": "http://127.0.0.1", "user": "voice.api@contoso.example", "secret": "demo-enreach-secret"}


@dataclass(frozen=True, slots=True)
class Organisation:
    """The service, and both systems it asks."""

    service: Service
    dataverse: DataverseEmulator
    enreach: EnreachEmulator

    async def get(self, path: str, *, key: str = ADMIN_KEY, **query: Any) -> httpx.Response:
        """Get something."""
        return await self.service.ask(path, key=key, **query)

    async def send(
        self, method: str, path: str, body: object = None, *, key: str = ADMIN_KEY, **query: Any
    ) -> httpx.Response:
        """Send something."""
        headers = {"Authorization": f"Bearer {key}"}
        return await self.service.client.request(method, path, json=body, params=query, headers=headers)

    async def show(self, user_id: str) -> dict[str, Any]:
        """Show a user."""
        answer = await self.get(f"/admin/users/{user_id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def judge(self, user_id: str) -> dict[str, str]:
        """Return the checklist of a user, item -> state."""
        return {item["id"]: item["state"] for item in (await self.show(user_id))["readiness"]}

    async def change(self, user_id: str, verb: str, body: Mapping[str, object], **query: Any) -> dict[str, Any]:
        """Enable or disable a user."""
        answer = await self.send("POST", f"/admin/users/{user_id}/{verb}", body, **query)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    async def run(self, path: str, body: object) -> dict[str, Any]:
        """Start a job and wait for it to end."""
        answer = await self.send("POST", path, body)
        assert answer.status_code == 202, answer.text
        return await self.wait_for_job(answer.json()["id"])

    async def wait_for_job(self, job_id: str) -> dict[str, Any]:
        """Wait until a job has ended."""

        async def read() -> dict[str, Any] | None:
            job: dict[str, Any] = (await self.get(f"/admin/jobs/{job_id}")).json()
            return None if job["state"] == "running" else job

        return await wait_for(read)

    def count_writes(self) -> int:
        """Count what was sent to Dynamics to change it."""
        return sum(request.method != "GET" for request in self.dataverse.requests)

    async def list_audit(self, **query: Any) -> list[tuple[str, str, str]]:
        """List who did what to what, oldest first."""
        items = (await self.get("/admin/audit", limit=200, **query)).json()["items"]
        return [(item["who"], item["what"], item["target"]) for item in reversed(items)]


@asynccontextmanager
async def open_organisation(
    folder: Path,
    *,
    place: Place = "columns",
    tables: Mapping[str, Any] | None = None,
    enreach_users: Iterable[Mapping[str, Any]] | None = None,
    issuer: httpx.AsyncBaseTransport | None = None,
    through: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] = lambda network: network,
    **groups: Any,
) -> AsyncIterator[Organisation]:
    """Open the service over the sample organisation, or over these rows; `place` says where ids are kept.

    `through` puts something on the way to Dynamics.
    """
    dataverse = create_dataverse_emulator(data=make_tables(tables), static_tokens={_TOKEN: CLIENT_ID})
    enreach = create_enreach_emulator(
        data=None if enreach_users is None else {"users": list(enreach_users)}, clock=read_utc_clock
    )
    upstreams = Upstreams(
        dataverse=through(httpx.ASGITransport(dataverse)), enreach=httpx.ASGITransport(enreach), issuer=issuer
    )
    columns = _COLUMNS if place == "columns" else {}
    groups = {"enreach": _ENREACH, **groups}
    groups["dataverse"] = {"token": _TOKEN, **columns, **groups.get("dataverse", {})}
    async with open_service(folder, upstreams=upstreams, **groups) as service:
        yield Organisation(service, dataverse, enreach)
