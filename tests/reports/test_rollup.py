"""Figures equal a count of the decisions themselves, in whatever order these arrive."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.calls.store import DecisionFilter, DecisionStore
from app.reports.figures import REPORTS
from app.reports.periods import Grain, list_periods
from app.reports.rollup import SLOT_SECONDS, Rollup, find_slot
from app.reports.store import ReportFilter, ReportStore
from app.routing.callers import CallerStatus
from app.routing.decisions import DecisionRecord, Outcome
from app.store.database import Database
from app.web.limits import HeavyWork
from tests.support.records import make_record

HELSINKI = ZoneInfo("Europe/Helsinki")
AUTUMN = datetime(2026, 10, 24, 21, tzinfo=UTC)
"""Midnight in Helsinki before the day of 25 hours."""
SPRING = datetime(2027, 3, 27, 22, tzinfo=UTC)
"""Midnight in Helsinki before the day of 23 hours."""
EVERYBODY = ReportFilter()


def make_day(begin: datetime, *, seed: int, calls: int = 300) -> list[DecisionRecord]:
    """Make the decisions of three days, of few callers so that many call again."""
    chance = random.Random(seed)  # noqa: S311 - data, not secrets
    return [make_call(begin.timestamp() + chance.uniform(0, 3 * 86_400), chance) for _ in range(calls)]


def make_call(at: float, chance: random.Random) -> DecisionRecord:
    """Make one decision; every twentieth is a fire drill."""
    status = chance.choice(list(CallerStatus))
    outcome = chance.choice(list(Outcome))
    return make_record(
        at,
        caller_e164=None if status is CallerStatus.WITHHELD else f"+35850000{chance.randrange(40):04}",
        caller_status=status,
        queue_id=chance.choice(["sales", "support", None]),
        target_id=None,
        rule=chance.choice(["vip", "night", None]),
        outcome=outcome,
        decision={"redirect": "vip-queue"} if outcome is Outcome.REDIRECT else {},
        facts={"caller.vip": chance.random() < 0.2},
        waterfall={"total": chance.uniform(1, 2000)},
        deadline_ms=1500,
        drill="down" if chance.random() < 0.05 else None,
    )


def count_by_day(records: Iterable[DecisionRecord], zone: ZoneInfo, wanted: Callable[[Any], bool]) -> dict[date, int]:
    """Count decisions by the day on which somebody in the zone saw them."""
    counts: dict[date, int] = {}
    for record in records:
        if record.drill is None and wanted(record):
            day = datetime.fromtimestamp(record.at, zone).date()
            counts[day] = counts.get(day, 0) + 1
    return counts


def repeats(record: DecisionRecord, records: Sequence[DecisionRecord]) -> bool:
    """Tell whether the same number called in the 24 hours before."""
    return any(
        other.caller_e164 == record.caller_e164 and record.at - 86_400 <= other.at < record.at
        for other in records
        if other.caller_e164 is not None and other.drill is None
    )


async def read(database: Database, report: str, begin: datetime, *, days: int = 4) -> dict[date, Any]:
    """Return the rows of a report by day in Helsinki."""
    periods = list_periods(begin, begin + timedelta(days=days), Grain.DAY, HELSINKI)
    rows = await REPORTS[report].make(ReportStore(database=database), periods, EVERYBODY, HeavyWork())
    return {row.period.date(): row for row in rows}


@pytest.mark.parametrize("begin", [AUTUMN, SPRING])
@pytest.mark.parametrize("seed", range(3))
async def test_figures_equal_a_count_of_the_decisions(database: Database, begin: datetime, seed: int) -> None:
    """Also across a change of the clock, when records arrive in any order and some arrive twice."""
    records = make_day(begin, seed=seed)
    chance = random.Random(seed)  # noqa: S311 - data, not secrets
    arriving = chance.sample(records + records[:50], len(records) + 50)
    store = DecisionStore(database=database, rollup=Rollup(database=database))
    while arriving:
        size = chance.randrange(1, 60)
        await store.add(arriving[:size])
        del arriving[:size]

    calls, callers = await read(database, "calls", begin), await read(database, "callers", begin)

    def counted(wanted: Callable[[DecisionRecord], bool]) -> dict[date, int]:
        counts = count_by_day(records, HELSINKI, wanted)
        return {day: counts.get(day, 0) for day in calls}

    assert {day: row.calls for day, row in calls.items()} == counted(lambda _: True)
    assert {day: row.redirected for day, row in calls.items()} == counted(lambda r: r.outcome is Outcome.REDIRECT)
    assert {day: row.in_time for day, row in calls.items()} == counted(lambda r: r.waterfall["total"] <= 1500)
    assert {day: row.by_queue.get("sales", 0) for day, row in calls.items()} == counted(lambda r: r.queue_id == "sales")
    repeated = counted(lambda record: repeats(record, records))
    shown = {day for day, numbered in counted(lambda record: record.caller_e164 is not None).items() if numbered >= 5}
    assert {day: row.repeated for day, row in callers.items()} == {
        day: count if day in shown else None for day, count in repeated.items()
    }


async def test_quantiles_are_right_within_five_per_cent(database: Database) -> None:
    """The sketch is compared with the sorted times."""
    records = [record for record in make_day(AUTUMN, seed=7, calls=900) if record.drill is None]
    await DecisionStore(database=database, rollup=Rollup(database=database)).add(records)
    periods = list_periods(AUTUMN, AUTUMN + timedelta(days=3), Grain.MONTH, ZoneInfo("UTC"))
    [row] = await REPORTS["latency"].make(ReportStore(database=database), periods, EVERYBODY, HeavyWork())
    times = sorted(record.waterfall["total"] for record in records)
    exact = [times[int(len(times) * part) - 1] for part in (0.5, 0.9, 0.99, 1.0)]
    assert [row.p50_ms, row.p90_ms, row.p99_ms, row.max_ms] == [pytest.approx(value, rel=0.06) for value in exact]


REBUILT = ("calls", "callers", "latency", "rules")
SLOTS = range(find_slot(AUTUMN.timestamp()), find_slot(AUTUMN.timestamp() + 3 * 86_400) + 1, SLOT_SECONDS)


async def test_figures_that_were_lost_are_made_anew(database: Database) -> None:
    """Every half-hour made from the decision log equals what was added up while the log was written."""
    records, rollup = make_day(AUTUMN, seed=11), Rollup(database=database)
    store = DecisionStore(database=database, rollup=rollup)
    await store.add(records)
    before = {report: await read(database, report, AUTUMN) for report in REBUILT}
    await rollup.purge_before(SLOTS[-1] + SLOT_SECONDS)
    rebuilt = [await rollup.rebuild(slot) for slot in SLOTS]
    assert sum(calls or 0 for calls in rebuilt) == await store.count(DecisionFilter(drill=False))
    assert {report: await read(database, report, AUTUMN) for report in REBUILT} == before


async def test_rebuilding_after_a_purge_changes_no_figure(database: Database) -> None:
    """Whether the oldest calls in the log repeat one that was purged is known by the figures only."""
    records, rollup = make_day(AUTUMN, seed=11), Rollup(database=database)
    store = DecisionStore(database=database, rollup=rollup)
    await store.add(records)
    before = {report: await read(database, report, AUTUMN) for report in REBUILT}
    await store.purge_before(SLOTS[20] + 60.0)
    rebuilt = [await rollup.rebuild(slot) for slot in SLOTS]
    assert any(rebuilt)
    assert {report: await read(database, report, AUTUMN) for report in REBUILT} == before


async def test_two_replicas_that_write_at_once_see_what_the_other_wrote(database: Database) -> None:
    """Of each number one call stands in the journal of one replica and the next call in that of the other."""
    first, second = (DecisionStore(database=database, rollup=Rollup(database=database)) for _ in range(2))
    begin = AUTUMN.timestamp()
    callers = [f"+35850000{number:04}" for number in range(20)]
    for caller in callers:
        earlier, later = (make_record(begin + minute * 60.0, caller_e164=caller) for minute in (1, 2))
        await asyncio.gather(first.add([earlier]), second.add([later]))
    rows = await read(database, "callers", AUTUMN)
    assert sum(row.repeated or 0 for row in rows.values()) == len(callers)


async def test_figures_outlive_decisions_and_go_after_their_own_time(database: Database) -> None:
    """A purge of the log and the erasure of a caller leave the figures; their own purge removes old half-hours."""
    records, rollup = make_day(AUTUMN, seed=5), Rollup(database=database)
    store = DecisionStore(database=database, rollup=rollup)
    await store.add(records)
    before = await read(database, "callers", AUTUMN)
    await store.erase_number("+358500000001")
    await store.purge_before(AUTUMN.timestamp() + 4 * 86_400)
    assert await read(database, "callers", AUTUMN) == before
    second_day = datetime(2026, 10, 25, 22, tzinfo=UTC)
    await rollup.purge_before(second_day.timestamp())
    kept = await read(database, "calls", AUTUMN)
    whole = count_by_day(records, HELSINKI, lambda _: True)
    assert {day: row.calls for day, row in kept.items()} == {
        day: 0 if day < date(2026, 10, 26) else whole.get(day, 0) for day in kept
    }


async def test_call_is_repeated_by_one_that_was_written_before_it(database: Database) -> None:
    """Also when the batch that comes late holds a call from after that one."""
    hour = 3600.0
    early, middle, last = (
        make_record(AUTUMN.timestamp() + hours * hour, caller_e164="+358500000001") for hours in (0, 10, 20)
    )
    others = [make_record(AUTUMN.timestamp() + 60.0 + second, caller_e164=None) for second in range(9)]
    store = DecisionStore(database=database, rollup=Rollup(database=database))
    await store.add([middle])
    await store.add([early, last, *others])
    rows = await read(database, "callers", AUTUMN)
    periods = list_periods(AUTUMN, AUTUMN + timedelta(days=1), Grain.DAY, HELSINKI)
    assert sum(item.repeated for item in await ReportStore(database=database).sum_calls(periods, EVERYBODY)) == 2
    assert [row.repeated for row in rows.values()] == [2, None, None, None]


async def test_ids_from_outside_are_kept_masked_and_short(database: Database) -> None:
    """A queue that sends a number in place of its id does not bring it into figures that are never erased."""
    record = make_record(queue_id="+358401234567\0" + "x" * 5000, target_id=None)
    await DecisionStore(database=database, rollup=Rollup(database=database)).add([record])
    begin = datetime.fromtimestamp(record.at, UTC)
    rows = await read(database, "calls", begin, days=1)
    [queue] = next(row.by_queue for row in rows.values() if row.calls)
    assert queue.startswith("+35840*****67\ufffd")
    assert len(queue) == 200


async def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    """Around both changes of the clock and the turn of a year."""
    begin, end = datetime(2026, 12, 30, tzinfo=HELSINKI), datetime(2027, 1, 12, tzinfo=HELSINKI)
    weeks = list_periods(begin, end, Grain.WEEK, HELSINKI)
    assert [f"{week.start:%a %Y-%m-%d}" for week in weeks] == ["Mon 2026-12-28", "Mon 2027-01-04", "Mon 2027-01-11"]
    assert weeks[0].begin == begin.timestamp()
    months = list_periods(begin, end, Grain.MONTH, HELSINKI)
    assert [f"{month.start:%Y-%m-%d}" for month in months] == ["2026-12-01", "2027-01-01"]
    days = list_periods(AUTUMN, AUTUMN + timedelta(hours=25), Grain.HOUR, HELSINKI)
    assert len(days) == 25
    assert [day.start.isoformat() for day in days[3:5]] == ["2026-10-25T03:00:00+03:00", "2026-10-25T03:00:00+02:00"]
