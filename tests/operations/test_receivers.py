"""Who is told of alerts, as administrators set it and as receivers meet it."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from dirty_equals import IsDatetime, IsPartialDict, IsStr
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.settings.alerts import ALERT_KINDS
from bench.world import serve_app
from tests.support.service import ADMIN_KEY, UNHURRIED, VIP_RULES, WEBHOOK_KEY, Service, open_service, wait_for

SECRET = "whsec_bm90LWEtcmVhbC1zZWNyZXQtb2YtYW55Ym9keQ=="
LOOPBACK = {"allowed_networks": ["127.0.0.0/8"]}
RETIRING = {"api_keys": {"queue": WEBHOOK_KEY}, "retiring": {"queue": "2026-01-01"}}
"""A key that is in use although it should not be: an alert as soon as a call used it."""


class Hook:
    """Takes what is posted to it; its URL is `url`."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 204
        self.asked = 0
        self.taken: list[Any] = []
        self.headers: list[dict[str, str]] = []

    async def take(self, request: Request) -> Response:
        """Keep a message, unless it is to be refused."""
        self.asked += 1
        if self.status == 204:
            self.taken.append(json.loads(await request.body()))
            self.headers.append(dict(request.headers))
        return Response(status_code=self.status)

    async def read(self) -> list[Any] | None:
        """Return what was taken, if anything was."""
        return self.taken or None


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Listen on a free port."""
    hook = Hook()
    with serve_app(Starlette(routes=[Route("/", hook.take, methods=["POST"])]), lifespan="off") as (url, _):
        hook.url = url
        yield hook


class Mailbox:
    """A mail server that keeps what it takes and asks for a user."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.signed_in: list[bytes] = []
        self._lock = threading.Lock()

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd
        """Keep a mail."""
        mail = BytesParser(policy=default).parsebytes(envelope.original_content or b"")
        assert isinstance(mail, EmailMessage)
        with self._lock:
            self.mails.append(mail)
        return "250 OK"

    def sign_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """Take one password."""
        self.signed_in.append(data.login)
        return AuthResult(success=data.password == b"not-a-real-password", handled=False)

    async def read(self) -> list[EmailMessage] | None:
        """Return what was taken, if anything was."""
        return self.mails or None


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    """Listen on a free port."""
    mailbox = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=mailbox.sign_in,
        auth_require_tls=False,
    )
    controller.start()
    yield mailbox, port
    controller.stop()


async def change(service: Service, patch: dict[str, Any], *, group: str = "alerts") -> Any:
    """Change a group of settings, and return the answer."""
    path, headers = f"/admin/settings/{group}", {"Authorization": f"Bearer {ADMIN_KEY}"}
    shown = await service.client.get(path, headers=headers)
    return await service.client.patch(path, json=patch, headers=headers | {"If-Match": shown.headers["ETag"]})


async def test_receiver_of_the_settings_is_told_once(tmp_path: Path, hook: Hook) -> None:
    """A receiver that is added while an alert is open hears of it, signed, once, also after a restart."""
    receivers = {"ops": {"kind": "webhook", "url": hook.url, "alerts": ["credential_retiring"]}}
    async with open_service(tmp_path, webhook=RETIRING, plugins=LOOPBACK) as service:
        await service.call()
        assert (await change(service, {"receivers": receivers, "receiver_secrets": {"ops": SECRET}})).is_success
        (message,) = await wait_for(hook.read)

        async def read_state() -> dict[str, Any] | None:
            (state,) = (await service.ask("/admin/alerts/receivers")).json()["items"]
            return state if state["delivered_at"] is not None and not state["waiting"] else None

        state = await wait_for(read_state)
    async with open_service(tmp_path, webhook=RETIRING, plugins=LOOPBACK) as service:
        tested = await service.client.post(
            "/admin/alerts/receivers/ops/test", headers={"Authorization": f"Bearer {ADMIN_KEY}"}
        )

    Webhook(SECRET).verify(json.dumps(message, separators=(",", ":")), hook.headers[0])
    assert message == {
        "type": "alert.opened",
        "timestamp": IsStr,
        "data": IsPartialDict(kind="credential_retiring", key="credential_retiring:queue"),
    }
    assert state == {
        "name": "ops",
        "kind": "webhook",
        "since": IsDatetime(iso_string=True),
        "waiting": 0,
        "delivered_at": IsDatetime(iso_string=True),
        "failed_at": None,
        "error": None,
    }
    assert tested.json() == {"receiver": "ops", "delivered": True, "error": None}
    assert [each["type"] for each in hook.taken] == ["alert.opened", "alert.test"]


