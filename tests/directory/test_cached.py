"""The cached directory: in time, from the best source there is."""

import asyncio
from dataclasses import replace

import pytest

from app.directory.limits import DirectoryLimits
from app.directory.lookup import LookupResult, Outage, Source
from app.routing.callers import Caller, CallerStatus, Cause, Selection
from tests.directory.scripted import (
    ANNA,
    FAILED,
    NOBODY,
    NUMBER,
    Bench,
    Script,
    SnapshotTable,
    answer,
    answer_after,
    hang,
)


async def test_first_call_is_answered_live() -> None:
    """A number nobody asked for before is looked up and answered with what Dataverse says."""
    async with Bench(answer_after(0.08, ANNA)) as bench:
        assert bench.directory.recall(NUMBER) is None
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(ANNA, Source.LIVE)
        assert bench.metrics.observed == [("identified", 0.08)]


async def test_second_call_is_recalled_fresh() -> None:
    """Within the fresh lifetime a caller is answered from memory, and no later."""
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(59.9)
        assert bench.directory.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)
        await asyncio.sleep(0.2)
        assert bench.directory.recall(NUMBER) is None
        assert len(bench.live.asked) == 1


async def test_nobody_is_believed_for_the_negative_lifetime() -> None:
    """That nobody has the number is recalled for 30 s and then asked again, waiting for the answer."""
    async with Bench(answer(NOBODY)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(29.9)
        assert bench.directory.recall(NUMBER) == LookupResult(NOBODY, Source.NEGATIVE)
        await asyncio.sleep(0.2)
        bench.live.script = answer(ANNA)
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(ANNA, Source.LIVE)


async def test_stale_caller_is_answered_at_once_and_refreshed_behind() -> None:
    """A stale caller costs no time, and the next call finds the new one fresh."""
    newer = replace(ANNA, vip=False, as_of=200.0)
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(61)
        bench.live.script = answer_after(0.3, newer)
        asked_at = bench.now
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(ANNA, Source.STALE)
        assert bench.now == asked_at
        await asyncio.sleep(0.4)
        assert bench.directory.recall(NUMBER) == LookupResult(newer, Source.FRESH)


async def test_caller_is_forgotten_after_the_stale_lifetime() -> None:
    """After a day nothing is left in memory; the store may still know."""
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(86_401)
        bench.table.rows.clear()
        bench.live.script = answer(FAILED)
        found = await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert found == LookupResult(FAILED.describe(), Source.NONE, FAILED)


async def test_failure_without_anything_known_is_unavailable_with_its_cause() -> None:
    """Nobody known, Dataverse failing: the caller is unavailable and says why."""
    async with Bench(answer(FAILED)) as bench:
        unavailable = Caller(status=CallerStatus.UNAVAILABLE, cause=Cause.ERROR, detail="Dataverse failed (HTTP 500)")
        found = await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert found == LookupResult(unavailable, Source.NONE, FAILED)


async def test_hang_ends_exactly_at_the_deadline() -> None:
    """A Dataverse that never answers costs the deadline and not a moment more."""
    async with Bench(hang) as bench:
        until = bench.by(1.2)
        found = await bench.directory.find(NUMBER, until=until)
        detail = "Dataverse timed out at 1.2 s"
        assert found.caller == Caller(status=CallerStatus.UNAVAILABLE, cause=Cause.TIMEOUT, detail=detail)
        assert bench.now == pytest.approx(until)


async def test_deadline_already_past_is_answered_at_once() -> None:
    """A call whose time is up gets its answer now, and the look-up still warms the memory."""
    async with Bench(answer_after(0.5, ANNA)) as bench:
        asked_at = bench.now
        found = await bench.directory.find(NUMBER, until=bench.now - 1)
        assert (found.source, found.caller.cause, bench.now) == (Source.NONE, Cause.TIMEOUT, asked_at)
        await asyncio.sleep(0.6)
        assert bench.directory.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)


