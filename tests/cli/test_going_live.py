"""What an integrator does from a desk before the first call: look at what is missing, and test the webhook."""

import json
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.world import serve_app
from tests.support.console import Console

ADMIN, HOOK = "an-administrators-key", "a-key-of-the-webhook-1"
KEYS = {
    "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"anna": {"key": ADMIN, "role": "Voice Admin User"}}),
    "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": HOOK, "next": "a-key-of-the-webhook-2"}),
}
SECRET = "whsec_bm90LWEtcmVhbC1zZWNyZXQtb2YtYW55Ym9keQ=="
HANDOFF = {
    "queues": [{"name": "Sales", "target_id": "SALES_QUEUE", "queue_id": "1a89fc22-517a-e611-80c9-00505689257e"}],
    "contacts": [{"name": "Aino Integrator", "email": "aino@partner.example"}],
    "test_numbers": ["+447700900123"],
    "agreed_date": "2030-01-15",
}


def test_desk_sees_what_is_missing_and_that_the_webhook_answers(console: Console, tmp_path: Path) -> None:
    """In the demo only what nobody set is wrong, every request is answered as it should be, and no key is shown."""
    with console.serve_demo(tmp_path, **KEYS) as (url, _):
        webhook = f"{url}/smartrouting"
        headers = {"Authorization": f"Bearer {ADMIN}"}
        httpx.put(f"{url}/admin/handoff", json={"public_url": webhook}, headers=headers, timeout=60).raise_for_status()
        shown = console.run(tmp_path, "check", "--live", url, ADMIN_KEY=ADMIN)
        refused = console.run(tmp_path, "check", "--live", url, ADMIN_KEY="nobodys-key")
        tested = console.run(tmp_path, "contract-test", webhook, "--target", "SALES_QUEUE", WEBHOOK_KEY=HOOK)
        wrong = console.run(tmp_path, "contract-test", webhook, WEBHOOK_KEY="nobodys-key")
        plain = console.run(tmp_path, "contract-test", "http://voice.example.com/smartrouting", WEBHOOK_KEY=HOOK)

    states = {line.split()[1].rstrip(":"): line.split()[0] for line in shown.out.splitlines()}
    assert {name for name, state in states.items() if state not in {"ok", "not-needed"}} == {"fire-drill", "alerts"}
    assert (shown.status, refused.status, wrong.status, plain.status) == (1, 1, 1, 1)
    assert "HTTP 401" in refused.err
    assert "plain text" in plain.err
    assert tested.status == 0, tested.out
    assert tested.out.splitlines()[-1] == "15 requests, 0 of them not answered as the contract says"
    assert not any(key in text for key in (ADMIN, HOOK) for text in (shown.out, tested.out, wrong.out, plain.err))


def test_new_integrator_does_what_each_remedy_says_and_is_ready(console: Console, tmp_path: Path) -> None:
    """In the demo, started with one key more as the remedy says, what is left to do is done here; then all is green."""
    started = KEYS | {"SMARTROUTING_PLUGINS__ALLOWED_NETWORKS": '["127.0.0.0/8"]'}
    with (
        serve_app(Starlette(routes=[Route("/", take, methods=["POST"])]), lifespan="off") as (receiver, _),
        console.serve_demo(tmp_path, **started) as (url, _),
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=60) as admin,
    ):
        before = console.run(tmp_path, "check", "--live", url, ADMIN_KEY=ADMIN)
        handoff = admin.put("/admin/handoff", json=HANDOFF | {"public_url": f"{url}/smartrouting"}).json()
        for kind in ("down", "slow", "throttled", "circuit_open", "not_configured", "ambiguous", "unknown"):
            drill = {"pretend": kind, "call": {"anum": None}}
            admin.post("/admin/drills", json=drill).raise_for_status()
        receivers = {"receivers": {"desk": {"kind": "webhook", "url": receiver}}, "receiver_secrets": {"desk": SECRET}}
        admin.patch("/admin/settings/alerts", json=receivers, headers={"If-Match": '"0"'}).raise_for_status()
        tested = admin.post("/admin/alerts/receivers/desk/test").json()
        after = console.run(tmp_path, "check", "--live", url, ADMIN_KEY=ADMIN)
        contract = console.run(
            tmp_path, "contract-test", f"{url}/smartrouting", "--target", "SALES_QUEUE", WEBHOOK_KEY=HOOK
        )

    assert {line.split()[1] for line in before.out.splitlines() if line.startswith(("wrong", "unknown"))} == {
        "public-url:",
        "fire-drill:",
        "alerts:",
    }
    assert (handoff["complete"], handoff["missing"], tested["delivered"]) == (True, [], True)
    assert (after.status, {line.split()[0] for line in after.out.splitlines()}) == (0, {"ok", "not-needed"}), after.out
    assert contract.status == 0, contract.out


async def take(_request: Request) -> Response:
    """Take an alert."""
    return Response(status_code=204)
