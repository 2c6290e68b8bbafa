"""Secrets and certificates of app registrations, read from an emulated Microsoft Graph."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, CLIENT_SECRET, TENANT_ID, create_dataverse_emulator
from app.emulators.faults import Fault, FaultKind
from app.emulators.graph import GraphEmulator
from app.operations.registrations.store import Reading, ReadingStore
from app.store.database import Database
from tests.support.service import ADMIN_KEY, Service, open_service, wait_for

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAY = 86_400.0
TOKEN = "token-of-the-emulated-graph"
PLACE = "/admin/app-registrations"
ROUTING = {"used_by": "routing", "application_id": CLIENT_ID.upper(), "environment": "production"}
GRANT = (
    "grant the app registration that this service signs in with the application permission Application.Read.All of "
    "Microsoft Graph (Entra ID, App registrations, API permissions, then Grant admin consent), or enter the days by "
    "hand"
)


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = START

    def read_seconds(self) -> float:
        """Return it in seconds since the epoch."""
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    """Begin at the start."""
    return Clock()


@pytest.fixture
def graph(clock: Clock) -> GraphEmulator:
    """A tenant with the app registration of this service."""
    return GraphEmulator(clock=lambda: clock.now, static_tokens=[TOKEN])


Opener = Callable[[], Any]


@pytest.fixture
def open_it(tmp_path: Path, clock: Clock, graph: GraphEmulator) -> Opener:
    """Give what opens a service that reads from that tenant, on one database."""

    @asynccontextmanager
    async def open_one() -> AsyncIterator[Service]:
        dataverse = create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID})
        upstreams = Upstreams(
            dataverse=httpx.ASGITransport(dataverse), graph=httpx.ASGITransport(graph), clock=clock.read_seconds
        )
        own = {"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        reads = {"url": "http://127.0.0.1", "token": TOKEN}
        async with open_service(tmp_path, upstreams=upstreams, dataverse=own, graph=reads) as service:
            yield service

    return open_one


async def send(service: Service, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """Send something as an administrator."""
    sent = {"Authorization": f"Bearer {ADMIN_KEY}"} | headers
    return await service.client.request(method, f"{PLACE}/{path}", json=body, headers=sent)


async def list_alerts(service: Service, count: int) -> list[str]:
    """List what expires, as soon as there is so much."""

    async def read() -> list[str] | None:
        alerts = (await service.ask("/admin/alerts")).json()["items"]
        keys = [each["key"] for each in alerts if each["kind"] == "app_registration_expiring"]
        return sorted(keys) if len(keys) >= count else None

    return await wait_for(read)


async def test_secrets_are_read_and_told_apart_from_entered_ones(open_it: Opener, graph: GraphEmulator) -> None:
    """Graph's day counts where both know a label; what this service signs in with is in use; all of it is alerted."""
    graph.add_secret(CLIENT_ID, "nearly over", START + timedelta(days=5))
    entered = [
        {"label": "production", "expires_at": "2031-01-02T00:00:00Z"},
        {"label": "of another tenant", "expires_at": "2030-01-10T12:00:00Z", "in_use": True},
    ]
    async with open_it() as service:
        await send(service, "PUT", "routing", ROUTING | {"credentials": entered})
        read = (await send(service, "POST", "routing/read")).json()
        alerts = await list_alerts(service, 2)
        readiness = (await service.ask("/admin/readiness")).json()["items"]

    shown = [
        (each["label"], each["kind"], each["source"], each["days_left"], each["in_use"]) for each in read["credentials"]
    ]
    assert shown == [
        ("nearly over", "secret", "graph", 5, None),
        ("of another tenant", "secret", "entered", 9, True),
        ("CN=voice", "certificate", "graph", 530, None),
        ("production", "secret", "graph", 530, True),
    ]
    assert read["graph"] == {
        "state": "read",
        "read_at": "2030-01-01T12:00:00Z",
        "name": "Voice for Dynamics 365",
        "reason": None,
        "remedy": None,
    }
    assert alerts == [
        "app_registration_expiring:routing/nearly over:7",
        "app_registration_expiring:routing/of another tenant:14",
    ]
    assert [each["reason"] for each in readiness if each["id"] == "secrets"] == [
        "expires soon or has expired: routing/nearly over (5 days left), routing/of another tenant (9 days left)"
    ]