async def test_larger_selection_makes_callers_unfresh() -> None:
    """When rules ask for more than was read, the caller is looked up again and the old one is only a last resort."""
    fuller = replace(ANNA, columns={"emailaddress1": "a@example.com"})
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        bench.directory.select(Selection(contact_columns=frozenset({"emailaddress1"})))
        assert bench.directory.recall(NUMBER) is None
        bench.live.script = answer(FAILED)
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(ANNA, Source.STALE, FAILED)
        bench.live.script = answer_after(0.1, fuller)
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(fuller, Source.LIVE)
        bench.directory.select(Selection())
        assert bench.directory.recall(NUMBER) == LookupResult(fuller, Source.FRESH)


async def test_look_up_with_the_smaller_selection_is_not_kept() -> None:
    """A look-up begun before rules asked for more answers its callers but does not count for later ones."""
    async with Bench(answer_after(0.5, ANNA)) as bench:
        early = asyncio.create_task(bench.directory.find(NUMBER, until=bench.by(1.5)))
        await asyncio.sleep(0.1)
        bench.directory.select(Selection(open_cases=True))
        late = asyncio.create_task(bench.directory.find(NUMBER, until=bench.by(1.5)))
        assert await early == LookupResult(ANNA, Source.LIVE)
        assert bench.directory.recall(NUMBER) is None
        assert await late == LookupResult(ANNA, Source.LIVE)
        assert bench.directory.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)
        assert len(bench.live.asked) == 2


async def test_uncounted_cases_are_asked_for_again_soon() -> None:
    """A caller whose open cases could not be counted is fresh for the negative lifetime only."""
    async with Bench(answer(replace(ANNA, open_cases_cause=Cause.ERROR))) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(29.9)
        assert bench.directory.recall(NUMBER) is not None
        await asyncio.sleep(0.2)
        assert bench.directory.recall(NUMBER) is None


async def test_purge_forgets_memory_look_up_and_snapshot() -> None:
    """After a purge nothing is known: not in memory, not in the store, not from the look-up under way."""
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(61)
        bench.live.script = answer_after(0.5, ANNA)
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert await bench.directory.purge(NUMBER) == 2
        await asyncio.sleep(2)
        assert (bench.directory.recall(NUMBER), bench.table.rows) == (None, {})
        assert await bench.directory.purge(NUMBER) == 0


async def test_purge_of_everything() -> None:
    """Without a number the purge forgets all of them."""
    async with Bench(answer(ANNA)) as bench:
        for index in range(10):
            await bench.directory.find(bench.number(index), until=bench.by(1.5))
        await asyncio.sleep(2)
        assert await bench.directory.purge(None) == 20
        assert {bench.directory.recall(bench.number(index)) for index in range(10)} == {None}
        assert bench.table.rows == {}


async def test_unknown_numbers_do_not_push_known_callers_out() -> None:
    """Memory is bounded, and a flood of numbers nobody has leaves the known callers alone."""
    async with Bench(answer(ANNA), limits=DirectoryLimits(size=100)) as bench:
        for index in range(101):
            await bench.directory.find(bench.number(index), until=bench.by(1.5))
        bench.live.script = answer(NOBODY)
        for index in range(1000, 1500):
            await bench.directory.find(bench.number(index), until=bench.by(1.5))
        remembered = (bench.directory.recall(bench.number(index)) for index in range(1500))
        assert sum(result is not None for result in remembered) == 200
        assert bench.directory.recall(bench.number(0)) is None
        assert bench.directory.recall(bench.number(1)) == LookupResult(ANNA, Source.FRESH)


async def test_broken_look_up_is_an_outage() -> None:
    """Even a defect in the look-up is answered as unavailable, never raised."""

    async def break_down(_e164: str) -> Caller:
        raise KeyError("something unforeseen")

    async with Bench(break_down) as bench:
        found = await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert (found.source, found.caller.cause) == (Source.NONE, Cause.ERROR)


async def test_statistics_count_by_state() -> None:
    """Requests are counted by what was known about the number."""
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        bench.directory.recall(NUMBER)
        await asyncio.sleep(61)
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        bench.live.script = answer(NOBODY)
        await bench.directory.find(bench.number(1), until=bench.by(1.5))
        bench.directory.recall(bench.number(1))
        counted = bench.directory.statistics()
        assert (counted.fresh, counted.stale, counted.miss, counted.negative) == (1, 1, 2, 1)


