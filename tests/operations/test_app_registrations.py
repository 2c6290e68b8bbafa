"""App registrations as administrators enter them, and the warnings before their secrets expire."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.operations.alert_rules import AlertRule
from app.operations.alerts import AlertMonitor
from app.operations.deliveries import AlertDeliveries, DeliveryStore
from app.operations.hook_sender import AddressPolicy, HookSender
from app.operations.receivers import ReceiverTeller
from app.operations.registrations.registration import AppRegistration
from app.operations.registrations.registrations import AppRegistrations
from app.operations.registrations.store import ReadingStore
from app.operations.store import AlertStore
from app.store.database import open_database
from app.store.settings_documents import SettingsDocumentStore
from bench.world import serve_app
from tests.support.samples import lay_database
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, Service, make_settings, open_service, wait_for

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAY = 86_400.0
CLIENT = "11111111-2222-3333-4444-555555555555"
SECRET = "whsec_bm90LWEtcmVhbC1zZWNyZXQtb2YtYW55Ym9keQ=="


def make_registration(used_by: str = "routing", **expiries: int) -> dict[str, Any]:
    """Make one whose secrets expire so many days after the start."""
    credentials = [
        {"label": label, "expires_at": (START + timedelta(days=days)).isoformat()} for label, days in expiries.items()
    ]
    return {"used_by": used_by, "application_id": CLIENT, "credentials": credentials}


async def put(service: Service, name: str, body: Any, **headers: str) -> httpx.Response:
    """Enter a registration."""
    sent = {"Authorization": f"Bearer {ADMIN_KEY}"} | headers
    return await service.client.put(f"/admin/app-registrations/{name}", json=body, headers=sent)


async def test_registration_is_entered_watched_and_removed(tmp_path: Path) -> None:
    """Days left are shown; a secret near its end is an alert, a metric and an item of readiness; removal ends it."""
    async with open_service(tmp_path, clock=START.timestamp) as service:
        empty = await service.ask("/admin/app-registrations", key=PROGRAM_KEY)
        entered = await put(service, "routing", make_registration(old=5, new=700))
        listed = await service.ask("/admin/app-registrations", key=PROGRAM_KEY)

        async def find_alert() -> list[Any] | None:
            alerts: list[Any] = (await service.ask("/admin/alerts")).json()["items"]
            return [each for each in alerts if each["kind"] == "app_registration_expiring"] or None

        alerts = await wait_for(find_alert)
        readiness = (await service.ask("/admin/readiness")).json()["items"]
        audit = (await service.ask("/admin/audit", target="app-registrations")).json()["items"]
    async with open_service(tmp_path, clock=START.timestamp) as service:

        async def find_metric() -> str | None:
            lines = (await service.read_metrics()).splitlines()
            return next((line for line in lines if 'secret="app-registration:routing/old"' in line), None)

        metric = await wait_for(find_metric)
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        unversioned = await service.client.delete("/admin/app-registrations/routing", headers=headers)
        removed = await service.client.delete(
            "/admin/app-registrations/routing", headers=headers | {"If-Match": listed.headers["ETag"]}
        )
        gone = await service.ask("/admin/app-registrations/routing")

    assert empty.json() == {"items": [], "next": None}
    assert entered.json() == listed.json()["items"][0]
    assert entered.json() == {
        "name": "routing",
        "used_by": "routing",
        "application_id": CLIENT,
        "environment": None,
        "credentials": [
            {
                "label": label,
                "kind": "secret",
                "source": "entered",
                "key_id": None,
                "starts_at": None,
                "expires_at": expires,
                "in_use": None,
                "days_left": days,
            }
            for label, expires, days in (("old", "2030-01-06T12:00:00Z", 5), ("new", "2031-12-02T12:00:00Z", 700))
        ],
        "graph": {
            "state": "not-configured",
            "read_at": None,
            "name": None,
            "reason": "Microsoft Graph is not asked",
            "remedy": "set SMARTROUTING_GRAPH__URL, or enter the days by hand",
        },
    }
    assert [(each["key"], each["detail"]["message"]) for each in alerts] == [
        (
            "app_registration_expiring:routing/old:7",
            'The secret "old" of the app registration routing expires on 2030-01-06, in 7 days or less: renew it.',
        )
    ]
    assert [each["reason"] for each in readiness if each["id"] == "secrets"] == [
        "expires soon or has expired: routing/old (5 days left)"
    ]
    assert [(each["who"], each["what"]) for each in audit] == [("anna", "app_registrations.changed")]
    assert float(metric.rpartition(" ")[2]) == START.timestamp() + 5 * DAY
    assert [unversioned.status_code, removed.status_code, gone.status_code] == [428, 204, 404]


async def test_wrong_registrations_are_refused(tmp_path: Path) -> None:
    """Two credentials of one label, a secret itself and a stale version are refused; nothing is kept."""
    async with open_service(tmp_path, clock=START.timestamp) as service:
        twice = make_registration(old=5)
        twice["credentials"] *= 2
        secret = make_registration(old=5)
        secret["credentials"][0]["value"] = "the-secret-itself"
        answers = [
            await put(service, "routing", twice),
            await put(service, "routing", secret),
            await put(service, "Routing", make_registration(old=5)),
            await put(service, "routing", make_registration(old=5), **{"If-Match": '"7"'}),
        ]
        listed = (await service.ask("/admin/app-registrations")).json()

    assert [answer.status_code for answer in answers] == [422, 422, 422, 412]
    assert "the-secret-itself" not in answers[1].text
    assert listed == {"items": [], "next": None}


class Receiver:
    """Takes alerts, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.taken: list[tuple[str, str]] = []
        self.ids: set[str] = set()

    async def take(self, request: Request) -> Response:
        """Keep what was told."""
        if self.away:
            return Response(status_code=503)
        message = json.loads(await request.body())
        self.taken.append((message["type"].removeprefix("alert."), message["data"]["key"].partition(":")[2]))
        self.ids.add(request.headers["webhook-id"])
        return Response(status_code=204)


