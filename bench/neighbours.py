"""Calls at 200 a second with a cached caller, alone and beside crowds on every other route."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.callers import Answer, Caller, percentile
from bench.load import KEY, find_wrk
from bench.output import write
from bench.server import CLIENT_CORE, Running, serve_process, settle
from bench.webhook import make_ruleset

__all__ = ["ADMIN_KEY", "call_steadily", "main"]

ADMIN_KEY = "bench-admin-key-of-neighbours"
_CACHED = "+358501234567"
_RATE = 200
_SECONDS = 6.0
_CLIENTS = 40
_CONNECTIONS = 32
_DEADLINE_MS = 1500
_SETTLE_SECONDS = 1.0
_SIZES = (1_000_000, 500_000, 200_000, 50_000)
"""Bytes of rulesets to simulate with; the first one that is accepted counts."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What forty clients send as fast as they are answered."""

    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


def main() -> None:
    """Print a line for each crowd, and one for all of them together with a replay; takes some two minutes."""
    find_wrk()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules = folder / "rules.json"
        rules.write_text(json.dumps(make_ruleset()), encoding="utf-8")
        with serve_process(["app.cli", "serve"], "/health/ready", _make_environment(folder, rules)) as running:
            _measure_all(running, folder)


def _measure_all(running: Running, folder: Path) -> None:
    os.sched_setaffinity(0, {CLIENT_CORE})
    crowds = _make_crowds(running.url)
    asyncio.run(call_steadily(running.url, _SETTLE_SECONDS))
    alone = _measure(running, "alone", {}, folder)
    beside = []
    for name, crowd in crowds.items():
        beside.append(_measure(running, name, {name: crowd}, folder))
        # What a crowd has left waiting is not to be measured with the next.
        settle([running.process.pid])
    with _replay_again_and_again(running.url):
        beside.append(_measure(running, "a replay", {}, folder))
        beside.append(_measure(running, "all of them", crowds, folder))
    misses = re.search(r"(?m)^smartrouting_deadline_misses_total (\S+)", _ask(running.url, "/metrics").decode())
    write(f"worst p99 beside {max(beside):.1f} ms, {max(beside) / alone:.1f} times that alone")
    write(f"answers the service itself counts as late: {misses[1] if misses else 'unknown'}")


