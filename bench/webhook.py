"""The webhook for a cached caller and 20 rules, beside a bare FastAPI route, in alternating rounds on one core.

A second service has 20 rules over whatever else rules may ask: related records, recent calls, switches, tables, queues.
"""

import json
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import KEY, Load, find_wrk, press
from bench.output import write
from bench.server import Running, measure_processor, serve_process, settle

__all__ = ["main"]

_ROUNDS = 5
_SECONDS = 4
_CONNECTIONS = 32
_RULES = 20
_DESTINATIONS = {"vip-queue": {"kind": "queue", "id": "1a89fc22-517a-e611-80c9-00505689257e"}}


def main() -> None:
    """Print throughput, processor time and latency of all three, and the median ratios with the least and greatest."""
    find_wrk()
    with tempfile.TemporaryDirectory() as folder:
        bare = ["uvicorn", "bench.bare:app", "--port", "{port}", "--no-access-log", "--log-level", "warning"]
        service = ["app.cli", "serve"]
        with (
            serve_process(bare, "/docs", {}) as bare_server,
            serve_process(service, "/health/ready", _prepare(folder, "plain", make_ruleset())) as plain,
            serve_process(service, "/health/ready", _prepare(folder, "wide", make_wide_ruleset())) as wide,
        ):
            _compare(bare_server, plain, wide)


def make_ruleset() -> dict[str, Any]:
    """Make 20 rules of which only the last matches."""
    asked = [
        {"fact": "call.parameters.DYN_PAR_Culture", "op": "is", "value": f"xx-{number:02}"}
        for number in range(_RULES - 1)
    ]
    return {"destinations": _DESTINATIONS, "rules": _make_rules(asked)}


def make_wide_ruleset() -> dict[str, Any]:
    """Make 20 rules of which only the last matches, over facts of every kind."""
    kinds = [
        {"fact": "account.parent.vip", "op": "is", "value": True},
        {"fact": "account.owner_agent", "op": "is", "value": "nobody"},
        {"fact": "caller.preferred_agent", "op": "is", "value": "nobody"},
        {"fact": "caller.case.escalated", "op": "is", "value": True},
        {"fact": "caller.case.age_hours", "op": "gte", "value": 1_000_000},
        {"fact": "caller.calls.last_hour", "op": "gte", "value": 1_000_000_000},
        {"fact": "caller.calls.last_day", "op": "gte", "value": 1_000_000_000},
        {"fact": "caller.last_destination", "op": "is", "value": "nowhere"},
        {"fact": "caller.callback_pending", "op": "is", "value": True},
        {"fact": "switch.emergency", "op": "is", "value": True},
        {"fact": "table.brands.level", "op": "is", "value": "gold"},
        {"fact": "call.caller", "op": "in_table", "value": "blocked"},
        {"fact": "queue.vip-queue.length", "op": "gte", "value": 1},
        {"fact": "agent.available.caller.owner_agent", "op": "is", "value": True},
        {"not": {"fact": "rota.duty", "op": "exists"}},
        {"fact": "account.columns.createdon", "op": "older_than_days", "value": 30_000},
        {"defined": "gold"},
        {"not": {"fact": "time.weekday", "op": "exists"}},
        {"fact": "caller.any.columns.address1_city", "op": "is", "value": "Nowhere"},
    ]
    return {
        "time_zone": "Europe/Helsinki",
        "destinations": _DESTINATIONS,
        "tables": {"brands": {"key": "call.called"}},
        "rotas": {
            "duty": {
                "members": ["vip-queue"],
                "period": "week",
                "start": "2026-01-05T08:00",
                "time_zone": "Europe/Helsinki",
            }
        },
        "define": {"gold": {"fact": "account.columns.name", "op": "is", "value": "Gold"}},
        "rules": _make_rules(kinds),
    }


def _make_rules(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    vip = {"fact": "caller.vip", "op": "is", "value": True}
    rules = [
        {"id": f"rule-{number}", "when": {"all": [vip, each]}, "then": {"redirect": "vip-queue"}}
        for number, each in enumerate(asked)
    ]
    return [*rules, {"id": "vip", "when": vip, "then": {"redirect": "vip-queue"}}]


def _prepare(folder: str, name: str, ruleset: dict[str, Any]) -> dict[str, str]:
    """Write the rules of one service, and return its environment."""
    rules = Path(folder) / f"{name}.json"
    rules.write_text(json.dumps(ruleset), encoding="utf-8")
    return {
        "SMARTROUTING_DEMO": "1",
        # As deployed; the demo writes its log for people.
        "SMARTROUTING_LOG__FORMAT": "json",
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"bench": KEY}),
        "SMARTROUTING_RULES__FILE": str(rules),
        "SMARTROUTING_STORE__URL": f"sqlite:///{folder}/{name}.db",
        "SMARTROUTING_STORE__JOURNAL": f"{folder}/{name}-journal",
    }


@dataclass(frozen=True, slots=True)
class _Round:
    load: Load
    processor_us: float
    """Of the server, for one call; other programs of the machine hardly change it."""


def _compare(*servers: Running) -> None:
    def measure(server: Running, seconds: int) -> _Round:
        # They share a core: what one has left to write would be taken from the next.
        settle([each.process.pid for each in servers])
        before = measure_processor(server.process.pid)
        load = press(f"{server.url}/smartrouting", seconds=seconds, connections=_CONNECTIONS)
        spent = measure_processor(server.process.pid) - before
        return _Round(load, spent / (load.per_second * seconds) * 1_000_000)

    for server in servers:
        measure(server, 1)
    rounds = [[measure(server, _SECONDS) for server in servers] for _ in range(_ROUNDS)]
    for name, runs in zip(
        ("bare FastAPI route", "webhook, cached caller", "the same, all facts"), zip(*rounds, strict=True), strict=True
    ):
        _print_row(name, runs)
    _print_ratio("webhook to bare route", [(plain, bare) for bare, plain, _ in rounds])
    _print_ratio("all facts to plain ones", [(wide, plain) for _, plain, wide in rounds])


def _print_ratio(name: str, pairs: Sequence[tuple[_Round, _Round]]) -> None:
    rates = _spell(one.load.per_second / other.load.per_second for one, other in pairs)
    processor = _spell(other.processor_us / one.processor_us for one, other in pairs)
    write(f"{name}: {rates} by calls answered, {processor} by processor time")


def _spell(ratios: Iterable[float]) -> str:
    found = sorted(ratios)
    return f"{statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"


def _print_row(name: str, rounds: Sequence[_Round]) -> None:
    rate, p50, p99, processor = (
        statistics.median(values)
        for values in zip(
            *((run.load.per_second, run.load.p50_us, run.load.p99_us, run.processor_us) for run in rounds), strict=True
        )
    )
    failures = sum(run.load.failures for run in rounds)
    write(
        f"{name:24} {rate:9.0f}/s   processor {processor:4.0f} us   p50 {p50:7.0f} us   p99 {p99:7.0f} us"
        f"   failures {failures}"
    )
