"""Go-live readiness and the hand-off, as an integrator meets them the day before the first call."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from dirty_equals import IsDatetime, IsPartialDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typing_extensions import override

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from app.emulators.dataverse.application import read_utc_clock
from app.emulators.enreach import create_enreach_emulator
from bench.world import serve_app
from tests.support.samples import make_tables
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, WEBHOOK_KEY, Service, open_service

URL = "https://voice.example.com/smartrouting"
QUEUE = "1a89fc22-517a-e611-80c9-00505689257e"
"""A queue that the emulated Enreach knows."""
SECOND_KEY = "another-webhook-key-for-tests"
NETWORKS = ["80.88.186.0/23", "127.0.0.0/8"]
ENREACH = {"url": "http://127.0.0.1", "user": "voice.api@contoso.example", "secret": "demo-enreach-secret"}
CHAT = {
    "receivers": {"desk": {"kind": "slack"}},
    "receiver_secrets": {"desk": "https://127.0.0.1:9/secret-of-the-chat"},
}
RULES = {
    "destinations": {"vip-queue": {"kind": "queue", "id": QUEUE}},
    "rules": [
        {
            "id": "vip",
            "when": {
                "all": [
                    {"fact": "call.target_id", "op": "is", "value": "SALES_QUEUE"},
                    {"fact": "caller.vip", "op": "is", "value": True},
                ]
            },
            "then": {"redirect": "vip-queue"},
        }
    ],
}
HANDOFF: dict[str, Any] = {
    "public_url": URL,
    "queues": [{"name": "Sales", "target_id": "SALES_QUEUE", "queue_id": QUEUE}],
    "contacts": [{"name": "Aino <Integrator>", "email": "aino@partner.example"}],
    "test_numbers": ["+447700900123"],
    "agreed_date": "2030-01-15",
}
DRILLS = ("down", "slow", "throttled", "circuit_open", "not_configured", "ambiguous", "unknown")


class PublicName(httpx.AsyncBaseTransport):
    """The way to the public URL: a TLS connection whose certificate ends after so many days, to the webhook."""

    def __init__(self, days: float = 90.0) -> None:
        self._ends = time.gmtime(time.time() + days * 86_400 + 60)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(405, extensions={"network_stream": self})

    def get_extra_info(self, _name: str) -> "PublicName":
        """Give the TLS connection."""
        return self

    def getpeercert(self) -> dict[str, str]:
        """Give what Python's ssl gives of a certificate."""
        return {"notAfter": time.strftime("%b %d %H:%M:%S %Y GMT", self._ends)}


class Denied(httpx.AsyncBaseTransport):
    """The way to an organisation that lets the application user read no contacts."""

    def __init__(self, network: httpx.AsyncBaseTransport) -> None:
        self._network = network

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/contacts"):
            return httpx.Response(403, json={"error": {"code": "0x80040220", "message": "prvReadContact is missing"}})
        return await self._network.handle_async_request(request)


async def take(_request: Request) -> Response:
    """Take an alert."""
    return Response(status_code=204)


