"""The way from the journal to the database."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.calls.store import DecisionFilter, DecisionStore
from app.routing.decisions import DecisionRecord
from app.store.database import Database, open_database
from app.store.errors import StoreRejectedError, StoreUnavailableError
from app.store.event_runs import EventRunRecord
from app.store.journal import Journal
from app.store.journal_segment import Segment, write_line
from app.store.mover import DecisionSink, JournalMover, MoverOptions
from tests.support.records import NOON, make_record

QUICK = MoverOptions(linger=0.0, idle=60.0, pause=0.001, longest_pause=0.001, batch=10)


class Shelf:
    """A database that can be away, and that refuses some records."""

    def __init__(self) -> None:
        self.kept: dict[str, DecisionRecord] = {}
        self.away = False
        self.refused: set[str] = set()
        self.asked = asyncio.Event()

    async def add(self, records: Sequence[DecisionRecord]) -> None:
        """Keep all of the records or none."""
        self.asked.set()
        if self.away:
            raise StoreUnavailableError("away")
        if self.refused & {record.id for record in records}:
            raise StoreRejectedError("refused")
        self.kept |= {record.id: record for record in records}


class NoRuns:
    """A table that nothing comes to."""

    async def add(self, records: Sequence[EventRunRecord]) -> None:
        """Fail."""
        raise AssertionError(records)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal"


@pytest.fixture
def shelf() -> Shelf:
    """A database in memory."""
    return Shelf()


class Ticks:
    """A clock that is a quarter of a second further each time it is read."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 0.25
        return self._now


def tell_spent(record: DecisionRecord) -> DecisionRecord:
    """Return the record as it arrives when this process wrote it down: with what that took, by the clock above."""
    waterfall = {"parse": 0.1, "lookup": 80.25, "rules": 0.05, "record": 250.0, "total": 330.4}
    return msgspec.structs.replace(record, waterfall=waterfall)


def open_journal(folder: Path, segment_bytes: int = 2**20) -> Journal:
    """Open a journal that never waits long."""
    return Journal(folder=folder, clock=Ticks(), segment_bytes=segment_bytes)


def make_mover(journal: Journal, sink: DecisionSink, options: MoverOptions = QUICK) -> JournalMover:
    """Make a mover that does not dawdle."""
    return JournalMover(journal=journal, sink=sink, event_runs=NoRuns(), options=options)


@asynccontextmanager
async def running(mover: JournalMover) -> AsyncIterator[None]:
    """Run the mover for a while, as the service does."""
    task = asyncio.create_task(mover.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def wait_until(condition: Callable[[], bool]) -> None:
    """Let others run until something holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the conditions are not ours to signal
            await asyncio.sleep(0)


def list_files(folder: Path) -> dict[str, bytes]:
    """Read every file of the journal by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_records_arrive_while_it_runs(folder: Path, database: Database) -> None:
    """What is appended appears in the database by itself, as it was."""
    journal, store = open_journal(folder), DecisionStore(database=database)
    records = [make_record(NOON + second) for second in range(25)]
    mover = make_mover(journal, store)

    async with running(mover):
        for record in records:
            assert journal.append(record)
        await wait_until(lambda: mover.backlog == 0)

    journal.close()
    assert [record async for record in store.stream(DecisionFilter())] == [*map(tell_spent, records)]


async def test_drain_moves_everything_and_leaves_no_file(folder: Path, database: Database) -> None:
    """After draining, every record is in the database and the folder holds nothing of any caller."""
    journal, store = open_journal(folder, segment_bytes=3000), DecisionStore(database=database)
    for second in range(25):
        journal.append(make_record(NOON + second))

    assert await make_mover(journal, store).drain()

    assert await store.count(DecisionFilter()) == 25
    assert list_files(folder) == {}
    journal.close()


async def test_records_wait_for_a_database_that_is_away(folder: Path, shelf: Shelf) -> None:
    """While the database is away appending goes on; when it is back all arrive, in order, once each."""
    journal = open_journal(folder, segment_bytes=3000)
    records = [make_record(NOON + second) for second in range(25)]
    mover = make_mover(journal, shelf)
    shelf.away = True

    async with running(mover):
        for record in records[:20]:
            assert journal.append(record)
        await shelf.asked.wait()
        assert mover.backlog == 20
        shelf.away = False
        for record in records[20:]:
            assert journal.append(record)
        await wait_until(lambda: mover.backlog == 0)

    journal.close()
    assert list(shelf.kept.values()) == [*map(tell_spent, records)]


async def test_pauses_double_up_to_a_limit_and_start_anew(folder: Path, shelf: Shelf) -> None:
    """A database that is away is asked less and less often; one that came back and goes again, soon again."""
    journal = open_journal(folder)
    options = MoverOptions(linger=0.0, pause=0.001, longest_pause=0.005)
    mover = make_mover(journal, shelf, options)
    shelf.away = True
    journal.append(make_record(NOON))

    with capture_logs() as lines:
        async with running(mover):
            await wait_until(lambda: len(lines) >= 5)
            shelf.away = False
            await wait_until(lambda: mover.backlog == 0)
            first, again = list(lines), len(lines) + 2
            shelf.away = True
            journal.append(make_record(NOON + 1))
            await wait_until(lambda: len(lines) >= again)

    journal.close()
    assert {line["event"] for line in lines} == {"journal.move_failed"}
    assert [line["retry_in"] for line in first[:5]] == [0.001, 0.002, 0.004, 0.005, 0.005]
    assert [line["retry_in"] for line in lines[len(first) :][:2]] == [0.001, 0.002]


async def test_locked_database_delays_records_only(folder: Path, tmp_path: Path, sqlite_template: Path) -> None:
    """A database somebody else has locked gets the records once it is free."""
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'locked.db')}"
    locker, database = open_database(url), open_database(url, busy_timeout_ms=1)
    journal, store = open_journal(folder), DecisionStore(database=database)
    mover = make_mover(journal, store)
    journal.append(make_record())

    async with locker.write():
        assert not await mover.drain()
    assert await mover.drain()

    assert await store.count(DecisionFilter()) == 1
    journal.close()
    await database.close()
    await locker.close()


