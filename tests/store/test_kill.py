"""A process killed in the middle of its work."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.calls.store import DecisionFilter, DecisionStore
from app.store.database import Database
from app.store.event_runs import EventRunStore
from app.store.journal import Journal
from app.store.mover import JournalMover, MoverOptions

PROGRAM = """
import asyncio, sys, time
from pathlib import Path
import structlog
from app.store.database import open_database
from app.calls.store import DecisionStore
from app.store.event_runs import EventRunStore
from app.store.journal import Journal
from app.store.mover import JournalMover, MoverOptions
from tests.support.records import make_record

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main():
    journal = Journal(folder=Path(sys.argv[1]), clock=time.monotonic, segment_bytes=20_000)
    database = open_database(sys.argv[2])
    store, runs = DecisionStore(database=database), EventRunStore(database=database)
    mover = JournalMover(journal=journal, sink=store, event_runs=runs, options=MoverOptions(linger=0.0, batch=10))
    moving = asyncio.create_task(mover.run())
    while True:
        record = make_record(time.time())
        assert journal.append(record)
        print(record.id, flush=True)
        await asyncio.sleep(0)

asyncio.run(main())
"""
ROUNDS = 5


def answer_calls_until_killed(folder: Path, url: str, answers: int) -> list[str]:
    """Start a process that writes records and says so; kill it after some answers; return what it said."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, str(folder), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        text=True,
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(answers)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return [line.strip() for line in said if line.endswith("\n")]


def list_names(folder: Path) -> list[str]:
    """List the files of the journal."""
    return [path.name for path in folder.iterdir()]


async def test_nothing_answered_is_lost_or_doubled(tmp_path: Path, database: Database, database_url: str) -> None:
    """Every record whose append returned is in the database once after a restart, whenever the process was killed."""
    folder = tmp_path / "journal"
    answered: list[str] = []
    for _ in range(ROUNDS):
        answered += answer_calls_until_killed(folder, database_url, random.randint(1, 300))  # noqa: S311 - no secret
    store = DecisionStore(database=database)
    journal = Journal(folder=folder, clock=time.monotonic)
    runs = EventRunStore(database=database)
    mover = JournalMover(journal=journal, sink=store, event_runs=runs, options=MoverOptions())

    mover.recover()
    assert await mover.drain()

    kept = [record.id async for record in store.stream(DecisionFilter())]
    assert len(answered) > ROUNDS
    assert set(answered) - set(kept) == set()
    assert len(kept) == len(set(kept))
    assert len(kept) - len(answered) <= ROUNDS
    assert list_names(folder) == []
    journal.close()
