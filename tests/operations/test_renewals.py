"""Renewals of secrets: a checklist that is closed by proof only, and what must be told to nobody."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, CLIENT_SECRET, TENANT_ID, create_dataverse_emulator
from app.emulators.graph import GraphEmulator
from tests.operations.test_graph_readings import ROUTING, START, TOKEN, list_alerts, send
from tests.operations.test_receivers import Mailbox, mailbox  # noqa: F401 - a fixture
from tests.support.service import PROGRAM_KEY, open_service, wait_for

ENREACH = ROUTING | {"used_by": "enreach-back-end"}


@pytest.fixture
def graph() -> GraphEmulator:
    """A tenant with the app registration of this service."""
    return GraphEmulator(clock=lambda: START, static_tokens=[TOKEN])


def open_it(folder: Path, graph: GraphEmulator, *, reads: bool = True, **groups: Any) -> Any:
    """Open a service that asks that tenant for tokens, and reads its app registrations."""
    upstreams = Upstreams(
        dataverse=httpx.ASGITransport(create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID})),
        graph=httpx.ASGITransport(graph),
        authority=httpx.ASGITransport(graph),
        clock=START.timestamp,
    )
    own = {"tenant_id": TENANT_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    way = {"url": "http://127.0.0.1", "token": TOKEN} if reads else {}
    return open_service(folder, upstreams=upstreams, dataverse=own, graph=way, **groups)


def read_files(folder: Path) -> str:
    """Read the database and whatever else is kept."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file()).decode("latin-1")


def list_states(answer: httpx.Response) -> list[tuple[str, str]]:
    """List the steps with their states."""
    return [(step["id"], step["state"]) for step in answer.json()["steps"]]


async def test_renewal_is_closed_by_proof_of_every_step(tmp_path: Path, graph: GraphEmulator) -> None:
    """The new secret is seen, sent, in use in each environment, good for a token, and the old one gone; not before."""
    async with open_it(tmp_path, graph) as service:
        await send(service, "PUT", "routing", ENREACH)
        await send(service, "POST", "routing/read")
        begun = await send(service, "PUT", "routing/renewal", {"replaces": "production"})
        early = [
            await send(service, "POST", "routing/renewal/sent", {}),
            await send(service, "POST", "routing/renewal/updated", {"environment": "production"}),
            await send(service, "POST", "routing/renewal/token", {"secret": CLIENT_SECRET}),
        ]
        new = graph.add_secret(CLIENT_ID, "production 2032", START + timedelta(days=730))
        await send(service, "POST", "routing/read")
        wrong = [
            await send(service, "POST", "routing/renewal/sent", {"on": "2030-01-02"}),
            await send(service, "POST", "routing/renewal/updated", {"environment": "production"}),
            await send(service, "POST", "routing/renewal/token", {"secret": CLIENT_SECRET}),
            await send(service, "POST", "routing/renewal/token", {}),
            await send(service, "POST", "routing/renewal/token", {"secret": "no-secret-at-all"}),
        ]
        await send(service, "POST", "routing/renewal/sent", {"on": "2029-12-30"})
        elsewhere = await send(service, "POST", "routing/renewal/updated", {"environment": "test"})
        await send(service, "POST", "routing/renewal/updated", {"environment": "production"})
        proven = await send(service, "POST", "routing/renewal/token", {"secret": new})
        graph.remove_secret(CLIENT_ID, "production")
        await send(service, "POST", "routing/read")
        closed = await service.ask("/admin/app-registrations/routing/renewal", key=PROGRAM_KEY)
        again = await send(service, "PUT", "routing/renewal", {"replaces": "production 2032"})
        audit = (await service.ask("/admin/audit", target="app-registrations")).json()["items"]

    ids = ["created", "sent", "back-end-updated", "token", "old-removed"]
    assert list_states(begun) == [(each, "open") for each in ids]
    assert [answer.status_code for answer in early] == [409, 409, 409]
    assert [answer.status_code for answer in wrong] == [422, 409, 409, 409, 502]
    assert wrong[2].json()["detail"] == (
        'A token was obtained, but with "production": the new secret is "production 2032".'
    )
    assert "AADSTS7000215" in wrong[4].json()["detail"]
    assert elsewhere.status_code == 422
    assert [state for _, state in list_states(proven)] == ["done", "done", "done", "done", "open"]
    assert proven.json()["closed"] is False
    assert closed.json() == {
        "name": "routing",
        "replaces": "production",
        "expires_at": "2031-06-15T12:00:00Z",
        "begun_on": "2030-01-01",
        "closed": True,
        "steps": [
            {
                "id": step,
                "environment": environment,
                "state": "done",
                "detail": detail,
                "who": who,
            }
            for step, environment, detail, who in (
                ("created", None, '"production 2032" ends on 2032-01-01; seen in Entra ID', None),
                ("sent", None, "sent on 2029-12-30", "anna"),
                ("back-end-updated", "production", "updated on 2030-01-01", "anna"),
                ("token", None, 'obtained with "production 2032" at 2030-01-01T12:00:00+00:00', "anna"),
                ("old-removed", None, '"production" is gone', None),
            )
        ],
    }
    assert again.status_code == 200
    assert {each["what"] for each in audit} == {"app_registrations.changed"}


