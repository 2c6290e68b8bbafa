"""Nothing personal in logs, metrics and error bodies, whatever goes wrong."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from app.emulators.dataverse import CLIENT_ID, TENANT_ID, DataverseEmulator, create_dataverse_emulator, read_tables
from app.emulators.faults import Fault
from bench.faults import FAULTS
from bench.world import open_world, serve_app
from tests.support.process import clean_environment

NAME = "Zyxomma Quizzically"
NUMBER = "+358509871234"
CALL_ID = "+358509871234-call"
DIGITS = NUMBER.removeprefix("+")
KEY = "privacy-webhook-key-5f3e"
ADMIN = "privacy-admin-key-77ab"
TOKEN = "privacy-crm-token-91cd"
SECRET = "privacy-client-secret-3b7e"
SECRETS = (KEY.encode(), ADMIN.encode(), TOKEN.encode(), SECRET.encode())
MARKS = (b"Zyxomma", b"Quizzically", b"509871234", b"50 987 1234", *SECRETS)
DISGUISES = (
    {"X-Request-ID": f"req{DIGITS}"},
    {"X-Request-ID": f"{DIGITS}th"},
    {"traceparent": f"00-{DIGITS:0>32}-b7ad6b7169203331-01"},
    {"traceparent": f"00-0af7651916cd43dd8448eb211c80319c-{DIGITS:0>16}-01"},
)
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
def run_service(folder: Path, crm: str, **changes: str) -> Iterator[str]:
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
        "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"anna": {"key": ADMIN, "role": "Voice Admin User"}}),
        "SMARTROUTING_DATAVERSE__URL": crm,
        "SMARTROUTING_DATAVERSE__AUTH": "token",
        "SMARTROUTING_DATAVERSE__TOKEN": TOKEN,
        "SMARTROUTING_RULES__FILE": str(folder / "rules.json"),
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/service.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/journal",
        **changes,
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
            process.wait(60)


def wait_until_ready(url: str) -> None:
    """Wait until the service answers."""
    ends = time.monotonic() + 120
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
    return [*statuses, post_call(client).status_code, *(post_disguised(client, **names) for names in DISGUISES)]


def post_call(client: httpx.Client, **headers: str) -> httpx.Response:
    """Post the marked call."""
    extra = {"CallId": CALL_ID, "DYN_PAR_Name": NAME, "CurrQueueId": NUMBER}
    body = {"anum": NUMBER, "bnum": "+358912345678", "targetid": NUMBER, "extradata": extra}
    return client.post("/smartrouting", json=body, headers={"X-Benemen-APIKey": KEY, "X-Request-ID": NUMBER, **headers})


def call_through_failures_at_home(client: httpx.Client, folder: Path) -> list[int]:
    """Make marked calls while the database is locked, and while the journal cannot be written."""
    admin = {"Authorization": f"Bearer {ADMIN}"}
    with closing(sqlite3.connect(folder / "service.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        statuses = [post_call(client).status_code]
        connection.execute("ROLLBACK")
    # An erasure starts a new file with the next call, for which there is no folder then.
    erased = client.post("/admin/erasures", json={"number": "+358401112233"}, headers=admin)
    (folder / "journal").rename(folder / "journal-elsewhere")
    (folder / "journal").touch()
    statuses.append(post_call(client).status_code)
    assert erased.status_code == 200
    assert find_marks(client.get("/health/dependencies").content) == []
    return statuses


def post_disguised(client: httpx.Client, **headers: str) -> int:
    """Post the marked call with the number inside an identifier, which comes back with nothing of it."""
    body = {"anum": NUMBER, "extradata": {"CallId": f"call{DIGITS}x"}}
    answer = client.post("/smartrouting", json=body, headers={"X-Benemen-APIKey": KEY, **headers})
    assert find_marks(repr(answer.headers.raw).encode()) == []
    return answer.status_code


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
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        statuses = call_through_every_fault(client, emulator)
        refusals = provoke_errors(client)
        drill = client.post(
            "/admin/drills",
            json={"call": {"anum": NUMBER, "extradata": {"DYN_PAR_Name": NAME}}, "pretend": "down"},
            headers={"Authorization": f"Bearer {ADMIN}"},
        )
        statuses += call_through_failures_at_home(client, tmp_path)
        metrics = client.get("/metrics")
        listed = client.get("/admin/decisions", headers={"Authorization": f"Bearer {ADMIN}"})
    log = (tmp_path / "log").read_bytes()
    assert set(statuses) <= {200, 204}
    assert {answer.status_code for answer in refusals} <= {401, 403, 404, 405, 413, 422}
    assert drill.status_code == 200
    assert log.count(b"call.decided") > len(statuses)
    assert b"journal.unwritable" in log
    assert find_marks(log) == []
    assert find_marks(metrics.content) == []
    assert find_marks(drill.content) == []
    assert find_marks(listed.content) == []
    for answer in refusals:
        assert find_marks(answer.content) == [], answer.request.url.path
        assert find_marks(repr(answer.headers.raw).encode()) == []


@pytest.mark.parametrize("faults", [[], [Fault(kind="wrong_type", at="token")]], ids=["refused", "web page"])
def test_nothing_personal_leaves_while_there_is_no_token(tmp_path: Path, faults: list[Fault]) -> None:
    """Neither the secret nor the caller is told to anybody when Entra ID refuses the secret or answers nonsense."""
    with open_world() as world:
        world.emulator.faults.replace(faults)
        entra = {"AUTH": "client_secret", "TENANT_ID": TENANT_ID, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": SECRET}
        entra |= {"AUTHORITY": world.authority}
        settings = {f"SMARTROUTING_DATAVERSE__{name}": value for name, value in entra.items()}
        with run_service(tmp_path, world.url, **settings) as url, httpx.Client(base_url=url, timeout=60) as client:
            answer = post_call(client)
            told = client.get("/health/dependencies").content + client.get("/metrics").content
    log = (tmp_path / "log").read_bytes()

    assert answer.status_code == 204
    assert b'"caller_status":"unavailable"' in log
    assert find_marks(log + told) == []


def find_marks(text: bytes) -> list[bytes]:
    """List the lines that hold something personal."""
    return [line for line in text.splitlines() if any(mark in line for mark in MARKS)]
