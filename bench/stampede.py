"""Crowds: one caller a thousand times, many callers at once, many callers under 429, and a CRM that hangs."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from bench.callers import Answer, Caller, percentile
from bench.cold import make_environment
from bench.crm import Crm
from bench.output import write
from bench.server import CLIENT_CORE, Running, serve, serve_process
from bench.world import serve_app

__all__ = ["main", "measure_process"]

_CRM_SECONDS = 0.08
_DIFFERENT_CALLS = 200
_DEADLINE_MS = 1500
_LEEWAY_MS = 50
_RETRY_AFTER = 4
_HANGING_CALLS = 500
_ROUNDS = 10
_RECOVERY_SECONDS = 1.0
_RECOGNISED = 200
_RULES = {
    "destinations": {"known": {"kind": "queue", "id": "queue-of-known-callers"}},
    "rules": [
        {
            "id": "known",
            "when": {"fact": "caller.status", "op": "is", "value": "identified"},
            "then": {"redirect": "known"},
        }
    ],
}


def main(arguments: list[str]) -> None:
    """Print one line per crowd; `arguments` choose among `one`, `different`, `throttled` and `hung`."""
    crowds = {
        "one": _crowd_one_number,
        "different": _crowd_different_numbers,
        "throttled": _crowd_throttled,
        "hung": _crowd_hung,
    }
    for name, measure in crowds.items():
        if not arguments or name in arguments:
            measure()


def _crowd_one_number() -> None:
    crm = Crm(delay=0.2)
    with _serve(crm) as running:
        answers = asyncio.run(_call_together(running.url, ["+358501234567"] * 1000))
    write(f"1,000 simultaneous calls from one number: {len(crm.arrived)} requests to the CRM, {_describe(answers)}")


def _crowd_different_numbers() -> None:
    """Different callers at the same moment, with a CRM in a process of its own that takes as long as a real one."""
    command = ["bench.lean_crm", "{port}", str(_CRM_SECONDS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(command, "/", {}, core=CLIENT_CORE) as crm,
        serve_process(["app.cli", "serve"], "/health/ready", _make_environment(Path(folder), crm)) as running,
    ):
        asyncio.run(_call_together(running.url, ["+358409999999"]))
        for number in range(1, 4):
            numbers = [f"+3584{number}{index:07}" for index in range(_DIFFERENT_CALLS)]
            answers = asyncio.run(_call_together(running.url, numbers))
            write(
                f"{len(answers)} different callers at once, a CRM of {_CRM_SECONDS * 1000:.0f} ms: {_describe(answers)}"
            )


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
        environment = _make_environment(Path(folder), crm_url)
        with serve_process(["app.cli", "serve"], "/health/ready", environment) as running:
            yield running


def _make_environment(folder: Path, crm: str) -> dict[str, str]:
    """Make the environment of a service with default settings, whose rule redirects whoever is recognised."""
    environment = make_environment(folder, crm)
    Path(environment["SMARTROUTING_RULES__FILE"]).write_text(json.dumps(_RULES), encoding="utf-8")
    return environment


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
    recognised = sum(answer.status == _RECOGNISED for answer in answers)
    late = sum(time > _DEADLINE_MS + _LEEWAY_MS for time in times)
    return (
        f"{good} of {len(answers)} answered, {recognised} recognised, {late} late, "
        f"p50 {percentile(times, 0.5):.0f} ms, most {max(times):.0f} ms"
    )