async def test_snapshots_survive_a_restart() -> None:
    """A new process with Dataverse away recognises the callers of the one before."""
    table = SnapshotTable()
    async with Bench(answer(ANNA), table=table) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
    async with Bench(answer(FAILED), table=table) as bench:
        found = await bench.directory.find(NUMBER, until=bench.by(1.5))
        assert found == LookupResult(ANNA, Source.SNAPSHOT, FAILED)
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(ANNA, Source.STALE)
        assert table.reads == 1


async def test_hang_leaves_time_to_read_the_snapshot() -> None:
    """When Dataverse hangs after a restart, the store is read within the call's own time."""
    table = SnapshotTable()
    table.rows[NUMBER] = ANNA
    table.seconds = 0.05
    async with Bench(hang, table=table) as bench:
        until = bench.by(1.5)
        found = await bench.directory.find(NUMBER, until=until)
        timed_out = Outage(cause=Cause.TIMEOUT, detail="Dataverse timed out at 1.4 s")
        assert (found.source, found.caller) == (Source.SNAPSHOT, ANNA)
        assert found.outage == replace(timed_out, detail=found.outage.detail if found.outage else "")
        assert bench.now <= until - 0.09


async def test_hanging_store_does_not_break_the_deadline() -> None:
    """Dataverse and the store both hang: the answer still leaves at the deadline."""
    table = SnapshotTable()
    table.seconds = 1000
    async with Bench(hang, table=table) as bench:
        until = bench.by(1.5)
        assert (await bench.directory.find(NUMBER, until=until)).source is Source.NONE
        assert bench.now == pytest.approx(until)
        table.seconds = 0


async def test_slow_crm_is_still_awaited_after_an_empty_snapshot() -> None:
    """The time kept back for the store is given back to the look-up when the store knows nothing."""
    async with Bench(answer_after(1.45, ANNA)) as bench:
        assert await bench.directory.find(NUMBER, until=bench.by(1.5)) == LookupResult(ANNA, Source.LIVE)


async def test_purge_during_a_snapshot_read_is_not_undone() -> None:
    """A number erased while a call reads its snapshot does not come back into memory."""
    table = SnapshotTable()
    table.rows[NUMBER] = ANNA
    async with Bench(answer(FAILED), table=table) as bench:
        table.seconds = 0.3
        call = asyncio.create_task(bench.directory.find(NUMBER, until=bench.by(1.5)))
        await asyncio.sleep(0.1)
        assert await bench.directory.purge(NUMBER) == 1
        assert (await call).source in {Source.SNAPSHOT, Source.NONE}
        assert bench.directory.recall(NUMBER) is None


async def test_caller_deleted_in_the_crm_does_not_come_back() -> None:
    """Once Dataverse said that nobody has the number any more, an outage does not revive the old caller."""
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(61)
        bench.live.script = answer(NOBODY)
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        await asyncio.sleep(31)
        bench.live.script = answer(FAILED)
        assert (await bench.directory.find(NUMBER, until=bench.by(1.5))).source is Source.NONE


async def test_other_rules_have_their_columns_read() -> None:
    """For rules that are not published a caller is asked anew, and what calls remember stays as it was."""
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        newer = replace(ANNA, open_cases=2)
        bench.live.script = answer(newer)
        wider = Selection(open_cases=True)

        assert await bench.directory.find_for(wider, NUMBER, until=bench.by(1.5)) == LookupResult(newer, Source.LIVE)
        assert await bench.directory.find_for(Selection(), NUMBER, until=bench.by(1.5)) == LookupResult(
            ANNA, Source.FRESH
        )


@pytest.mark.parametrize("script", [answer(FAILED), hang])
async def test_other_rules_fall_back_to_what_calls_know(script: Script) -> None:
    """When Dataverse does not answer, rules that are not published get the last known caller."""
    async with Bench(answer(ANNA)) as bench:
        await bench.directory.find(NUMBER, until=bench.by(1.5))
        bench.live.script = script

        result = await bench.directory.find_for(Selection(open_cases=True), NUMBER, until=bench.by(1.5))

        assert result == LookupResult(ANNA, Source.FRESH)
