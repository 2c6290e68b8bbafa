"""Callers nobody knows yet, 50 at a time, with a CRM that takes 80 ms."""

import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import uvloop

from bench.callers import Answer, Caller, percentile
from bench.load import KEY
from bench.output import write
from bench.server import CLIENT_CORE, measure_processor, serve, serve_process
from bench.webhook import make_ruleset

__all__ = ["main", "make_environment"]

_CRM_SECONDS = 0.08
_CONCURRENT = 50
_CALLS = 2000
_ROUNDS = 5
_WARM_UP = 500
"""Calls, as many as open the connections and fill what is computed once."""
_CONNECTIONS = 104
"""Two for each of 50 look-ups at once; beyond the 52 that Dataverse publishes for one user and web server."""


def main(arguments: list[str]) -> None:
    """Print how long answers take: those of the CRM itself, and those of the service at two paces of the callers.

    The argument is the number of calls in each round.
    """
    calls = int(arguments[0]) if arguments else _CALLS
    os.sched_setaffinity(0, {CLIENT_CORE})
    crm_command = ["bench.lean_crm", "{port}", str(_CRM_SECONDS)]
    with tempfile.TemporaryDirectory() as folder, serve(crm_command, "/", {}, core=CLIENT_CORE) as crm:
        environment = make_environment(Path(folder), crm, max_connections=_CONNECTIONS)
        with serve_process(["app.cli", "serve"], "/health/ready", environment) as running:
            numbers = (f"+35840{index:07}" for index in count(1_000_000))
            uvloop.run(_press(running.url, numbers, _WARM_UP, pause=0.0))
            slowest = []
            for _ in range(_ROUNDS):
                _report("the CRM itself", uvloop.run(_press(crm, numbers, calls, pause=0.0)))
                before = measure_processor(running.process.pid)
                answers = uvloop.run(_press(running.url, numbers, calls, pause=0.0))
                spent = (measure_processor(running.process.pid) - before) / calls
                slowest.append(_report("callers in a row", answers, f"   processor {spent * 1000:.2f} ms per call"))
            write(f"callers in a row: median p99 of {_ROUNDS} rounds {statistics.median(slowest):.1f} ms")
            _report("callers with 1 s between their calls", uvloop.run(_press(running.url, numbers, calls, pause=1.0)))


def make_environment(folder: Path, crm: str, *, max_connections: int | None = None, **more: str) -> dict[str, str]:
    """Make the environment of a service on a stand-in for Dataverse; `max_connections` is `None` for the default."""
    rules = folder / "rules.json"
    rules.write_text(json.dumps(make_ruleset()), encoding="utf-8")
    return {
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"bench": KEY}),
        "SMARTROUTING_DATAVERSE__URL": crm,
        "SMARTROUTING_DATAVERSE__AUTH": "token",
        "SMARTROUTING_DATAVERSE__TOKEN": "bench-token",
        "SMARTROUTING_DATAVERSE__REQUESTS_PER_5_MINUTES": "60000",
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/bench.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/journal",
        "SMARTROUTING_RULES__FILE": str(rules),
        **({} if max_connections is None else {"SMARTROUTING_DATAVERSE__MAX_CONNECTIONS": str(max_connections)}),
        **more,
    }


async def _press(url: str, numbers: Iterator[str], calls: int, *, pause: float) -> list[Answer]:
    """Have every caller call again once it was answered; they begin one after the other, as strangers do."""
    left = iter(range(calls))

    async def call_in_a_row(index: int) -> list[Answer]:
        answers = []
        async with Caller(url) as caller:
            await asyncio.sleep((_CRM_SECONDS + pause) * index / _CONCURRENT)
            for _ in left:
                answers.append(await caller.call(next(numbers)))
                await asyncio.sleep(pause)
        return answers

    rows = await asyncio.gather(*(call_in_a_row(index) for index in range(_CONCURRENT)))
    return [answer for row in rows for answer in row]


def _report(name: str, answers: list[Answer], more: str = "") -> float:
    """Write a line about the answers, and return their 99th percentile in milliseconds."""
    times = [answer.milliseconds for answer in answers]
    found = sum(answer.status in {200, 204} for answer in answers)
    slow = percentile(times, 0.99)
    write(
        f"{name:36} {len(answers)} calls, {len(answers) - found} failed   p50 {percentile(times, 0.5):5.1f} ms   "
        f"p99 {slow:5.1f} ms   most {max(times):5.1f} ms{more}"
    )
    return slow
