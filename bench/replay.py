"""A replay of recorded calls on one core, and what it does to the calls that are answered meanwhile."""

import asyncio
import json
import statistics
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.calls.store import DecisionStore
from app.routing.callers import CallerStatus
from app.routing.decisions import DecisionRecord, Outcome
from app.store.database import open_database
from app.store.upgrade import upgrade
from bench.load import CALL, KEY
from bench.output import write
from bench.server import serve
from bench.webhook import make_ruleset

__all__ = ["main"]

_CALLS = 100_000
_ADMIN = "bench-admin-key"
_BATCH = 2_000
_PROBES = 300
_PAUSE = 0.005
"""Seconds between two probing calls: a busy queue, not a flood."""


def main(arguments: Sequence[str]) -> None:
    """Write how long a replay takes, and how fast calls are answered without and with it; the argument is how many."""
    count = int(arguments[0]) if arguments else _CALLS
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_fill(f"sqlite:///{folder}/bench.db", count))
        rules = Path(folder) / "rules.json"
        rules.write_text(json.dumps(make_ruleset()), encoding="utf-8")
        with serve(["app.cli", "serve"], "/health/ready", _environment(folder, rules)) as url:
            _measure(url, count)


def _measure(url: str, count: int) -> None:
    _probe(url, 50)
    alone = _probe(url, _PROBES)
    started = time.perf_counter()
    job = _ask(url, "/admin/rulesets/current/replay", {})["id"]
    beside: list[float] = []
    while (state := _ask(url, f"/admin/replays/{job}"))["state"] == "running":
        beside += _probe(url, 50)
    took = time.perf_counter() - started
    result = state["result"]
    write(f"replay of {result['calls']:,} of {count:,} calls, 20 rules: {took:.1f} s, {result['calls'] / took:,.0f}/s")
    write(f"  {result['summary']}")
    _write_row("webhook alone", alone)
    _write_row("webhook beside a replay", beside or alone)


def _write_row(name: str, seconds: list[float]) -> None:
    cuts = statistics.quantiles(seconds, n=100)
    write(
        f"{name:24} {len(seconds):6} calls   p50 {cuts[49] * 1000:6.2f} ms   p99 {cuts[98] * 1000:6.2f} ms"
        f"   max {max(seconds) * 1000:6.2f} ms"
    )


def _probe(url: str, count: int) -> list[float]:
    return [_call(url) for _ in range(count)]


def _call(url: str) -> float:
    body = json.dumps(CALL).encode()
    headers = {"Content-Type": "application/json", "X-Benemen-APIKey": KEY}
    request = urllib.request.Request(f"{url}/smartrouting", body, headers)  # noqa: S310 - loopback
    time.sleep(_PAUSE)
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        answer.read()
    return time.perf_counter() - started


def _ask(url: str, path: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {_ADMIN}"}
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=30) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
        return found


def _environment(folder: str, rules: Path) -> dict[str, str]:
    return {
        "SMARTROUTING_DEMO": "1",
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"bench": KEY}),
        "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"bench": {"key": _ADMIN, "role": "Voice Admin User"}}),
        "SMARTROUTING_RULES__FILE": str(rules),
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/bench.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/journal",
    }


async def _fill(url: str, count: int) -> None:
    database = open_database(url)
    await upgrade(database)
    store = DecisionStore(database=database)
    batch: list[DecisionRecord] = []
    for record in _make_records(count):
        batch.append(record)
        if len(batch) == _BATCH:
            await store.add(batch)
            batch = []
    await store.add(batch)
    await database.close()


def _make_records(count: int) -> Iterator[DecisionRecord]:
    now = time.time() - 3600
    for number in range(count):
        vip = number % 5 == 0
        yield _make_record(now + number * 0.03, vip=vip)


def _make_record(at: float, *, vip: bool) -> DecisionRecord:
    facts = {
        "call.caller": "+358501234567",
        "call.called": "+358912345678",
        "call.country": "FI",
        "call.id": str(uuid.uuid4()),
        "call.target_id": "SALES_QUEUE",
        "call.queue_id": "9a4f0b1e-7c55-4f0e-9a53-0a7d1f8b2c11",
        "call.user_id": None,
        "call.culture": "en-GB",
        "call.internal": False,
        "call.withheld": False,
        "call.parameters.DYN_PAR_Culture": "en-GB",
        "caller.kind": "contact",
        "caller.id": str(uuid.uuid4()),
        "caller.name": "Ann Example",
        "caller.vip": vip,
        "caller.vip_reason": "is a preferred customer" if vip else None,
        "caller.owner_agent": str(uuid.uuid4()),
        "caller.matches": 1,
        "caller.open_cases": {"unknown": "not_fetched", "detail": "the cases were not counted"},
        "account.id": str(uuid.uuid4()),
        "account.name": "Example Ltd",
        "caller.status": "identified",
        "caller.age_seconds": 12.5,
        "time.local": "12:00",
        "time.weekday": "wed",
        "time.open": {"unknown": "not_configured", "detail": "the ruleset has no default calendar"},
    }
    decision = {"outcome": "no_change", "reason": "no rule matched", "no_change": True}
    return DecisionRecord(
        id=_make_id(at),
        at=at,
        request_id="bench",
        credential="bench",
        call_id=None,
        caller_raw="+358501234567",
        caller_e164="+358501234567",
        called_raw="+358912345678",
        called_e164="+358912345678",
        target_id="SALES_QUEUE",
        queue_id="9a4f0b1e-7c55-4f0e-9a53-0a7d1f8b2c11",
        facts=facts,
        caller_status=CallerStatus.IDENTIFIED,
        caller_cause=None,
        caller_age_seconds=12.5,
        caller_source="fresh",
        revision=None,
        rule=None,
        outcome=Outcome.NO_CHANGE,
        decision=decision,
        status=204,
        body=None,
        waterfall={"receive": 0.1, "look_up": 0.01, "rules": 0.05, "total": 0.2},
    )


def _make_id(at: float) -> str:
    """Make a UUID version 7 of this moment (RFC 9562, section 5.7)."""
    random = uuid.uuid4().int & ((1 << 62) - 1)
    return str(uuid.UUID(int=(int(at * 1000) << 80) | (0x7 << 76) | (0x2 << 62) | random))
