"""Nothing personal in logs, metrics and error bodies, whatever goes wrong."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator, read_tables
from app.emulators.faults import Fault
from bench.faults import FAULTS
from bench.world import serve_app
from tests.support.process import clean_environment

NAME = "Zyxomma Quizzically"
NUMBER = "+358509871234"
CALL_ID = "+358509871234-call"
KEY = "privacy-webhook-key-5f3e"
ADMIN = "privacy-admin-key-77ab"
TOKEN = "privacy-crm-token-91cd"
MARKS = (b"Zyxomma", b"Quizzically", b"509871234", b"50 987 1234", KEY.encode(), ADMIN.encode(), TOKEN.encode())
RULES = {
    "destinations": {"vip": {"kind": "queue", "id": "queue-of-vips"}},
    "rules": [{"id": "vip", "when": {"fact": "caller.name", "op": "exists"}, "then": {"redirect": "vip"}}],
}


def make_emulator() -> DataverseEmulator:
    """Make an organisation that knows one marked person."""
    contact = {
        "contactid": "a0000000-0000-0000-0000-000000000001",
        "fullname": NAME,
        "mobilephone": "050 987 1234",
        "modifiedon": "2026-01-01T00:00:00Z",
    }
    return create_dataverse_emulator(data=read_tables({"contacts": [contact]}), static_tokens={TOKEN: CLIENT_ID})


@contextmanager
def run_service(folder: Path, crm: str) -> Iterator[str]:
    """Run the service as its own process, with its log in a file."""
    (folder / "rules.json").write_text(json.dumps(RULES), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = {
        "SMARTROUTING_PORT": str(port),
        "SMARTROUTING_LOG__LEVEL": "debug",
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": KEY}),
        "SMARTROUTING_WEBHOOK__DEADLINE_MS": "250",
        "SMARTROUTING_CACHE__FRESH_SECONDS": "0",
        "SMARTROUTING_CACHE__STALE_SECONDS": "0",
        "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"anna": {"key": ADMIN, "role": "admin"}}),
        "SMARTROUTING_DATAVERSE__URL": crm,
        "SMARTROUTING_DATAVERSE__AUTH": "token",
        "SMARTROUTING_DATAVERSE__TOKEN": TOKEN,
        "SMARTROUTING_RULES__FILE": str(folder / "rules.json"),
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/service.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/journal",
    }
    environment = {**clean_environment(settings), "PYTHONPATH": os.getcwd()}  # noqa: PTH109 - where the tests run
    command = [sys.executable, "-m", "app.cli", "serve"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_until_ready(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def wait_until_ready(url: str) -> None:
    """Wait until the service answers."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            httpx.get(f"{url}/health/ready")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the service did not start")


def call_through_every_fault(client: httpx.Client, emulator: DataverseEmulator) -> list[int]:
    """Make a marked call while each fault is in force, one after the other, and one without."""
    statuses = []
    for case in FAULTS:
        if any(fault.get("at") == "token" for fault in case.faults):
            continue
        emulator.faults.replace([Fault(**fault) for fault in case.faults])
        statuses.append(post_call(client).status_code)
    emulator.faults.clear()
    return [*statuses, post_call(client).status_code]


def post_call(client: httpx.Client, **headers: str) -> httpx.Response:
    """Post the marked call."""
    extra = {"CallId": CALL_ID, "DYN_PAR_Name": NAME, "CurrQueueId": NUMBER}
    body = {"anum": NUMBER, "bnum": "+358912345678", "targetid": NUMBER, "extradata": extra}
    return client.post("/smartrouting", json=body, headers={"X-Benemen-APIKey": KEY, "X-Request-ID": NUMBER, **headers})


def provoke_errors(client: httpx.Client) -> list[httpx.Response]:
    """Make every kind of refusal, each with something personal in it."""
    admin = {"Authorization": f"Bearer {ADMIN}"}
    webhook = {"X-Benemen-APIKey": KEY}
    return [
        post_call(client, **{"X-Benemen-APIKey": f"{KEY}-wrong-{NUMBER}"}),
        client.post("/smartrouting", content=f'{{"anum": "{NUMBER}", {NAME}'.encode(), headers=webhook),
        client.post("/smartrouting", json=[NUMBER, NAME], headers=webhook),
        client.post("/smartrouting", json={"caller": NUMBER}, headers=webhook),
        client.post("/smartrouting", content=NUMBER.encode() * 10_000, headers=webhook),
        client.put(f"/smartrouting?{NUMBER}", headers=webhook),
        client.get(f"/admin/callers/{NUMBER}", headers=admin),
        client.get(f"/admin/decisions/{NUMBER}", headers=admin),
        client.get("/admin/decisions", params={"caller": f"{NUMBER} {NAME}"}, headers=admin),
        client.get("/admin/decisions", params={"limit": NUMBER}, headers=admin),
        client.get("/admin/decisions", headers={"Authorization": f"Bearer {ADMIN}{NUMBER}"}),
        client.post("/admin/erasures", json={"number": f"{NUMBER}x{NAME}"}, headers=admin),
        client.post("/admin/erasures", json={"number": [NUMBER, NAME]}, headers=admin),
        client.post("/admin/callers/purge", json={NUMBER: NAME}, headers=admin),
        client.post("/admin/drills", json={"call": {"x": NUMBER}, "pretend": NAME}, headers=admin),
        client.post("/admin/simulate", json={"call": {"caller": NUMBER}, "who": NAME}, headers=admin),
        client.post("/admin/simulate", json={"call": {"anum": NUMBER}, NAME: NUMBER}, headers=admin),
        client.post("/admin/simulate", json={"call": {}, "caller": {NAME: 1, "columns": {NAME: []}}}, headers=admin),
        client.post("/admin/rulesets/drafts", json={"name": "x", NUMBER: NAME}, headers=admin),
        client.get("/admin/audit", params={NAME: NUMBER}, headers=admin),
    ]


def test_nothing_personal_leaves_through_logs_metrics_or_errors(tmp_path: Path) -> None:
    """Marked numbers, names, keys and tokens are found nowhere, through every fault and every refusal."""
    emulator = make_emulator()
    with (
        serve_app(emulator, lifespan="off") as (crm, _),
        run_service(tmp_path, crm) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        statuses = call_through_every_fault(client, emulator)
        refusals = provoke_errors(client)
        drill = client.post(
            "/admin/drills",
            json={"call": {"anum": NUMBER, "extradata": {"DYN_PAR_Name": NAME}}, "pretend": "down"},
            headers={"Authorization": f"Bearer {ADMIN}"},
        )
        metrics = client.get("/metrics")
        listed = client.get("/admin/decisions", headers={"Authorization": f"Bearer {ADMIN}"})
    log = (tmp_path / "log").read_bytes()
    assert set(statuses) <= {200, 204}
    assert {answer.status_code for answer in refusals} <= {401, 403, 404, 405, 413, 422}
    assert drill.status_code == 200
    assert log.count(b"call.decided") > len(statuses)
    assert find_marks(log) == []
    assert find_marks(metrics.content) == []
    assert find_marks(drill.content) == []
    assert find_marks(listed.content) == []
    for answer in refusals:
        assert find_marks(answer.content) == [], answer.request.url.path
        assert find_marks(repr(answer.headers.raw).encode()) == []


def find_marks(text: bytes) -> list[bytes]:
    """List the lines that hold something personal."""
    return [line for line in text.splitlines() if any(mark in line for mark in MARKS)]