async def send(service: Service, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
    """Send something as an administrator."""
    sent = {"Authorization": f"Bearer {ADMIN_KEY}", **headers}
    return await service.client.request(method, path, json=body, headers=sent)


async def ask(service: Service) -> dict[str, str]:
    """Return the state of each item."""
    answer = (await service.ask("/admin/readiness")).json()
    states = {item["id"]: item["state"] for item in answer["items"]}
    assert answer["ready"] == (set(states.values()) <= {"ok", "not-needed"})
    return states


def make_upstreams(*, denied: bool = False, ahead: float = 0.0) -> Upstreams:
    """Make an organisation and an Enreach, and the public name."""
    dataverse = create_dataverse_emulator(data=make_tables(None), static_tokens={"token-of-the-emulator": CLIENT_ID})
    dataverse.clock.ahead_seconds = ahead
    network: httpx.AsyncBaseTransport = httpx.ASGITransport(dataverse)
    return Upstreams(
        dataverse=Denied(network) if denied else network,
        enreach=httpx.ASGITransport(create_enreach_emulator(clock=read_utc_clock)),
        public=PublicName(),
    )


async def test_what_each_remedy_says_makes_it_green(tmp_path: Path) -> None:
    """A deployment that is set up right lacks only what is done here, and is ready after it was done."""
    webhook = {"api_keys": {"queue": WEBHOOK_KEY, "next": SECOND_KEY}, "allowed_networks": NETWORKS, "deadline_ms": 500}
    secret = "whsec_bm90LWEtcmVhbC1zZWNyZXQtb2YtYW55Ym9keQ=="
    with serve_app(Starlette(routes=[Route("/", take, methods=["POST"])]), lifespan="off") as (hook, _):
        async with open_service(
            tmp_path,
            rules=RULES,
            upstreams=make_upstreams(),
            webhook=webhook,
            enreach=ENREACH,
            alerts={"receivers": {"desk": {"kind": "webhook", "url": hook}}, "receiver_secrets": {"desk": secret}},
            plugins={"allowed_networks": ["127.0.0.0/8"]},
        ) as service:
            before = await ask(service)
            await send(service, "PUT", "/admin/handoff", HANDOFF)
            for kind in DRILLS:
                held = await send(service, "POST", "/admin/drills", {"pretend": kind, "call": {"anum": None}})
                assert held.status_code == 200, held.text
            await service.list_decisions(len(DRILLS), drill=True)
            tested = await send(service, "POST", "/admin/alerts/receivers/desk/test")
            after = await ask(service)

    assert tested.json()["delivered"] is True, tested.text
    assert {name for name, state in before.items() if state == "wrong"} == {"public-url", "fire-drill", "alerts"}
    assert {name for name, state in after.items() if state not in {"ok", "not-needed"}} == set()


PLANTED = {
    "public-url": "not https on port 443",
    "webhook-keys": "only one credential",
    "networks": "80.88.186.0/24, 80.88.187.0/24",
    "deadline": "4900 ms",
    "ruleset": "not published: next",
    "destinations": "the queue Sales of the hand-off",
    "clock": "s away from that of Dataverse",
    "secrets": "routing/old (5 days left)",
    "alerts": "has not taken an alert: desk",
    "dataverse-privileges": "read contact",
}
"""The ten mistakes by the item that names each, and what its reason says."""


async def test_planted_mistakes_are_named_and_nothing_else(tmp_path: Path) -> None:
    """Each of the ten has its item, a reason that names it and a remedy; nothing else is, and nothing says a secret."""
    webhook = {"deadline_ms": 4900, "allowed_networks": ["10.0.0.0/8"]}
    async with open_service(
        tmp_path,
        rules=RULES,
        upstreams=make_upstreams(denied=True, ahead=600.0),
        webhook=webhook,
        enreach=ENREACH,
        alerts=CHAT,
        plugins={"allowed_networks": ["127.0.0.0/8"]},
    ) as service:
        queue = {**HANDOFF["queues"][0], "queue_id": "00000000-0000-4000-8000-000000000000"}
        planted = {**HANDOFF, "public_url": "http://voice.example.com/smartrouting", "queues": [queue]}
        await send(service, "PUT", "/admin/handoff", planted)
        made = await send(service, "POST", "/admin/rulesets/drafts", {"name": "next"})
        assert made.status_code == 201, made.text
        expires = datetime.now(UTC) + timedelta(days=5, hours=1)
        secret = {"label": "old", "expires_at": expires.isoformat()}
        registration = {"used_by": "routing", "application_id": CLIENT_ID, "credentials": [secret]}
        entered = await send(service, "PUT", "/admin/app-registrations/routing", registration)
        assert entered.status_code == 200, entered.text
        dead = await send(service, "POST", "/admin/alerts/receivers/desk/test")
        assert dead.json()["delivered"] is False, dead.text
        for kind in DRILLS:
            await send(service, "POST", "/admin/drills", {"pretend": kind, "call": {"anum": None}})
        await service.list_decisions(len(DRILLS), drill=True)
        answer = await service.ask("/admin/readiness")

    wrong = [item for item in answer.json()["items"] if item["state"] not in {"ok", "not-needed"}]
    assert [(item["id"], item["state"]) for item in wrong] == [(name, "wrong") for name in PLANTED]
    assert {item["id"] for item in wrong if PLANTED[item["id"]] not in item["reason"] or not item["remedy"]} == set()
    assert [item["looked_at"] for item in wrong] == [IsDatetime(iso_string=True)] * len(PLANTED)
    assert not any(secret in answer.text for secret in (WEBHOOK_KEY, "secret-of-the-chat", "token-of"))


async def test_handoff_is_json_markdown_and_a_page(tmp_path: Path) -> None:
    """All three say what a set-up of queues needs; what somebody typed is no markup, and the key is not in them."""
    async with open_service(tmp_path) as service:
        empty = (await service.ask("/admin/handoff")).json()
        put = await send(service, "PUT", "/admin/handoff", HANDOFF)
        stale = await send(service, "PUT", "/admin/handoff", HANDOFF, **{"If-Match": '"unset"'})
        shown = await service.ask("/admin/handoff")
        markdown = await send(service, "GET", "/admin/handoff", Accept="text/markdown")
        page = await send(service, "GET", "/admin/handoff", Accept="text/html,*/*;q=0.8")

    needed = ["public_url", "queues", "contacts", "test_numbers", "agreed_date"]
    assert (empty["complete"], empty["missing"]) == (False, needed)
    assert (put.status_code, stale.status_code, shown.headers["etag"]) == (200, 412, put.headers["etag"])
    assert shown.json() == put.json() == IsPartialDict(complete=True, missing=[], public_url=URL)
    assert shown.json()["webhook"] == IsPartialDict(method="POST", url=URL, no_change_status=204)
    assert len(shown.json()["questions"]) == 8
    for text in (markdown.text, page.text):
        assert all(word in text for word in ("Sales", "+447700900123", "2030-01-15", URL)), text
        assert "(missing)" not in text
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert "SALES\\_QUEUE" in markdown.text
    assert "Aino &lt;Integrator&gt;" in page.text
    assert not any(WEBHOOK_KEY in text for text in (shown.text, markdown.text, page.text))


async def test_key_is_shown_once_and_that_is_in_the_audit(tmp_path: Path) -> None:
    """Whoever asks again is refused; the audit names who was shown it, and not the key."""
    async with open_service(tmp_path) as service:
        body = {"label": "queue"}
        first = await send(service, "POST", "/admin/handoff/key", body)
        again = await send(service, "POST", "/admin/handoff/key", body)
        unknown = await send(service, "POST", "/admin/handoff/key", {"label": "nobody"})
        program = await service.client.post(
            "/admin/handoff/key", json=body, headers={"Authorization": f"Bearer {PROGRAM_KEY}"}
        )
        audit = await service.ask("/admin/audit", what="handoff.key_shown")

    assert (first.status_code, first.json()) == (200, {"label": "queue", "key": WEBHOOK_KEY})
    assert first.headers["cache-control"] == "no-store"
    assert (again.status_code, unknown.status_code, program.status_code) == (409, 404, 403)
    assert [(item["who"], item["after"]) for item in audit.json()["items"]] == [("anna", {"labels": ["queue"]})]
    assert WEBHOOK_KEY not in audit.text
