"""The end of a database."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import event, text

from app.store.database import open_database
from app.store.kept_connections import SteadyReader


@pytest.mark.parametrize("moment", range(20))
async def test_closing_waits_for_what_was_given_up(tmp_path: Path, moment: int) -> None:
    """No thread is left that would report to an event loop that is gone, wherever its work was cancelled."""
    before = set(threading.enumerate())
    database = open_database(f"sqlite:///{tmp_path}/service.db")

    async def ask() -> None:
        async with database.read() as connection:
            await connection.execute(text("SELECT 1"))

    question = asyncio.create_task(ask())
    for _ in range(moment):
        await asyncio.sleep(0)
    question.cancel()
    await asyncio.gather(question, return_exceptions=True)
    await database.close()

    assert [thread for thread in threading.enumerate() if "connection_worker" in thread.name] == [
        thread for thread in before if "connection_worker" in thread.name
    ]


async def test_closing_ends_while_a_connection_is_in_use(tmp_path: Path) -> None:
    """A connection that is never given back does not keep the service from stopping."""
    database = open_database(f"sqlite:///{tmp_path}/service.db")

    async with database.engine.connect() as connection:
        async with asyncio.timeout(60):
            await database.close()
        await connection.invalidate()


async def test_reader_that_is_cancelled_while_it_connects_keeps_no_connection(tmp_path: Path) -> None:
    """Whatever the moment, the connection goes back, also when it had just been taken."""
    database = open_database(f"sqlite:///{tmp_path}/service.db")
    question = asyncio.create_task(SteadyReader(database=database).fetch("SELECT 1", "SELECT 1"))
    event.listen(database.engine.sync_engine, "checkout", lambda *_: question.cancel())

    await asyncio.gather(question, return_exceptions=True)

    assert (question.cancelled(), database.engine.pool.checkedout()) == (True, 0)
    await database.close()
