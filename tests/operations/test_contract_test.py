"""The contract test plays every shape of request against the live webhook, and leaves no trace."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

from app.auth.contract_marks import HEADER, make_mark
from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from tests.support.samples import make_tables
from tests.support.service import ADMIN_KEY, UNHURRIED, VIP_RULES, WEBHOOK_KEY, Service, open_service, wait_for

URL = "https://voice.example.com/smartrouting"
SHAPES = [
    "first generation",
    "full, SALES_QUEUE",
    "full, SUPPORT_QUEUE",
    "extended",
    "withheld, null",
    "withheld, empty",
    "withheld, a word",
    "short",
    "no called number",
    "malformed",
    "no anum",
    "no object",
    "wrong key",
    "no key",
    "too large",
    "slow",
]
REAL = "+358501234567"


class OwnName(httpx.AsyncBaseTransport):
    """The way to the service's public URL, to the service once there is one."""

    def __init__(self) -> None:
        self.service: Service | None = None
        self.seen: list[httpx.Request] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert self.service is not None
        self.seen.append(request)
        return await httpx.ASGITransport(self.service.app).handle_async_request(request)


def make_upstreams(public: OwnName) -> Upstreams:
    """Make an organisation and the public name."""
    dataverse = create_dataverse_emulator(data=make_tables(None), static_tokens={"token-of-the-emulator": CLIENT_ID})
    return Upstreams(dataverse=httpx.ASGITransport(dataverse), public=public)


async def send(service: Service, method: str, path: str, body: object = None) -> httpx.Response:
    """Send something as an administrator."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    return await service.client.request(method, path, json=body, headers=headers)


async def count(service: Service) -> dict[str, str]:
    """Return every count of answers and refusals."""
    lines = [line for line in (await service.read_metrics()).splitlines() if not line.startswith("#")]
    words = ("decisions", "refusals", "answer", "lookups", "deadline")
    counted = dict(line.rsplit(" ", 1) for line in lines)
    return {name: value for name, value in counted.items() if any(word in name for word in words)}


async def test_every_shape_is_played_and_counted_nowhere(tmp_path: Path) -> None:
    """The job tells request, answer, time and verdict of each; log, metrics and uses of the key are as before."""
    public = OwnName()
    async with open_service(tmp_path, rules=VIP_RULES, upstreams=make_upstreams(public), webhook=UNHURRIED) as service:
        public.service = service
        queues = [{"name": name, "target_id": f"{name}_QUEUE"} for name in ("SALES", "SUPPORT")]
        early = await send(service, "POST", "/admin/contract-test")
        await send(service, "PUT", "/admin/handoff", {"public_url": "http://voice.example.com/smartrouting"})
        plain = await send(service, "POST", "/admin/contract-test")
        await send(service, "PUT", "/admin/handoff", {"public_url": URL, "queues": queues})
        before = await count(service)
        started = await send(service, "POST", "/admin/contract-test")

        async def read() -> dict[str, Any] | None:
            job: dict[str, Any] = (await service.ask(f"/admin/jobs/{started.json()['id']}")).json()
            return None if job["state"] == "running" else job

        job = await wait_for(read)
        after = await count(service)
        await service.call(REAL)
        logged = await service.list_decisions(1)

    assert (early.status_code, plain.status_code, started.status_code) == (409, 409, 202)
    assert (job["state"], job["result"]["passed"]) == ("done", True), job
    assert [(item["name"], item["verdict"]) for item in job["result"]["items"]] == [(name, "ok") for name in SHAPES]
    assert [item["status"] for item in job["result"]["items"]] == [204] * 9 + [422, 422, 422, 401, 401, 413, 408]
    assert before == after
    assert len(logged) == 1
    assert WEBHOOK_KEY not in json.dumps(job)


@pytest.mark.parametrize(
    ("mark", "anum", "logged"),
    [
        (make_mark(WEBHOOK_KEY, now=time.time()), "+447700900123", 0),
        (make_mark(WEBHOOK_KEY, now=time.time()), REAL, 1),
        (make_mark(WEBHOOK_KEY, now=time.time()), None, 1),
        (make_mark(WEBHOOK_KEY, now=time.time() + 60), "+447700900123", 0),
        (make_mark("a-key-of-a-stranger", now=time.time()), "+447700900123", 1),
        (make_mark(WEBHOOK_KEY, now=time.time() - 3600), "+447700900123", 1),
        (make_mark(WEBHOOK_KEY, now=time.time() + 3600), "+447700900123", 1),
        ("9999999999", "+447700900123", 1),
        ("", "+447700900123", 1),
    ],
    ids=[
        "nobody's number",
        "a caller's number",
        "a withheld one",
        "a fast clock",
        "a stranger's mark",
        "too old",
        "from the future",
        "unsigned",
        "none",
    ],
)
async def test_mark_hides_no_real_call(tmp_path: Path, mark: str, anum: str | None, logged: int) -> None:
    """Only a fresh mark made with the key leaves a call out, and only from a number that nobody has."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        headers = {"X-Benemen-APIKey": WEBHOOK_KEY, HEADER: mark}
        marked = await service.post({"anum": anum}, headers=headers)
        await service.call("+358501234568")
        items = await service.list_decisions(logged + 1)

    assert marked.status_code in {200, 204}
    assert len(items) == logged + 1