def _measure(running: Running, name: str, crowds: Mapping[str, Crowd], folder: Path) -> float:
    """Call beside crowds, print what it was like, and return p99 in milliseconds."""
    share = max(1, _CLIENTS // max(1, len(crowds)))
    with _press_all(running.url, crowds, folder, clients=share) as processes:
        time.sleep(_SETTLE_SECONDS if crowds else 0.0)
        answers = asyncio.run(call_steadily(running.url, _SECONDS))
    served = sum(_count_served(process) for process in processes)
    times = [answer.milliseconds for answer in answers]
    p99 = percentile(times, 0.99)
    failed = sum(answer.status != 200 for answer in answers)  # noqa: PLR2004 - OK
    write(
        f"{name:22} {len(answers):5} calls  p50 {percentile(times, 0.5):7.1f} ms  p99 {p99:7.1f} ms  "
        f"max {max(times):7.1f} ms  late {sum(each > _DEADLINE_MS for each in times)}  failed {failed}  "
        f"memory {_read_memory(running):.0f} MB  neighbours {served:.0f}/s"
    )
    return p99


async def call_steadily(url: str, seconds: float) -> list[Answer]:
    """Call at a steady rate; a call that has to wait for its turn counts from the moment it was due."""
    started = time.perf_counter()
    due = iter(range(int(seconds * _RATE)))
    answers: list[Answer] = []

    async def call_in_a_row() -> None:
        async with Caller(url) as caller:
            for number in due:
                at = started + number / _RATE
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                answer = await caller.call(_CACHED)
                answers.append(Answer(answer.status, (time.perf_counter() - at) * 1000))

    await asyncio.gather(*(call_in_a_row() for _ in range(_CONNECTIONS)))
    return answers


def _make_crowds(url: str) -> dict[str, Crowd]:
    admin = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    return {
        "/openapi.json": Crowd("/openapi.json", {}),
        "/docs": Crowd("/docs", {}),
        "/health/dependencies": Crowd("/health/dependencies", {}),
        "/metrics": Crowd("/metrics", {}),
        "wrong admin keys": Crowd("/admin/decisions", {"Authorization": "Bearer bench-guess"}),
        "wrong webhook keys": Crowd("/smartrouting", {"X-Benemen-APIKey": "bench-guess"}, b'{"anum": null}'),
        "/admin/decisions": Crowd("/admin/decisions", admin),
        "simulate": Crowd("/admin/simulate", admin, _find_largest_simulation(url, admin)),
    }


def _find_largest_simulation(url: str, headers: Mapping[str, str]) -> bytes:
    """Make a simulation with the largest ruleset that is accepted."""
    for size in _SIZES:
        body = _make_simulation(size)
        try:
            _ask(url, "/admin/simulate", body, headers)
        except urllib.error.URLError as error:
            write(f"simulate with {len(body):,} bytes: refused ({error})")
        else:
            write(f"simulate with {len(body):,} bytes")
            return body
    raise SystemExit("no simulation is accepted")


def _make_simulation(size: int) -> bytes:
    ruleset = make_ruleset()
    rule = ruleset["rules"][0]
    count = size // (len(json.dumps(rule)) + 10)
    ruleset["rules"] = [{**rule, "id": f"rule-{number}"} for number in range(count)]
    return json.dumps({"call": {"anum": _CACHED}, "caller": {"status": "unknown"}, "ruleset": ruleset}).encode()


@contextmanager
def _press_all(
    url: str, crowds: Mapping[str, Crowd], folder: Path, *, clients: int
) -> Iterator[list["subprocess.Popen[str]"]]:
    """Load with wrk, at a lower priority than the calls, until the block ends."""
    processes = []
    for number, crowd in enumerate(crowds.values()):
        script = folder / f"crowd-{number}.lua"
        script.write_text(_write_script(crowd, folder / f"crowd-{number}.body"), encoding="utf-8")
        seconds = int(_SETTLE_SECONDS + _SECONDS)
        command = [find_wrk(), "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
        if nice := shutil.which("nice"):
            command = [nice, "-n", "10", *command]
        processes.append(
            subprocess.Popen([*command, url + crowd.path], stdout=subprocess.PIPE, text=True)  # noqa: S603 - built above
        )
    try:
        yield processes
    finally:
        for process in processes:
            process.wait(60)


def _write_script(crowd: Crowd, file: Path) -> str:
    lines = [f"wrk.headers['{name}'] = '{value}'" for name, value in crowd.headers.items()]
    if crowd.body is not None:
        file.write_bytes(crowd.body)
        lines += ["wrk.method = 'POST'", f"wrk.body = io.open('{file}', 'rb'):read('*a')"]
    return "\n".join(lines) + "\n"


def _count_served(process: "subprocess.Popen[str]") -> float:
    output = process.stdout.read() if process.stdout else ""
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    return float(found[1]) if found else 0.0


@contextmanager
def _replay_again_and_again(url: str) -> Iterator[None]:
    """Have recorded calls replayed until the block ends, each time when the last replay is over."""
    script = (
        "import json, sys, time, urllib.error, urllib.request\n"
        "url, key = sys.argv[1:]\n"
        "head = {'Authorization': f'Bearer {key}', 'Content-Type': 'application/json'}\n"
        "def ask(path, data=None):\n"
        "    with urllib.request.urlopen(urllib.request.Request(url + path, data, head), timeout=60) as answer:\n"
        "        return json.load(answer)\n"
        "while True:\n"
        "    try:\n"
        "        job = ask('/admin/rulesets/current/replay', b'{}')['id']\n"
        "    except urllib.error.HTTPError:  # enough others are waiting\n"
        "        time.sleep(0.5)\n"
        "        continue\n"
        "    while ask(f'/admin/replays/{job}')['state'] in ('queued', 'running'):\n"
        "        time.sleep(0.2)\n"
    )
    arguments = [shutil.which("python3") or "python3", "-c", script, url, ADMIN_KEY]
    process = subprocess.Popen(arguments)  # noqa: S603 - built above
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _ask(url: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    request = urllib.request.Request(url + path, body, dict(headers or {}))  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - loopback
        found: bytes = answer.read()
        return found


def _read_memory(running: Running) -> float:
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def _make_environment(folder: Path, rules: Path) -> dict[str, Any]:
    return {
        "SMARTROUTING_DEMO": "1",
        "SMARTROUTING_LOG__FORMAT": "json",
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"bench": KEY}),
        "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"bench": {"key": ADMIN_KEY, "role": "Voice Admin User"}}),
        "SMARTROUTING_RULES__FILE": str(rules),
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/bench.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/journal",
    }