async def test_receiver_that_was_away_is_told_after_a_restart(tmp_path: Path, hook: Hook) -> None:
    """What a receiver did not take is kept in the database, and told as soon as it takes something."""
    hook.status = 503
    receivers = {"ops": {"kind": "webhook", "url": hook.url, "alerts": ["credential_retiring"]}}
    async with open_service(tmp_path, webhook=RETIRING, plugins=LOOPBACK) as service:
        await service.call()
        await change(service, {"receivers": receivers, "receiver_secrets": {"ops": SECRET}})

        async def read_failure() -> dict[str, Any] | None:
            (state,) = (await service.ask("/admin/alerts/receivers")).json()["items"]
            return state if state["error"] is not None else None

        state = await wait_for(read_failure)
    hook.status = 204
    async with open_service(tmp_path, webhook=RETIRING, plugins=LOOPBACK):
        (message,) = await wait_for(hook.read)

    assert (state["waiting"], state["error"]) == (1, "the receiver answered 503")
    assert message["data"]["kind"] == "credential_retiring"


async def test_mail_is_sent_to_who_wants_that_kind(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """E-mail goes to the addresses of the receivers that asked for the kind of alert, after a sign-in."""
    box, port = mailbox
    smtp = {
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "smtp_user": "smart-routing",
        "smtp_password": "not-a-real-password",
        "smtp_from": "smart-routing@example.com",
    }
    receivers = {
        "night-shift": {"kind": "email", "to": ["night@example.com"], "alerts": ["credential_retiring"]},
        "telephony": {"kind": "email", "to": ["phones@example.com"], "alerts": ["silence"]},
    }
    general = {"organisation": "Contoso", "time_zone": "Europe/Helsinki", "languages": ["fi"]}
    async with open_service(tmp_path, webhook=RETIRING) as service:
        await service.call()
        await change(service, general, group="general")
        answer = await change(service, {**smtp, "receivers": receivers})
        assert answer.json()["values"]["smtp_password"]["value"] == "**********"
        (mail,) = await wait_for(box.read)

        async def read_states() -> list[dict[str, Any]] | None:
            states: list[dict[str, Any]] = (await service.ask("/admin/alerts/receivers")).json()["items"]
            return states if states[0]["delivered_at"] is not None and not states[0]["waiting"] else None

        states = await wait_for(read_states)

    assert (mail["To"], mail["From"]) == ("night@example.com", "smart-routing@example.com")
    assert mail["Subject"] == "Contoso: hälytys: credential_retiring"
    assert "Tunnus: credential_retiring:queue" in mail.get_content()
    assert mail.get_content().rstrip().endswith(("EET", "EEST"))
    assert box.signed_in == [b"smart-routing"]
    assert [(state["name"], state["waiting"]) for state in states] == [("night-shift", 0), ("telephony", 0)]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("slack", {"text": "*Smart Routing: alert: test*\nWhat: This is a test; nothing is wrong.\nKey: test:chat"}),
        ("teams", IsPartialDict(type="message")),
    ],
)
async def test_chats_take_a_message_at_a_secret_url(tmp_path: Path, hook: Hook, kind: str, shown: object) -> None:
    """A chat gets its own form of message; its URL, which lets anybody write there, is shown to nobody."""
    async with open_service(tmp_path, plugins=LOOPBACK) as service:
        receivers = {"chat": {"kind": kind, "alerts": ["credential_retiring"]}}
        answer = await change(service, {"receivers": receivers, "receiver_secrets": {"chat": f"{hook.url}/?sig=1"}})
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        tested = await service.client.post("/admin/alerts/receivers/chat/test", headers=headers)
        exported = await service.ask("/admin/settings/export")
        audit = await service.ask("/admin/audit")

    assert tested.json() == {"receiver": "chat", "delivered": True, "error": None}
    assert hook.taken == [shown]
    assert answer.json()["values"]["receiver_secrets"]["value"] == {"chat": "**********"}
    assert all("sig=1" not in each.text for each in (answer, exported, audit))


@pytest.mark.parametrize(
    ("patch", "pointer", "message"),
    [
        ({"receivers": {"ops": {"kind": "webhook", "url": "https://example.com"}}}, "/receivers", "needs its secret"),
        ({"receivers": {"ops": {"kind": "email", "to": ["a@example.com"]}}}, "/receivers", "smtp_host"),
        ({"receivers": {"ops": {"kind": "pager"}}}, "/receivers/ops/kind", "email"),
        ({"receivers": {"ops": {"kind": "webhook", "url": "http://example.com"}}}, "/receivers/ops/url", "https://"),
        (
            {"receivers": {"ops": {"kind": "slack", "alerts": ["silnce"]}}},
            "/receivers/ops/alerts",
            "no alerts silnce",
        ),
        ({"journal_backlog": 1}, "/journal_backlog", "10"),
        ({"receivers": {"chat": {"kind": "teams"}}, "receiver_secrets": {"chat": "hello"}}, "/receivers", "https URL"),
    ],
)
async def test_wrong_receivers_are_refused(tmp_path: Path, patch: dict[str, Any], pointer: str, message: str) -> None:
    """What could not be told to anybody is refused at its place, and nothing is saved."""
    async with open_service(tmp_path) as service:
        answer = await change(service, patch)
        after = (await service.ask("/admin/settings/alerts")).json()

    assert answer.status_code == 422
    (error, *_) = answer.json()["errors"]
    assert (error["pointer"], message in error["detail"]) == (pointer, True), error
    assert (after["version"], after["values"]["receivers"]["value"]) == (0, {})