async def test_missing_permission_is_a_lesson(open_it: Opener, graph: GraphEmulator) -> None:
    """Without the permission it says which one to grant; once it is granted, asking again works at once."""
    graph.consented = False
    async with open_it() as service:
        await send(service, "PUT", "routing", ROUTING)
        refused = await send(service, "POST", "routing/read")
        graph.consented = True
        read = (await send(service, "POST", "routing/read")).json()

    assert refused.status_code == 200
    assert refused.json()["graph"] == {
        "state": "failed",
        "read_at": None,
        "name": None,
        "reason": "Microsoft Graph does not let this service read app registrations",
        "remedy": GRANT,
    }
    assert read["graph"]["state"] == "read"


async def test_what_was_read_outlives_restarts_and_graph(open_it: Opener, graph: GraphEmulator, clock: Clock) -> None:
    """It is read without being asked for; while Graph is away the days of before count, also after a restart."""

    async def find_read(service: Service, state: str) -> dict[str, Any] | None:
        body: dict[str, Any] = (await service.ask(f"{PLACE}/routing")).json()
        return body if body["graph"]["state"] == state else None

    async with open_it() as service:
        await send(service, "PUT", "routing", ROUTING)
    async with open_it() as service:
        before = await wait_for(lambda: find_read(service, "read"))
    graph.faults.add(Fault(kind=FaultKind.STATUS, status=503))
    clock.now = START + timedelta(days=501)
    async with open_it() as service:
        after = await wait_for(lambda: find_read(service, "failed"))
        alerts = await list_alerts(service, 2)

    assert after["graph"]["read_at"] == before["graph"]["read_at"]
    assert after["graph"]["reason"] == "Microsoft Graph answered 503"
    assert [each["label"] for each in after["credentials"]] == [each["label"] for each in before["credentials"]]
    assert alerts == [
        "app_registration_expiring:routing/CN=voice:30",
        "app_registration_expiring:routing/production:30",
    ]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FaultKind.GARBAGE, "the answer of Microsoft Graph cannot be read"),
        (FaultKind.WRONG_TYPE, "the answer of Microsoft Graph cannot be read"),
        (FaultKind.RESET, "Microsoft Graph does not answer (ConnectionDroppedError)"),
    ],
)
async def test_broken_answers_are_told(open_it: Opener, graph: GraphEmulator, kind: FaultKind, reason: str) -> None:
    """Whatever comes instead of an answer is a reason, and no error."""
    graph.faults.add(Fault(kind=kind))
    async with open_it() as service:
        await send(service, "PUT", "routing", ROUTING)
        read = (await send(service, "POST", "routing/read")).json()

    assert (read["graph"]["state"], read["graph"]["reason"]) == ("failed", reason)


async def test_unknown_application_is_told(open_it: Opener) -> None:
    """An object id in place of the application id is what people enter; it says so."""
    async with open_it() as service:
        await send(service, "PUT", "other", ROUTING | {"application_id": TENANT_ID})
        read = (await send(service, "POST", "other/read")).json()

    assert read["graph"]["remedy"] == "correct application_id: it is the Application (client) id, not the Object id"


async def test_secrets_of_one_name_or_none_stay_apart(open_it: Opener, graph: GraphEmulator) -> None:
    """A description that is missing, odd or used twice still leads to a label of its own."""
    application = graph.applications[CLIENT_ID]
    life = {"startDateTime": "2029-01-01T00:00:00Z", "endDateTime": None, "hint": "x"}
    application["keyCredentials"] = []
    application["passwordCredentials"] = [
        life | {"keyId": "11111111-0000-0000-0000-000000000000", "displayName": None},
        life | {"keyId": "22222222-0000-0000-0000-000000000000", "displayName": 'one "name"\n'},
        life | {"keyId": "33333333-0000-0000-0000-000000000000", "displayName": "twice"},
        life | {"keyId": "44444444-0000-0000-0000-000000000000", "displayName": "twice"},
    ]
    async with open_it() as service:
        await send(service, "PUT", "routing", ROUTING)
        read = (await send(service, "POST", "routing/read")).json()

    assert [(each["label"], each["expires_at"], each["days_left"]) for each in read["credentials"]] == [
        ("one name", None, None),
        ("secret 11111111", None, None),
        ("twice 33333333", None, None),
        ("twice 44444444", None, None),
    ]


async def test_readings_are_kept_by_application(database: Database) -> None:
    """The newest of each counts, and those of registrations that are gone are forgotten."""
    store = ReadingStore(database=database)
    for name, at in (("one", 1), ("two", 1), ("one", 2)):
        await store.put(name, Reading(name=name, tried_at=at))
    before = await store.load()
    await store.keep_only({"one"})
    after = await store.load()
    await store.keep_only(set())

    assert {name: reading.tried_at for name, reading in before.items()} == {"one": 2, "two": 1}
    assert after == {"one": Reading(name="one", tried_at=2)}
    assert await store.load() == {}
