"""Events of the phone client, ten a second that run five rows each, alone and with calls beside them."""

import asyncio
import json
import os
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path

import httpx

from bench.callers import Answer, percentile
from bench.cold import make_environment
from bench.load import KEY
from bench.neighbours import ADMIN_KEY, call_steadily
from bench.output import write
from bench.server import CLIENT_CORE, Running, measure_processor, serve, serve_process

__all__ = ["main"]

_RATE = 10
_EVENT = "call-ended"
_ROWS = (51, 52, 53, 54, 55)
"""Customer, cases, VIP, explanation and the phone-call activity, which is written and completed."""
_DEADLINE_MS = 1500


def main(arguments: list[str]) -> None:
    """Measure for `--seconds` alone, then as long beside 200 calls a second.

    The stand-in for Dynamics answers at once, so that the times are the service's own.
    """
    parser = ArgumentParser(prog="python -m bench events")
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args(arguments).seconds
    keys = {"bench": {"key": ADMIN_KEY, "role": "Voice Admin User"}}
    crm_command = ["bench.lean_crm", "{port}", "0"]
    with tempfile.TemporaryDirectory() as folder, serve(crm_command, "/", {}, core=CLIENT_CORE) as crm:
        environment = make_environment(Path(folder), crm, SMARTROUTING_ADMIN__API_KEYS=json.dumps(keys))
        with serve_process(["app.cli", "serve"], "/health/ready", environment) as running:
            os.sched_setaffinity(0, {CLIENT_CORE})
            asyncio.run(_measure(running, seconds))


async def _measure(running: Running, seconds: float) -> None:
    url = running.url
    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        body, head = {"numbers": list(_ROWS)}, {"Authorization": f"Bearer {ADMIN_KEY}"}
        (await client.post(f"/admin/events/{_EVENT}/activate", json=body, headers=head)).raise_for_status()
        await _post_steadily(client, "warm", 2.0)
        used = measure_processor(running.process.pid)
        alone = await _post_steadily(client, "alone", seconds)
        used = measure_processor(running.process.pid) - used
        _tell("events alone", alone)
        write(f"own processor time: {used / len(alone) * 1000:.1f} ms for an event")
        _tell("calls alone", await call_steadily(url, seconds))
        events, calls = await asyncio.gather(_post_steadily(client, "beside", seconds), call_steadily(url, seconds))
        _tell("events beside calls", events)
        _tell("calls beside events", calls)


async def _post_steadily(client: httpx.AsyncClient, name: str, seconds: float) -> list[Answer]:
    """Post at a steady rate; an event counts from the moment it was due."""
    started = time.perf_counter()

    async def post(number: int) -> Answer:
        due = started + number / _RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        context = {"phoneNumber": "+358501234567", "eventData": {"serverSideCallId": f"{name}-{number}"}}
        answer = await client.post(f"/events/{_EVENT}", json=context, headers={"X-Benemen-APIKey": KEY})
        milliseconds = (time.perf_counter() - due) * 1000
        rows = answer.json()["trace"]
        done = len(rows) == len(_ROWS) and all(row["error"] is None for row in rows)
        return Answer(answer.status_code if done else 0, milliseconds)

    return list(await asyncio.gather(*map(post, range(int(seconds * _RATE)))))


def _tell(name: str, answers: list[Answer]) -> None:
    times = [answer.milliseconds for answer in answers]
    failed = sum(answer.status not in {200, 204} for answer in answers)
    write(
        f"{name:20} {len(times):5}  p50 {percentile(times, 0.5):6.1f} ms  p99 {percentile(times, 0.99):6.1f} ms  "
        f"max {max(times):6.1f} ms  late {sum(each > _DEADLINE_MS for each in times)}  failed {failed}"
    )