async def test_private_receivers_are_not_reached(tmp_path: Path, hook: Hook) -> None:
    """A receiver in a private network is reached only where its network is allowed."""
    async with open_service(tmp_path) as service:
        receivers = {"ops": {"kind": "webhook", "url": hook.url, "alerts": ["credential_retiring"]}}
        await change(service, {"receivers": receivers, "receiver_secrets": {"ops": SECRET}})
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        tested = (await service.client.post("/admin/alerts/receivers/ops/test", headers=headers)).json()
        missing = await service.client.post("/admin/alerts/receivers/nobody/test", headers=headers)

    assert (tested["delivered"], hook.asked, missing.status_code) == (False, 0, 404)
    assert "SMARTROUTING_PLUGINS__ALLOWED_NETWORKS" in tested["error"]


def test_every_kind_of_alert_can_be_chosen() -> None:
    """The kinds that settings know are those that operations describe."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    described = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `") and "alert" not in line[:3]}

    assert set(ALERT_KINDS) <= described


async def test_summary_of_the_week_comes_once(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    """On Monday morning of the organisation's zone: figures beside the week before, what to look at, and pictures."""
    box, port = mailbox
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "smtp_from": "voice@example.com"}
    receivers = {
        "leads": {"kind": "email", "to": ["leads@example.com"], "alerts": [], "digest": True},
        "ops": {"kind": "email", "to": ["ops@example.com"]},
    }
    withheld = {"fact": "caller.status", "op": "is", "value": "withheld"}
    idle = {"id": "night", "when": withheld, "then": {"no_change": True}}
    rules = {**VIP_RULES, "rules": [*VIP_RULES["rules"], idle]}
    webhook = {**UNHURRIED, "api_keys": {"queue": WEBHOOK_KEY}, "retiring": {"queue": "2026-10-12"}}
    now = datetime(2026, 9, 19, 9, tzinfo=UTC)  # a Saturday
    async with open_service(tmp_path, rules=rules, webhook=webhook, clock=now.timestamp) as service:
        for anum in ("+358501234567", "+358501234567", "+358409999999"):
            await service.call(anum)
        await service.list_decisions(3)
        await change(service, {"organisation": "Contoso", "time_zone": "Europe/Helsinki"}, group="general")
        assert (await change(service, {**smtp, "receivers": receivers})).is_success

    now = datetime(2026, 9, 21, 3, 30, tzinfo=UTC)  # half past six on Monday in Helsinki
    async with open_service(tmp_path, rules=rules, webhook=webhook, clock=now.timestamp) as service:

        async def read_state() -> dict[str, Any] | None:
            state, _ = (await service.ask("/admin/alerts/receivers")).json()["items"]
            return state if state["delivered_at"] is not None and not state["waiting"] else None

        await wait_for(read_state)
        (mail,) = box.mails
    async with open_service(tmp_path, rules=rules, webhook=webhook, clock=now.timestamp) as service:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        await service.client.post("/admin/alerts/receivers/leads/test", headers=headers)

    assert (mail["To"], mail["Subject"]) == ("leads@example.com", "Contoso: calls of 14 Sep to 20 Sep 2026")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().splitlines() == [
        "Calls: 3 (0 the week before)",
        "Redirected: 2 (0 the week before)",
        "Answered in time: 3 (0 the week before)",
        "Callers recognised: 2 (0 the week before)",
        "VIP callers: 2 (0 the week before)",
        "Callers unknown: 1 (0 the week before)",
        "Dataverse did not answer: 0 (0 the week before)",
        "Rules that never matched: night.",
        "The webhook key queue is to be removed by 12 Oct 2026.",
    ]
    assert "<h1>calls of 14 Sep to 20 Sep 2026</h1>" in html.get_content()
    assert [part.get_filename() for part in mail.iter_attachments()] == ["calls.svg", "recognition.svg"]
    assert [each["Subject"] for each in box.mails[1:]] == ["Contoso: alert: test"]
