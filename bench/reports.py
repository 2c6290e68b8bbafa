"""A busy quarter: what adding up costs a call, how fast reports are, and how much memory the whole table takes."""

import argparse
import asyncio
import os
import random
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from app.calls.decision_log import DecisionLog
from app.calls.schemas import write_decisions
from app.calls.store import DecisionFilter, DecisionStore
from app.reports.charts import draw
from app.reports.figures import REPORTS
from app.reports.periods import Grain, list_periods
from app.reports.rollup import Rollup
from app.reports.store import ReportFilter, ReportStore
from app.routing.callers import CallerStatus, Cause
from app.routing.decisions import DecisionRecord, Outcome
from app.rulesets.store import RulesetStore
from app.store.audit import AuditStore
from app.store.database import Database, open_database
from app.store.upgrade import upgrade
from app.web.limits import HeavyWork
from bench.output import write

__all__ = ["main"]

T = TypeVar("T")
_DAYS = 90
_BATCH = 200
"""As many as are moved from the journal at once."""
_ZONE = ZoneInfo("Europe/Helsinki")
_BEGIN = datetime(2026, 8, 1, tzinfo=_ZONE)
"""The 90 days after it hold the end of daylight saving time."""
_HOURS = (1, 1, 0, 0, 1, 2, 6, 18, 60, 80, 74, 58, 46, 62, 66, 54, 34, 18, 10, 8, 6, 4, 3, 2)
_WEEKDAYS = (1.0, 1.0, 1.0, 1.0, 0.9, 0.2, 0.1)
_STATUSES = {
    CallerStatus.IDENTIFIED: 60,
    CallerStatus.UNKNOWN: 25,
    CallerStatus.WITHHELD: 8,
    CallerStatus.AMBIGUOUS: 4,
    CallerStatus.UNAVAILABLE: 3,
}
_SOURCES = {"fresh": 55, "live": 35, "negative": 6, "stale": 4}
_QUEUES = tuple(f"queue-{number}" for number in range(8))
_RULES = {"vip": 15, "owner": 10, "night": 5, None: 70}
_CALLERS = 200_000
_SAMPLE = 20_000
"""Decisions that are written once more without figures, to compare the times."""


def main(arguments: Sequence[str]) -> None:
    """Write the figures; `SMARTROUTING_STORE__URL` names another database, which must be empty."""
    parser = argparse.ArgumentParser(prog="python -m bench reports")
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each report, of the last two weeks")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        url = os.environ.get("SMARTROUTING_STORE__URL", f"sqlite:///{folder}/bench.db")
        asyncio.run(_measure(url, f"sqlite:///{folder}/without.db", options))


async def _measure(url: str, other: str, options: argparse.Namespace) -> None:
    count, seed = options.decisions, options.seed
    database = open_database(url)
    await upgrade(database)
    with_figures = await _fill(DecisionStore(database=database, rollup=Rollup(database=database)), count, seed)
    write(f"{count:,} decisions over {_DAYS} days, {'SQLite' if database.is_sqlite else 'PostgreSQL'}")
    write(f"  written with their figures     {with_figures / count * 1e6:8.1f} us a call")
    await _compare_writing(database, other, seed)
    for days, grain in ((30, Grain.DAY), (_DAYS, Grain.DAY), (365, Grain.WEEK)):
        await _time_reports(ReportStore(database=database), days, grain)
    await _stream(database, count)
    if options.pictures is not None:
        await _draw(ReportStore(database=database), options.pictures)
    await database.close()


async def _fill(store: DecisionStore, count: int, seed: int) -> float:
    """Write decisions in the order of their times, and return the seconds that writing took."""
    seconds, records = 0.0, make_quarter(count, seed=seed)
    while batch := list(islice(records, _BATCH)):
        started = time.perf_counter()
        await store.add(batch)
        seconds += time.perf_counter() - started
    return seconds


async def _compare_writing(database: Database, other: str, seed: int) -> None:
    """Write the same decisions into two empty databases, and into one of them without figures."""
    if not database.is_sqlite:
        return
    plain = open_database(other)
    await upgrade(plain)
    without = await _fill(DecisionStore(database=plain), _SAMPLE, seed)
    await plain.close()
    write(f"  written without, the first {_SAMPLE:,}{without / _SAMPLE * 1e6:8.1f} us a call")


