"""Who does the timed work."""

import asyncio

from sqlalchemy import text

from app.store.database import open_database
from app.store.kept_connections import Leadership


async def test_one_of_two_processes_leads(postgres_url: str) -> None:
    """The first to ask leads until it resigns; then the other does."""
    databases = [open_database(postgres_url) for _ in range(2)]
    first, second = (Leadership(database=database, role="reports") for database in databases)

    asked = [await first.lead(), await second.lead(), await first.lead()]
    await first.resign()
    after = await second.lead()

    await second.resign()
    for database in databases:
        await database.close()
    assert (asked, after) == ([True, False, True], True)


async def test_work_that_starts_together_finds_the_same_leader(postgres_url: str) -> None:
    """Two pieces of work that ask at the same moment both learn that their process leads, and others do not."""
    databases = [open_database(postgres_url) for _ in range(2)]
    first, second = (Leadership(database=database, role="together") for database in databases)

    at_once = await asyncio.gather(first.lead(), first.lead(), first.lead())
    again = await asyncio.gather(first.lead(), second.lead(), first.lead(), second.lead())
    await first.resign()
    after = await asyncio.gather(second.lead(), first.lead(), second.lead())

    await second.resign()
    for database in databases:
        await database.close()
    assert (at_once, again, after) == ([True] * 3, [True, False, True, False], [True, False, True])


async def test_roles_are_held_apart(postgres_url: str) -> None:
    """Leading one role does not keep others from another."""
    databases = [open_database(postgres_url) for _ in range(2)]
    first, second = (
        Leadership(database=database, role=role) for database, role in zip(databases, ["a", "b"], strict=True)
    )

    assert [await first.lead(), await second.lead()] == [True, True]

    await first.resign()
    await second.resign()
    for database in databases:
        await database.close()


async def test_leader_that_lost_its_connection_is_replaced(postgres_url: str) -> None:
    """A leader cut off from the database is a leader no more, and finds out when it asks."""
    databases = [open_database(postgres_url) for _ in range(2)]
    first, second = (Leadership(database=database, role="cut") for database in databases)
    assert await first.lead()
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with databases[1].read() as connection:
        await connection.execute(cut)

    assert [await second.lead(), await first.lead()] == [True, False]

    await second.resign()
    for database in databases:
        await database.close()


async def test_process_on_sqlite_always_leads(sqlite_template: str) -> None:
    """The embedded database serves one process."""
    database = open_database(f"sqlite:///{sqlite_template}")
    leadership = Leadership(database=database, role="reports")

    assert [await leadership.lead(), await leadership.lead()] == [True, True]

    await leadership.resign()
    await database.close()
