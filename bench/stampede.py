"""Crowds: one caller a thousand times, many callers under 429, and a CRM that hangs."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from bench.callers import Answer, Caller, percentile
from bench.cold import make_environment
from bench.crm import Crm
from bench.output import write
from bench.server import Running, serve_process
from bench.world import serve_app

__all__ = ["main", "measure_process"]

_DEADLINE_MS = 1500
_LEEWAY_MS = 50
_RETRY_AFTER = 4
_HANGING_CALLS = 500
_ROUNDS = 10
_RECOVERY_SECONDS = 1.0


def main(arguments: list[str]) -> None:
    """Print one line per crowd; `arguments` choose among `one`, `throttled` and `hung`."""
    for name, measure in (("one", _crowd_one_number), ("throttled", _crowd_throttled), ("hung", _crowd_hung)):
        if not arguments or name in arguments:
            measure()


def _crowd_one_number() -> None:
    crm = Crm(delay=0.2)
    with _serve(crm) as running:
        answers = asyncio.run(_call_together(running.url, ["+358501234567"] * 1000))
    write(f"1,000 simultaneous calls from one number: {len(crm.arrived)} requests to the CRM, {_describe(answers)}")


def _crowd_throttled() -> None:
    crm = Crm(delay=0.05, retry_after=_RETRY_AFTER)
    with _serve(crm) as running:
        answers = asyncio.run(
            _call_spread(running.url, [f"+35840{index % 500:07}" for index in range(5000)], seconds=10)
        )
    write(
        f"5,000 calls from 500 numbers in 10 s under 429: {len(crm.arrived)} requests to the CRM, "
        f"{crm.count_inside_pause()} of them inside Retry-After, {_describe(answers)}"
    )


def _crowd_hung() -> None:
    crm = Crm()
    with _serve(crm) as running:
        asyncio.run(_settle(running.url))
        memory, files = measure_process(running.process.pid)
        write(f"before the CRM ever hung: {memory:.1f} MB, {files} open files")
        for number in range(_ROUNDS + 1):
            crm.hangs = True
            answers = asyncio.run(_call_together(running.url, _list_numbers("+35840")))
            crm.hangs = False
            _recover(running.url, crm)
            memory, files = measure_process(running.process.pid)
            name = f"CRM hangs, round {number:2}" if number else "CRM hangs, warm-up "
            write(f"{name}: {_describe(answers)}; then {memory:.1f} MB, {files} open files")


@contextmanager
def _serve(crm: Crm) -> Iterator[Running]:
    """Serve the CRM, and the service on it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, serve_app(crm, lifespan="off") as (crm_url, _):
        environment = make_environment(Path(folder), crm_url, max_connections=52)
        with serve_process(["app.cli", "serve"], "/health/ready", environment) as running:
            yield running


def _recover(url: str, crm: Crm) -> None:
    """Call until the circuit breaker lets the CRM be asked again, so that the next round waits for it too."""
    answered = len(crm.answered)
    while len(crm.answered) == answered:
        time.sleep(_RECOVERY_SECONDS)
        asyncio.run(_call_together(url, [f"+35845{len(crm.arrived):07}"]))


async def _settle(url: str) -> None:
    """Have a crowd of the same size answered, so that what is kept on purpose is there already."""
    for _ in range(2):
        await _call_together(url, _list_numbers("+35850"))


def _list_numbers(prefix: str) -> list[str]:
    return [f"{prefix}{index:07}" for index in range(_HANGING_CALLS)]


async def _call_together(url: str, numbers: list[str]) -> list[Answer]:
    """Open all connections, then call at the same moment."""
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(url)) for _ in numbers]
        return list(await asyncio.gather(*map(Caller.call, callers, numbers)))


async def _call_spread(url: str, numbers: list[str], *, seconds: float) -> list[Answer]:
    """Call at even intervals, however long the answers take."""

    async def call_later(index: int, number: str) -> Answer:
        await asyncio.sleep(index * seconds / len(numbers))
        async with Caller(url) as caller:
            return await caller.call(number)

    return list(await asyncio.gather(*(call_later(*pair) for pair in enumerate(numbers))))


def measure_process(process: int) -> tuple[float, int]:
    """Return the resident memory in MB and the open files of a process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident) / 1024, len(list(Path(f"/proc/{process}/fd").iterdir()))


def _describe(answers: list[Answer]) -> str:
    times = [answer.milliseconds for answer in answers]
    good = sum(answer.status in {200, 204} for answer in answers)
    late = sum(time > _DEADLINE_MS + _LEEWAY_MS for time in times)
    return (
        f"{good} of {len(answers)} answered, {late} late, p50 {percentile(times, 0.5):.0f} ms, most {max(times):.0f} ms"
    )
