"""Mixed load at half the maximum rate for a long time: errors, late answers, and memory over time."""

import asyncio
import random
import tempfile
import time
from pathlib import Path

from bench.callers import Answer, Caller, percentile
from bench.cold import make_environment
from bench.crm import Crm
from bench.output import write
from bench.server import Running, serve_process
from bench.stampede import measure_process
from bench.world import serve_app

__all__ = ["main"]

_MINUTES = 2.0
_CALLERS = 32
_NUMBERS = 2000
_REMEMBERED = 3000
"""Callers; few, so that the memory that is theirs is used up early."""
_COLD_SHARE = 0.02
_PROBE_SECONDS = 5.0
_REPORTS = 10


def main(arguments: list[str]) -> None:
    """Print a line per tenth of the time; the argument is the time in minutes."""
    seconds = float(arguments[0] if arguments else _MINUTES) * 60
    with tempfile.TemporaryDirectory() as folder, serve_app(Crm(delay=0.02), lifespan="off") as (crm, _):
        environment = make_environment(Path(folder), crm, max_connections=52, SMARTROUTING_CACHE__SIZE=str(_REMEMBERED))
        with serve_process(["app.cli", "serve"], "/health/ready", environment) as running:
            asyncio.run(_soak(running, seconds))


async def _soak(running: Running, seconds: float) -> None:
    fastest = await _press(running, _PROBE_SECONDS, rate=None)
    rate = len(fastest) / _PROBE_SECONDS / 2
    write(f"maximum {2 * rate:.0f}/s; mixed load at {rate:.0f}/s for {seconds / 60:.1f} minutes")
    for _ in range(_REPORTS):
        answers = await _press(running, seconds / _REPORTS, rate=rate)
        times = [answer.milliseconds for answer in answers]
        failed = sum(answer.status not in {200, 204} for answer in answers)
        memory, files = measure_process(running.process.pid)
        write(
            f"{len(answers):8} calls, {failed} failed, p50 {percentile(times, 0.5):6.1f} ms, "
            f"p99 {percentile(times, 0.99):6.1f} ms, {memory:.1f} MB, {files} open files"
        )


async def _press(running: Running, seconds: float, *, rate: float | None) -> list[Answer]:
    """Call with known callers, new ones, and withheld numbers; as fast as possible without a rate."""
    ends = time.monotonic() + seconds

    async def call_in_a_row() -> list[Answer]:
        answers = []
        async with Caller(running.url) as caller:
            while (now := time.monotonic()) < ends:
                answers.append(await caller.call(_choose_number()))
                if rate is not None:
                    await asyncio.sleep(max(0.0, now + _CALLERS / rate - time.monotonic()))
        return answers

    rows = await asyncio.gather(*(call_in_a_row() for _ in range(_CALLERS)))
    return [answer for row in rows for answer in row]


def _choose_number() -> str:
    if random.random() < _COLD_SHARE:  # noqa: S311 - no secret
        return random.choice(["anonymous", f"+35845{random.randrange(10**7):07}"])  # noqa: S311
    return f"+35840{random.randrange(_NUMBERS):07}"  # noqa: S311