async def test_renewal_without_graph_and_without_enreach(tmp_path: Path, graph: GraphEmulator) -> None:
    """What is entered by hand is proof too, and what only this service uses is not sent to anybody."""
    old = {"label": "old", "expires_at": "2030-01-10T00:00:00Z"}
    new = {"label": "new", "expires_at": "2032-01-10T00:00:00Z"}
    async with open_it(tmp_path, graph, reads=False) as service:
        await send(service, "PUT", "routing", ROUTING | {"credentials": [old]})
        unknown = await send(service, "PUT", "routing/renewal", {"replaces": "older"})
        missing = await service.ask("/admin/app-registrations/routing/renewal")
        begun = await send(service, "PUT", "routing/renewal", {"replaces": "old"})
        await send(service, "PUT", "routing", ROUTING | {"credentials": [old, new]})
        own = await send(service, "POST", "routing/renewal/token", {})
        sent = await send(service, "POST", "routing/renewal/sent", {})
        await send(service, "POST", "routing/renewal/token", {"secret": CLIENT_SECRET})
        twice = await send(service, "PUT", "routing/renewal", {"replaces": "new"})
        await send(service, "PUT", "routing", ROUTING | {"credentials": [new]})
        closed = await service.ask("/admin/app-registrations/routing/renewal")
        headers = {"If-Match": closed.headers["ETag"]}
        gone = await send(service, "DELETE", "routing/renewal", **headers)
        after = await service.ask("/admin/app-registrations/routing/renewal")

    assert [answer.status_code for answer in (unknown, missing, own, sent, twice)] == [422, 404, 409, 409, 409]
    assert begun.headers["ETag"] == '"2"'
    assert list_states(closed) == [
        ("created", "done"),
        ("sent", "not-needed"),
        ("back-end-updated", "not-needed"),
        ("token", "done"),
        ("old-removed", "done"),
    ]
    assert (closed.json()["closed"], gone.status_code, after.status_code) == (True, 204, 404)


async def test_own_secret_is_proven_by_its_beginning(tmp_path: Path, graph: GraphEmulator) -> None:
    """After a restart with the new secret nothing need be sent here: Graph tells that it is the new one."""
    earlier = {"label": "earlier", "expires_at": "2030-02-01T00:00:00Z"}
    async with open_it(tmp_path, graph) as service:
        await send(service, "PUT", "routing", ROUTING | {"credentials": [earlier]})
        await send(service, "POST", "routing/read")
        await send(service, "PUT", "routing/renewal", {"replaces": "earlier"})
        graph.applications[CLIENT_ID]["keyCredentials"] = []
        await send(service, "POST", "routing/read")
        proven = await send(service, "POST", "routing/renewal/token", {})

    assert [step["state"] for step in proven.json()["steps"] if step["id"] == "token"] == ["done"]


async def test_no_secret_hint_or_token_is_told(
    tmp_path: Path,
    graph: GraphEmulator,
    mailbox: tuple[Mailbox, int],  # noqa: F811 - the fixture is imported
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in an answer, a refusal, a log line, an alert, an e-mail, the metrics, the audit or the database."""
    box, port = mailbox
    application = graph.applications[CLIENT_ID]
    hint = "Q~#"
    application["passwordCredentials"][0]["hint"] = hint
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "smtp_from": "voice@example.com"}
    alerts = {**smtp, "receivers": {"ops": {"kind": "email", "to": ["ops@example.com"]}}}
    async with open_it(tmp_path, graph, alerts=alerts) as service:
        await send(service, "PUT", "routing", ENREACH)
        await send(service, "POST", "routing/read")
        new = graph.add_secret(CLIENT_ID, "new", START + timedelta(days=731))
        application["passwordCredentials"][1]["hint"] = hint
        graph.add_secret(CLIENT_ID, "nearly over", START + timedelta(days=5))
        answers = [
            await send(service, "POST", "routing/read"),
            await send(service, "PUT", "routing/renewal", {"replaces": "production"}),
            await send(service, "POST", "routing/renewal/token", {"secret": new}),
            await send(service, "POST", "routing/renewal/token", {"secret": new, "odd": new}),
            await send(service, "POST", "routing/renewal/token", {"secret": {"value": new}}),
            await send(service, "POST", "routing/renewal/token", {"secret": f"{new}{'x' * 300}"}),
            await send(service, "POST", "routing/renewal/token", {"secret": new[:-1]}),
            await service.ask("/admin/app-registrations"),
            await service.ask("/admin/audit"),
            await service.ask("/admin/readiness"),
        ]
        await list_alerts(service, 1)
        answers.append(await service.ask("/admin/alerts"))
        mails = await wait_for(box.read)
        metrics = await service.read_metrics()

    told = capfd.readouterr()
    shown = [*(answer.text for answer in answers), metrics, *map(str, mails)]
    told_of = [*shown, told.out, told.err, read_files(tmp_path)]
    hidden = [new, new[:-1], CLIENT_SECRET, TOKEN, hint, json.dumps(hint)]
    assert [secret for secret in hidden if any(secret in text for text in told_of)] == []
    assert "production" in answers[0].text
    assert "nearly over" in str(mails[0])
