"""The webhook for a cached caller and 20 rules, beside a bare FastAPI route, in alternating pairs on one core."""

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench.load import KEY, Load, find_wrk, press
from bench.output import write
from bench.server import serve

__all__ = ["main"]

_PAIRS = 5
_SECONDS = 4
_CONNECTIONS = 32
_RULES = 20
_VIP_QUEUE = "1a89fc22-517a-e611-80c9-00505689257e"


def main() -> None:
    """Print throughput and latency of both, and the ratio."""
    find_wrk()
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.json"
        rules.write_text(json.dumps(make_ruleset()), encoding="utf-8")
        bare = ["uvicorn", "bench.bare:app", "--port", "{port}", "--no-access-log", "--log-level", "warning"]
        with (
            serve(bare, "/docs", {}) as bare_url,
            serve(["app.cli", "serve"], "/health/ready", _environment(folder, rules)) as service_url,
        ):
            _compare(bare_url + "/smartrouting", service_url + "/smartrouting")


def make_ruleset() -> dict[str, Any]:
    """Make 20 rules of which only the last matches."""
    rules: list[dict[str, Any]] = [
        {
            "id": f"rule-{number}",
            "name": f"Rule {number}",
            "when": {
                "all": [
                    {"fact": "caller.vip", "op": "is", "value": True},
                    {"fact": "call.parameters.DYN_PAR_Culture", "op": "is", "value": f"xx-{number:02}"},
                ]
            },
            "then": {"redirect": "vip-queue"},
        }
        for number in range(_RULES - 1)
    ]
    rules.append(
        {
            "id": "vip",
            "name": "VIP callers skip the line",
            "when": {"fact": "caller.vip", "op": "is", "value": True},
            "then": {"redirect": "vip-queue"},
        }
    )
    return {"destinations": {"vip-queue": {"kind": "queue", "id": _VIP_QUEUE}}, "rules": rules}


def _environment(folder: str, rules: Path) -> dict[str, str]:
    return {
        "SMARTROUTING_DEMO": "1",
        # As deployed; the demo writes its log for people.
        "SMARTROUTING_LOG__FORMAT": "json",
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"bench": KEY}),
        "SMARTROUTING_RULES__FILE": str(rules),
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/bench.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/journal",
    }


def _compare(bare: str, service: str) -> None:
    for url in (bare, service):
        press(url, seconds=1, connections=_CONNECTIONS)
    pairs = [
        (
            press(bare, seconds=_SECONDS, connections=_CONNECTIONS),
            press(service, seconds=_SECONDS, connections=_CONNECTIONS),
        )
        for _ in range(_PAIRS)
    ]
    _print_row("bare FastAPI route", [pair[0] for pair in pairs])
    _print_row("webhook, cached caller", [pair[1] for pair in pairs])
    ratios = sorted(ours.per_second / theirs.per_second for theirs, ours in pairs)
    write(f"ratio of throughput: median {statistics.median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}")


def _print_row(name: str, runs: list[Load]) -> None:
    rate = statistics.median(run.per_second for run in runs)
    p50 = statistics.median(run.p50_us for run in runs)
    p99 = statistics.median(run.p99_us for run in runs)
    failures = sum(run.failures for run in runs)
    write(f"{name:24} {rate:9.0f}/s   p50 {p50:7.0f} us   p99 {p99:7.0f} us   failures {failures}")
