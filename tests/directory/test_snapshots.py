"""Snapshots: written behind, bounded, and never in the way."""

import asyncio
import time
from dataclasses import replace

from app.directory.limits import DirectoryLimits
from app.directory.snapshots import Snapshots
from tests.directory.scripted import ANNA, NOBODY, NUMBER, SnapshotTable, count_tasks

LIMITS = DirectoryLimits(snapshot_batch=100, snapshot_buffer=1000)


def number(index: int) -> str:
    """Return one of many numbers."""
    return f"+35840{index:07}"


async def test_callers_are_written_in_batches() -> None:
    """What is handed over within a second is written together, a bounded number at a time."""
    table = SnapshotTable()
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    for index in range(250):
        snapshots.keep(number(index), ANNA)
    assert table.writes == 0
    await asyncio.sleep(1.1)
    assert (table.writes, len(table.rows)) == (3, 250)
    await snapshots.aclose()


async def test_latest_caller_counts() -> None:
    """Of several callers for one number the last is written; one that nobody has any more is erased."""
    table = SnapshotTable()
    table.rows[number(2)] = ANNA
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    snapshots.keep(number(1), ANNA)
    snapshots.keep(number(1), replace(ANNA, vip=False))
    snapshots.keep(number(2), NOBODY)
    await snapshots.aclose()
    assert table.rows == {number(1): replace(ANNA, vip=False)}


async def test_store_away_delays_and_loses_nothing() -> None:
    """While the store is away the callers wait, and newer ones replace older ones; then all are written."""
    table = SnapshotTable()
    table.away = True
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    for index in range(10):
        snapshots.keep(number(index), ANNA)
    await asyncio.sleep(3.5)
    snapshots.keep(number(0), replace(ANNA, vip=False))
    assert table.rows == {}
    table.away = False
    await asyncio.sleep(1)
    assert table.rows == {number(index): ANNA for index in range(10)} | {number(0): replace(ANNA, vip=False)}
    await snapshots.aclose()


async def test_caller_that_changes_during_the_write_is_written_again() -> None:
    """A caller handed over while an older one is being written is not lost."""
    table = SnapshotTable()
    table.seconds = 0.5
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    snapshots.keep(NUMBER, ANNA)
    await asyncio.sleep(1.2)
    snapshots.keep(NUMBER, replace(ANNA, vip=False))
    await asyncio.sleep(5)
    assert table.rows == {NUMBER: replace(ANNA, vip=False)}
    await snapshots.aclose()


async def test_buffer_is_bounded() -> None:
    """With the store away for long the oldest are dropped."""
    table = SnapshotTable()
    table.away = True
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    for index in range(1500):
        snapshots.keep(number(index), ANNA)
    table.away = False
    await snapshots.aclose()
    assert (min(table.rows), len(table.rows)) == (number(500), 1000)


async def test_simultaneous_reads_are_one() -> None:
    """A thousand calls that need the same snapshot read it once."""
    table = SnapshotTable()
    table.rows[NUMBER] = ANNA
    table.seconds = 0.1
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    until = asyncio.get_running_loop().time() + 1
    found = await asyncio.gather(*(snapshots.find(NUMBER, until=until) for _ in range(1000)))
    assert (found, table.reads) == ([ANNA] * 1000, 1)
    await snapshots.aclose()


async def test_pending_caller_is_found_before_it_is_written() -> None:
    """What is on its way to the store counts as stored."""
    table = SnapshotTable()
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    snapshots.keep(NUMBER, ANNA)
    assert await snapshots.find(NUMBER, until=0) == ANNA
    await snapshots.aclose()


async def test_erasure_during_a_write_wins() -> None:
    """A number erased while it is being written is gone afterwards."""
    table = SnapshotTable()
    table.seconds = 0.5
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    snapshots.keep(NUMBER, ANNA)
    await asyncio.sleep(1.2)
    table.seconds = 0.0
    assert await snapshots.erase(NUMBER) == 1
    await asyncio.sleep(1)
    await snapshots.aclose()
    assert table.rows == {}


async def test_closing_with_the_store_away_is_bounded() -> None:
    """A store that hangs holds the end of the service up for its time only, and leaves no task."""
    table = SnapshotTable()
    table.seconds = 1000
    tasks = count_tasks()
    snapshots = Snapshots(store=table, limits=LIMITS, monotonic=time.monotonic)
    snapshots.keep(NUMBER, ANNA)
    started = asyncio.get_running_loop().time()
    await snapshots.aclose()
    assert asyncio.get_running_loop().time() - started < 2.1
    assert (table.rows, count_tasks()) == ({}, tasks)