async def test_drain_says_when_the_database_is_away(folder: Path, shelf: Shelf) -> None:
    """Draining into nothing gives up at once and keeps the records for the next start."""
    journal = open_journal(folder)
    journal.append(make_record())
    shelf.away = True

    assert not await make_mover(journal, shelf).drain()
    journal.close()

    shelf.away = False
    successor = open_journal(folder)
    mover = make_mover(successor, shelf)
    assert (mover.recover(), await mover.drain(), len(shelf.kept)) == (1, True, 1)
    successor.close()


async def test_what_a_dead_process_left_comes_first(folder: Path, shelf: Shelf) -> None:
    """A new process moves the old one's records before its own."""
    old = open_journal(folder)
    records = [make_record(NOON), make_record(NOON + 1)]
    old.append(records[0])
    old.close()
    journal = open_journal(folder)
    journal.append(records[1])
    mover = make_mover(journal, shelf)

    async with running(mover):
        await wait_until(lambda: len(shelf.kept) == 2)

    journal.close()
    assert list(shelf.kept.values()) == [records[0], tell_spent(records[1])]


@pytest.mark.parametrize("line", [b"garbage", b"{}", b'{"id":', b"\xff\xfe", b""], ids=repr)
async def test_unreadable_line_is_set_aside(folder: Path, shelf: Shelf, line: bytes) -> None:
    """A line that is no record goes to a file of its own and does not hold up the others."""
    records = [make_record(NOON), make_record(NOON + 1)]
    segment = Segment.create(folder, NOON)
    for content in (write_line(records[0]).rstrip(), line, write_line(records[1]).rstrip()):
        segment.append(content + b"\n")
    segment.close()
    journal = open_journal(folder)
    mover = make_mover(journal, shelf)

    assert mover.recover() == 1
    assert await mover.drain()

    assert list(shelf.kept.values()) == records
    assert mover.backlog == 0
    assert list_files(folder) == {f"{segment.path.stem}.rejected": line + b"\n"}
    journal.close()


async def test_refused_record_is_set_aside_alone(folder: Path, shelf: Shelf) -> None:
    """A record the database refuses does not take its batch with it."""
    journal = open_journal(folder)
    records = [make_record(NOON + second) for second in range(5)]
    shelf.refused = {records[2].id}
    for record in records:
        journal.append(record)
    mover = make_mover(journal, shelf)

    assert await mover.drain()

    assert list(shelf.kept.values()) == [*map(tell_spent, [*records[:2], *records[3:]])]
    assert [line for name, line in list_files(folder).items() if name.endswith(".rejected")] == [write_line(records[2])]
    journal.close()


async def test_missing_table_is_no_reason_to_reject(folder: Path, database: Database) -> None:
    """When the schema is broken, records wait for an operator instead of being set aside one by one."""
    journal, store = open_journal(folder), DecisionStore(database=database)
    journal.append(make_record())
    mover = make_mover(journal, store)
    async with database.write() as connection:
        await connection.execute(text("ALTER TABLE decisions RENAME TO hidden"))

    assert not await mover.drain()

    async with database.write() as connection:
        await connection.execute(text("ALTER TABLE hidden RENAME TO decisions"))
    assert await mover.drain()
    assert await store.count(DecisionFilter()) == 1
    assert not any(name.endswith(".rejected") for name in list_files(folder))
    journal.close()


async def test_quiet_time_cleans_up(folder: Path, shelf: Shelf) -> None:
    """When nothing comes for a while, the file with moved records is deleted and abandoned files are taken over."""
    journal = open_journal(folder)
    other = open_journal(folder)
    other.append(make_record(NOON))
    journal.append(make_record(NOON + 1))
    mover = make_mover(journal, shelf, MoverOptions(linger=0.0, idle=0.001))

    async with running(mover):
        await wait_until(lambda: len(shelf.kept) == 1)
        other.close()
        await wait_until(lambda: not list_files(folder))

    journal.close()
    assert len(shelf.kept) == 2


async def test_running_and_draining_at_once_move_each_record_once(folder: Path, shelf: Shelf) -> None:
    """Draining beside the running mover repeats nothing and loses nothing."""
    journal = open_journal(folder, segment_bytes=3000)
    records = [make_record(NOON + second) for second in range(50)]
    mover = make_mover(journal, shelf)

    async with running(mover):
        for record in records:
            journal.append(record)
        assert await mover.drain()

    journal.close()
    assert list(shelf.kept.values()) == [*map(tell_spent, records)]
