"""Load from wrk, a public tool, on another core."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.server import CLIENT_CORE

__all__ = ["CALL", "KEY", "Load", "find_wrk", "press"]

KEY = "bench-webhook-key"
CALL = {
    "anum": "+358501234567",
    "bnum": "+358912345678",
    "targetid": "SALES_QUEUE",
    "extradata": {
        "CallId": "d59d7a2f-318a-469e-bdc0-b092a8fedbc1",
        "CurrQueueId": "9a4f0b1e-7c55-4f0e-9a53-0a7d1f8b2c11",
        "CurrUserId": "",
        "IsInternalCaller": False,
        "DYN_PAR_Culture": "en-GB",
    },
}
_MICROSECONDS = {"us": 1.0, "ms": 1_000.0, "s": 1_000_000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk measured."""

    per_second: float
    p50_us: float
    p99_us: float
    failures: int
    """Answers that were not 2xx, and socket errors."""


def find_wrk() -> str:
    """Return the path of wrk, or stop and say how to get it."""
    if found := shutil.which("wrk"):
        return found
    raise SystemExit("wrk is needed for the webhook measurement: apt-get install wrk, or brew install wrk")


def press(url: str, *, seconds: int, connections: int) -> Load:
    """Send calls as fast as they are answered."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "call.lua"
        script.write_text(_script(), encoding="utf-8")
        command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
        if pin := shutil.which("taskset"):
            command = [pin, "-c", str(CLIENT_CORE), *command]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - built above
    return _read(output)


def _script() -> str:
    body = json.dumps(CALL).replace("'", "\\'")
    return (
        "wrk.method = 'POST'\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
        f"wrk.headers['X-Benemen-APIKey'] = '{KEY}'\n"
        f"wrk.body = '{body}'\n"
    )


def _read(output: str) -> Load:
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    return Load(
        per_second=float(_find(r"Requests/sec:\s+([\d.]+)", output)),
        p50_us=_read_time(_find(r"(?m)^\s+50%\s+(\S+)", output)),
        p99_us=_read_time(_find(r"(?m)^\s+99%\s+(\S+)", output)),
        failures=(int(failed[1]) if failed else 0) + (sum(map(int, errors.groups())) if errors else 0),
    )


def _find(pattern: str, output: str) -> str:
    if found := re.search(pattern, output):
        return found[1]
    raise SystemExit(f"wrk said something unexpected:\n{output}")


def _read_time(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr] # wrk's own format
    return float(number) * _MICROSECONDS[unit]
