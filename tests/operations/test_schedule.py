"""Work beside the calls."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from app.operations.schedule import Schedule
from app.store.errors import StoreUnavailableError


class Machine:
    """A clock that goes only while somebody sleeps, and how far it may go."""

    def __init__(self, start: str = "2026-03-02T00:00:00") -> None:
        self.now = datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()
        self.leads: bool | Exception = True
        self.lapses: list[float] = []
        self.limit = float("inf")
        self.done = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once, up to the limit."""
        self.lapses.append(seconds)
        self.now += seconds
        if self.now > self.limit:
            self.done.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    async def lead(self) -> bool:
        """Tell what the test decided."""
        if isinstance(self.leads, Exception):
            raise self.leads
        return self.leads

    def open(self) -> Schedule:
        """Make a schedule on this machine."""
        return Schedule(lead=self.lead, clock=lambda: self.now, sleep=self.sleep)

    async def run_until(self, end: str, start: Callable[[Schedule], None]) -> None:
        """Run what `start` puts on a schedule until a moment in UTC."""
        self.limit = datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp()
        async with asyncio.timeout(60), self.open() as schedule:
            start(schedule)
            await self.done.wait()

    def show(self) -> str:
        """Show the time in UTC."""
        return f"{datetime.fromtimestamp(self.now, UTC):%m-%d %H:%M:%S}"


async def test_broken_loop_starts_again() -> None:
    """A loop that breaks is logged and started again, until it ends by itself."""
    attempts: list[int] = []
    ended = asyncio.Event()
    machine = Machine()

    async def work() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("broken")
        ended.set()

    with capture_logs() as lines:
        async with machine.open() as schedule:
            schedule.keep("mine", work)
            await asyncio.wait_for(ended.wait(), 5)

    assert (len(attempts), machine.lapses) == (2, [1.0])
    assert [(line["event"], line["work"]) for line in lines] == [("schedule.loop_broken", "mine")]


async def test_leaving_waits_until_everything_ended() -> None:
    """At the end all work is cancelled, and what it does on the way out is waited for."""
    started, cleaned = asyncio.Event(), []

    async def work() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            cleaned.append("yes")

    async with Machine().open() as schedule:
        schedule.keep("mine", work)
        await started.wait()

    assert cleaned == ["yes"]


async def test_failure_of_the_block_still_stops_the_work() -> None:
    """When the block it belongs to breaks, the work ends too, and the error goes on."""
    tasks: list[asyncio.Task[None] | None] = []
    started = asyncio.Event()

    async def work() -> None:
        tasks.append(asyncio.current_task())
        started.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        async with Machine().open() as schedule:
            schedule.keep("mine", work)
            await started.wait()
            raise ValueError("out")

    with pytest.raises(ValueError, match="out"):
        await fail()

    assert [task.cancelled() for task in tasks if task] == [True]


async def test_repeated_work_tells_a_failure_once_until_it_is_over() -> None:
    """Work goes on however often it fails; each kind of failure is one line, and so is its end."""
    away, broken = StoreUnavailableError("away"), ValueError("broken")
    outcomes: list[Exception | None] = [None, away, away, away, broken, broken, None, None, away]
    machine = Machine()
    times: list[str] = []

    async def work() -> None:
        times.append(machine.show())
        if outcomes and (outcome := outcomes.pop(0)):
            raise outcome

    with capture_logs() as lines:
        await machine.run_until("2026-03-02T00:00:40", lambda schedule: schedule.every(5, "mine", work))

    assert times == [f"03-02 00:00:{second:02}" for second in range(0, 45, 5)]
    assert [(line["event"], line["work"], line.get("error")) for line in lines] == [
        ("schedule.failed", "mine", "store-unavailable"),
        ("schedule.failed", "mine", "ValueError"),
        ("schedule.works_again", "mine", None),
        ("schedule.failed", "mine", "store-unavailable"),
    ]


async def list_times(start: str, end: str, cron: str, time_zone: str, *, at_start: bool = False) -> list[str]:
    """List when daily work is done between two moments in UTC."""
    machine = Machine(start)
    times: list[str] = []

    async def work() -> None:
        times.append(machine.show())

    await machine.run_until(
        end, lambda schedule: schedule.daily(cron, "mine", work, time_zone=time_zone, at_start=at_start)
    )
    return times


@pytest.mark.parametrize(
    ("start", "end", "time_zone", "times"),
    [
        ("2026-03-02", "2026-03-04", "UTC", ["03-02 03:30:00", "03-03 03:30:00"]),
        ("2026-03-28", "2026-03-31", "Europe/Helsinki", ["03-28 01:30:00", "03-29 01:30:00", "03-30 00:30:00"]),
        ("2026-10-24", "2026-10-27", "Europe/Helsinki", ["10-24 00:30:00", "10-25 00:30:00", "10-26 01:30:00"]),
    ],
    ids=["usual", "hour-left-out", "hour-repeated"],
)
async def test_daily_work_is_done_once_a_day(start: str, end: str, time_zone: str, times: list[str]) -> None:
    """At its time in its zone, also on the days on which the clock is changed."""
    assert await list_times(start, end, "30 3 * * *", time_zone) == times


async def test_daily_work_can_begin_with_the_process() -> None:
    """What a process that was off at the time would miss is done at its start."""
    assert await list_times("2026-03-02T12:00", "2026-03-03T04:00", "0 3 * * *", "UTC", at_start=True) == [
        "03-02 12:00:00",
        "03-03 03:00:00",
    ]


async def test_daily_work_that_fails_is_made_up_for() -> None:
    """It is tried again every minute until it is done, and then waits for the next day."""
    outcomes: list[Exception | None] = [StoreUnavailableError("away"), StoreUnavailableError("away"), None, None]
    machine = Machine()
    times: list[str] = []

    async def work() -> None:
        times.append(machine.show())
        if outcome := outcomes.pop(0):
            raise outcome

    await machine.run_until("2026-03-03T12:00", lambda schedule: schedule.daily("0 3 * * *", "mine", work))

    assert times == ["03-02 03:00:00", "03-02 03:01:00", "03-02 03:02:00", "03-03 03:00:00"]


@pytest.mark.parametrize(("leads", "times"), [(True, ["03-02 03:00:00"]), (False, [])])
async def test_work_of_the_leader_is_left_to_it(*, leads: bool, times: list[str]) -> None:
    """Other processes do nothing at that time."""
    machine = Machine()
    machine.leads = leads
    done: list[str] = []

    async def work() -> None:
        done.append(machine.show())

    await machine.run_until("2026-03-02T12:00", lambda schedule: schedule.daily("0 3 * * *", "mine", work, leader=True))

    assert done == times


async def test_work_of_the_leader_is_not_skipped_while_nobody_can_tell_who_leads() -> None:
    """With the database away at its time the work is done as soon as it is back, and the delay is told."""
    machine = Machine()
    machine.leads = StoreUnavailableError("away")
    done: list[str] = []

    async def work() -> None:
        done.append(machine.show())

    async def repair() -> None:
        if machine.show() >= "03-02 03:05:00":
            machine.leads = True

    def start(schedule: Schedule) -> None:
        schedule.every(60, "repair", repair)
        schedule.daily("0 3 * * *", "mine", work, leader=True)

    with capture_logs() as lines:
        await machine.run_until("2026-03-02T12:00", start)

    assert len(done) == 1
    assert done[0] >= "03-02 03:05:00"
    assert [(line["event"], line["work"]) for line in lines] == [
        ("schedule.failed", "mine"),
        ("schedule.works_again", "mine"),
    ]
