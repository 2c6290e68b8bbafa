"""Callers nobody knows yet, 50 at a time, with a CRM that takes 80 ms."""

import asyncio
import json
import tempfile
from pathlib import Path

from bench.callers import Answer, Caller, percentile
from bench.crm import Crm
from bench.load import KEY
from bench.output import write
from bench.server import measure_processor, serve_process
from bench.webhook import make_ruleset
from bench.world import serve_app

__all__ = ["main", "make_environment"]

_CRM_SECONDS = 0.08
_CONCURRENT = 50
_CALLS = 3000
_CONNECTIONS = 104
"""Two for each of 50 look-ups at once; beyond the 52 that Dataverse publishes for one user and web server."""


def main(arguments: list[str]) -> None:
    """Print the distribution of the answers' times, for callers in a row and for callers once every 100 ms."""
    calls = int(arguments[0]) if arguments else _CALLS
    with tempfile.TemporaryDirectory() as folder, serve_app(Crm(delay=_CRM_SECONDS), lifespan="off") as (crm, _):
        environment = make_environment(Path(folder), crm, max_connections=_CONNECTIONS)
        with serve_process(["app.cli", "serve"], "/health/ready", environment) as running:
            asyncio.run(_press(running.url, 200, 1_000_000, pause=0.0))
            for name, pause in (("without a pause", 0.0), ("and 1 s between", 1.0)):
                before = measure_processor(running.process.pid)
                answers = asyncio.run(_press(running.url, calls, 2_000_000 if pause else 3_000_000, pause=pause))
                _report(name, answers, (measure_processor(running.process.pid) - before) / calls)


def make_environment(folder: Path, crm: str, *, max_connections: int = 20, **more: str) -> dict[str, str]:
    """Make the environment of a service on a stand-in for Dataverse."""
    rules = folder / "rules.json"
    rules.write_text(json.dumps(make_ruleset()), encoding="utf-8")
    return {
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"bench": KEY}),
        "SMARTROUTING_DATAVERSE__URL": crm,
        "SMARTROUTING_DATAVERSE__AUTH": "token",
        "SMARTROUTING_DATAVERSE__TOKEN": "bench-token",
        "SMARTROUTING_DATAVERSE__MAX_CONNECTIONS": str(max_connections),
        "SMARTROUTING_DATAVERSE__REQUESTS_PER_5_MINUTES": "60000",
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/bench.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/journal",
        "SMARTROUTING_RULES__FILE": str(rules),
        **more,
    }


async def _press(url: str, calls: int, first: int, *, pause: float) -> list[Answer]:
    numbers = iter(f"+35840{index:07}" for index in range(first, first + calls))

    async def call_in_a_row(index: int) -> list[Answer]:
        answers = []
        async with Caller(url) as caller:
            await asyncio.sleep(pause * index / _CONCURRENT)
            for number in numbers:
                answers.append(await caller.call(number))
                await asyncio.sleep(pause)
        return answers

    rows = await asyncio.gather(*(call_in_a_row(index) for index in range(_CONCURRENT)))
    return [answer for row in rows for answer in row]


def _report(name: str, answers: list[Answer], processor: float) -> None:
    times = [answer.milliseconds for answer in answers]
    found = sum(answer.status in {200, 204} for answer in answers)
    write(
        f"cold callers, {_CONCURRENT} at a time, {name:25} {len(answers)} calls, {len(answers) - found} failed   "
        f"p50 {percentile(times, 0.5):.1f} ms   p99 {percentile(times, 0.99):.1f} ms   most {max(times):.1f} ms   "
        f"processor {processor * 1000:.2f} ms per call"
    )