async def _time_reports(store: ReportStore, days: int, grain: Grain) -> None:
    end = _BEGIN + timedelta(days=_DAYS)
    periods = list_periods(end - timedelta(days=days), end, grain, _ZONE)
    write(f"  {days} days by {grain}, milliseconds, the slower of two")
    for name, kind in REPORTS.items():
        times = [await _time(partial(kind.make, store, periods, ReportFilter(), HeavyWork())) for _ in range(2)]
        write(f"    {name:18} {max(times) * 1e3:8.0f}")


async def _time(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def _draw(store: ReportStore, folder: Path) -> None:
    end = _BEGIN + timedelta(days=_DAYS)
    periods = list_periods(end - timedelta(days=14), end, Grain.DAY, _ZONE)
    for name, kind in REPORTS.items():
        if kind.of_decisions:
            rows = await kind.make(store, periods, ReportFilter(), HeavyWork())
            (folder / f"{name}.svg").write_text(draw(name, rows, Grain.DAY, str(_ZONE)), encoding="utf-8")


async def _stream(database: Database, count: int) -> None:
    log = DecisionLog(
        decisions=DecisionStore(database=database),
        revisions=RulesetStore(database=database),
        audit=AuditStore(database=database),
        clock=time.time,
    )
    started, size, first = time.perf_counter(), 0, 0
    async for items in log.walk(DecisionFilter(), after=None, revealed=False):
        size += len(write_decisions(items, header=False))
        first = first or _read_peak()
    write(f"  CSV of all {count:,}: {size / 1e6:,.0f} MB in {time.perf_counter() - started:.0f} s")
    write(f"    grew the process by {(_read_peak() - first) / 1024:.1f} MB at most")


def _read_peak() -> int:
    """Return the most memory this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def make_quarter(count: int, *, seed: int) -> Iterator[DecisionRecord]:
    """Make up decisions of 90 days, fewer at night and at weekends, in the order of their times."""
    chance = random.Random(seed)  # noqa: S311 - data, not secrets
    for at in _make_times(chance, count):
        yield _make_record(chance, at)


def _make_times(chance: random.Random, count: int) -> list[float]:
    begin = _BEGIN.timestamp()
    weights = [_HOURS[hour] * _WEEKDAYS[(day + _BEGIN.weekday()) % 7] for day in range(_DAYS) for hour in range(24)]
    hours = chance.choices(range(len(weights)), weights, k=count)
    return sorted(begin + (hour + chance.random()) * 3600 for hour in hours)


def _choose(chance: random.Random, weights: Mapping[T, int]) -> T:
    return chance.choices(list(weights), list(weights.values()))[0]


def _make_record(chance: random.Random, at: float) -> DecisionRecord:
    status = _choose(chance, _STATUSES)
    withheld, away = status is CallerStatus.WITHHELD, status is CallerStatus.UNAVAILABLE
    rule = _choose(chance, _RULES)
    number = None if withheld else f"+3585{int(_CALLERS * chance.random() ** 2):08}"
    total = min(chance.lognormvariate(1.0, 1.4), 1500.0)
    return DecisionRecord(
        id=_make_id(chance, at),
        at=at,
        request_id="bench",
        credential="main",
        call_id=f"{chance.getrandbits(128):032x}",
        caller_raw=number,
        caller_e164=number,
        called_raw="+358912345678",
        called_e164="+358912345678",
        target_id="SALES_QUEUE",
        queue_id=chance.choice(_QUEUES),
        facts={"call.caller": number, "caller.vip": rule == "vip", "caller.name": None, "time.weekday": 3},
        caller_status=status,
        caller_cause=Cause.TIMEOUT if away else None,
        caller_age_seconds=None,
        caller_source="none" if withheld or away else _choose(chance, _SOURCES),
        revision=1 + int(at // 864_000) % 10,
        rule=rule,
        outcome=Outcome.REDIRECT if rule else Outcome.NO_CHANGE,
        decision={"redirect": f"{rule}-queue"} if rule else {"no_change": True},
        status=200 if rule else 204,
        body=None,
        waterfall={"total": total},
        deadline_ms=1500,
    )


def _make_id(chance: random.Random, at: float) -> str:
    """Make a UUID version 7 (RFC 9562, section 5.7)."""
    value = (int(at * 1000) << 80) | (0x7 << 76) | (chance.getrandbits(12) << 64) | (0x2 << 62) | chance.getrandbits(62)
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
