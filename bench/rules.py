"""How long a decision and a full trace take: medians over repeats, and the time per rule."""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from app.routing.callers import Account, Caller, CallerKind, CallerStatus
from app.routing.calls import Call, read_call
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.facts import caller_facts
from app.routing.numbers import read_number
from app.routing.ruleset import read_ruleset
from bench.output import write

_NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC).timestamp()
_REPEATS = 41
_SLICE = 0.005
"""Seconds measured at once, so that the clock's own grain does not count."""


def main() -> None:
    """Write one line per measurement."""
    call, caller = _make_call(), _make_caller()
    for count, scoped in ((20, False), (100, False), (1000, False), (1000, True)):
        compiled = _make_rules(count, scoped=scoped)
        for name, task in _list_tasks(compiled, call, caller):
            took = _measure(task)
            label = f"{count} rules{', others scoped to other queues' if scoped else ''}"
            write(f"{label:<46} {name:<24} {took * 1e6:>9.2f} us   {took / count * 1e9:>8.1f} ns per rule")


def _list_tasks(compiled: CompiledRuleset, call: Call, caller: Caller) -> Iterator[tuple[str, Callable[[], object]]]:
    facts = compiled.gather(call, caller, _NOW)
    known = caller_facts(caller)
    yield "gather", lambda: compiled.gather(call, caller, _NOW)
    yield "gather, caller cached", lambda: compiled.gather(call, caller, _NOW, known=known)
    yield "decide", lambda: compiled.decide(facts, _NOW)
    yield "trace", lambda: compiled.trace(facts, _NOW)
    yield "trace as JSON values", lambda: compiled.trace(facts, _NOW).document()


def _measure(task: Callable[[], object]) -> float:
    started = time.perf_counter()
    task()
    rounds = max(1, int(_SLICE / max(time.perf_counter() - started, 1e-7)))
    return statistics.median(_measure_once(task, rounds) for _ in range(_REPEATS))


def _measure_once(task: Callable[[], object], rounds: int) -> float:
    started = time.perf_counter()
    for _ in range(rounds):
        task()
    return (time.perf_counter() - started) / rounds


def _make_rules(count: int, *, scoped: bool) -> CompiledRuleset:
    """Make rules of two or three conditions, of which only the last matches."""
    document = {
        "destinations": {"vip": {"kind": "queue", "id": "vip"}},
        "calendars": {"office": {"time_zone": "Europe/Helsinki", "weekly": {"wed": ["08:00-16:00"]}}},
        "rules": [_make_rule(index, count, scoped=scoped) for index in range(count)],
    }
    return compile_ruleset(read_ruleset(document), revision=1)


def _make_rule(index: int, count: int, *, scoped: bool) -> dict[str, object]:
    last = index == count - 1
    elsewhere = scoped and index < count - 20
    when: list[dict[str, object]] = [
        {"fact": "call.target_id", "op": "is", "value": f"QUEUE_{index}" if elsewhere else "SALES_QUEUE"},
        {"fact": "caller.vip", "op": "is", "value": True},
        {"fact": "account.columns.revenue", "op": "gt", "value": 10 if last else 1000},
    ]
    if index % 2:
        open_now: dict[str, object] = {"fact": "time.open", "op": "is", "value": True}
        when.append({"any": [open_now, {"fact": "caller.name", "op": "exists"}]})
    return {"id": f"rule-{index}", "when": {"all": when}, "then": {"redirect": "vip"}}


def _make_call() -> Call:
    payload = {
        "anum": "+358501234567",
        "bnum": "+358912345678",
        "targetid": "SALES_QUEUE",
        "extradata": {"CallId": "d59d7a2f", "CurrQueueId": "1a89fc22", "DYN_PAR_Culture": "en-GB"},
    }
    return read_call(payload, partial(read_number, region="FI"))


def _make_caller() -> Caller:
    return Caller(
        status=CallerStatus.IDENTIFIED,
        kind=CallerKind.CONTACT,
        id="c",
        name="Ann Example",
        vip=True,
        matches=1,
        account=Account(id="a", name="Example Ltd", columns={"revenue": 500}),
        as_of=_NOW,
    )
