"""What an integrator does from a desk before the first call: look at what is missing, and test the webhook."""

import json
from pathlib import Path

import httpx

from tests.support.console import Console

ADMIN, HOOK = "an-administrators-key", "a-key-of-the-webhook-1"
KEYS = {
    "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"anna": {"key": ADMIN, "role": "Voice Admin User"}}),
    "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": HOOK, "next": "a-key-of-the-webhook-2"}),
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