class World:
    """What watches registrations and tells of them, started anew as often as the test wants, by a clock of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.now = START.timestamp()
        receivers = {"ops": {"kind": "webhook", "url": url}}
        alerts = {"receivers": receivers, "receiver_secrets": {"ops": SECRET}}
        self._settings = make_settings(folder, alerts=alerts)
        self._folder = folder

    def read_clock(self) -> float:
        """Return the time it is."""
        return self.now

    @asynccontextmanager
    async def run(self) -> AsyncIterator["Running"]:
        """Start on the database that is there."""
        url = f"sqlite:///{self._folder}/test.db"
        lay_database(url)
        database = open_database(url)
        store = AlertStore(database=database)
        registrations = AppRegistrations(
            documents=SettingsDocumentStore(database=database),
            readings=ReadingStore(database=database),
            clock=self.read_clock,
        )
        hooks = HookSender(policy=AddressPolicy((ip_network("127.0.0.0/8"),)), clock=self.read_clock)
        deliveries = AlertDeliveries(
            alerts=store,
            store=DeliveryStore(database=database),
            teller=ReceiverTeller(hooks=hooks),
            read_settings=lambda: self._settings,
            lead=say_yes,
            clock=self.read_clock,
        )
        monitor = AlertMonitor(
            rules=[AlertRule("app_registration_expiring", registrations.find_expiring, shared=True)],
            alerts=store,
            check_store=say_yes,
            lead=say_yes,
            instance="one",
            send=lambda _message: None,
            send_unstored=deliveries.send_unstored,
            clock=self.read_clock,
        )
        yield Running(registrations, monitor, deliveries)
        await deliveries.aclose()
        await hooks.aclose()
        await database.close()


class Running:
    """One life of the process."""

    def __init__(self, registrations: AppRegistrations, monitor: AlertMonitor, deliveries: AlertDeliveries) -> None:
        self._registrations = registrations
        self._monitor = monitor
        self._deliveries = deliveries

    async def enter(self, name: str, **expiries: int) -> None:
        """Enter a registration."""
        registration = AppRegistration.model_validate(make_registration(**expiries))
        await self._registrations.put(name, registration, version=None, who="anna")

    async def look(self) -> None:
        """Do what is done every few seconds."""
        await self._monitor.evaluate()
        await self._deliveries.run_once()


async def say_yes() -> bool:
    """Lead, and find the store usable."""
    return True


def expect(credential: str, end: int, *, removed: int | None = None) -> dict[int, list[tuple[str, str]]]:
    """Return by day what is told of a secret that expires on one day and was removed on another.

    A warning is over when the next one has been open for a minute: here, when it is looked for the next day.
    """
    warnings = [(end - left, str(left)) for left in (90, 60, 30, 14, 7, 3, 1)] + [(end, "expired")]
    told: dict[int, list[tuple[str, str]]] = {}
    before = None
    for day, name in [each for each in warnings if removed is None or each[0] < removed]:
        told.setdefault(day, []).append(("opened", f"{credential}:{name}"))
        if before is not None:
            told.setdefault(day + 1, []).append(("cleared", f"{credential}:{before}"))
        before = name
    if removed is not None:
        told.setdefault(removed, []).append(("cleared", f"{credential}:{before}"))
    return told


AWAY = range(392, 399)
"""Days on which the receiver takes nothing."""
CHANGES = (0, 690, 705)
"""Days on which registrations are entered."""
QUIET_STEP = 20


def is_looked_at(day: int) -> bool:
    """Tell whether to look on a day: where something is due or has just been, and on some of those between.

    Nothing happens but by looking, so what would be told on a quiet day is told when it is looked for next.
    """
    ends = (400, 730, 1420)
    due = {end - left + later for end in ends for left in (90, 60, 30, 14, 7, 3, 1, 0) for later in (-1, 0, 1)}
    near = {change + later for change in CHANGES for later in (-1, 0, 1)}
    return day in due | near | set(AWAY) or day % QUIET_STEP == 0


async def test_800_days(tmp_path: Path) -> None:
    """Each warning is told once and in order, over restarts and while the receiver is away for a week."""
    receiver = Receiver()
    by_day: dict[int, list[tuple[str, str]]] = {}
    with serve_app(Starlette(routes=[Route("/", receiver.take, methods=["POST"])]), lifespan="off") as (url, _):
        world = World(tmp_path, url)
        for life in range(20):
            async with world.run() as running:
                for day in filter(is_looked_at, range(life * 41, life * 41 + 41)):
                    receiver.away = day in AWAY
                    if day == 0:
                        await running.enter("routing", first=730)
                        await running.enter("enreach-production", forgotten=400)
                    if day == 690:
                        await running.enter("routing", first=730, second=1420)
                    if day == 705:
                        await running.enter("routing", second=1420)
                    for seconds in (-30, 0):
                        world.now = START.timestamp() + day * DAY + seconds
                        await running.look()
                    if receiver.taken:
                        by_day[day], receiver.taken = receiver.taken, []

    forgotten = expect("enreach-production/forgotten", 400)
    missed = [told for day in sorted(forgotten) if day in AWAY for told in forgotten.pop(day)]
    # What it missed comes first, and at the end of day 399 what the clock then says.
    assert by_day == expect("routing/first", 730, removed=705) | forgotten | {399: [*missed, *forgotten[399]]}
    assert len(receiver.ids) == sum(map(len, by_day.values()))
