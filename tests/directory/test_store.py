"""Last known callers."""

import pytest
from sqlalchemy import text

from app.directory.store import CallerSnapshotStore
from app.routing.callers import Account, Caller, CallerKind, CallerStatus, Cause
from app.store.database import Database

NUMBER = "+358501234567"
CALLER = Caller(
    status=CallerStatus.IDENTIFIED,
    kind=CallerKind.CONTACT,
    id="c-1",
    name="Aino Virtanen",
    vip=None,
    owner_agent_cause=Cause.NOT_CONFIGURED,
    matches=1,
    columns={"creditlimit": 10.5, "revision": 3, "donotphone": False, "jobtitle": None, "city": "Åbo"},
    account=Account(id="a-1", name="Contoso", columns={"accountcategorycode": 1}),
    as_of=100.0,
)


@pytest.fixture
def anyio_backend() -> str:
    """Run on the usual clock: a database takes real time."""
    return "asyncio"


@pytest.fixture
def store(database: Database) -> CallerSnapshotStore:
    """The store on either database."""
    return CallerSnapshotStore(database=database)


async def test_caller_comes_back_as_it_was(store: CallerSnapshotStore) -> None:
    """A caller read back equals the caller that was saved, to the types of its columns."""
    await store.save({NUMBER: CALLER})

    found = (await store.get_many([NUMBER]))[NUMBER]

    assert found == CALLER
    assert found is not None
    assert [type(value) for value in found.columns.values()] == [float, int, bool, type(None), str]


async def test_unknown_number_is_none(store: CallerSnapshotStore) -> None:
    """A number nobody saved gives nothing."""
    assert await store.get_many([NUMBER]) == {}


async def test_newer_description_wins(store: CallerSnapshotStore) -> None:
    """A later description replaces an earlier one, never the other way round."""
    newer = Caller(status=CallerStatus.UNKNOWN, as_of=200.0)
    await store.save({NUMBER: CALLER})
    await store.save({NUMBER: newer})
    await store.save({NUMBER: CALLER})

    assert await store.get_many([NUMBER]) == {NUMBER: newer}


async def test_erased_number_is_gone(store: CallerSnapshotStore) -> None:
    """Erasing forgets one number and says whether it was known."""
    await store.save({NUMBER: CALLER, "+4687654321": CALLER})

    assert [await store.erase(NUMBER), await store.erase(NUMBER)] == [True, False]
    assert await store.get_many([NUMBER]) == {}
    assert await store.get_many(["+4687654321"]) == {"+4687654321": CALLER}


async def test_old_callers_are_purged(store: CallerSnapshotStore) -> None:
    """Callers described before a time are forgotten."""
    await store.save({NUMBER: CALLER, "+4687654321": Caller(status=CallerStatus.UNKNOWN, as_of=200.0)})

    assert await store.purge_before(200.0) == 1
    assert await store.get_many([NUMBER]) == {}


async def test_words_of_another_version_are_no_caller(store: CallerSnapshotStore, database: Database) -> None:
    """A snapshot this version cannot read counts as none."""
    await store.save({NUMBER: CALLER})
    async with database.write() as connection:
        await connection.execute(text('UPDATE caller_snapshots SET caller = \'{"status": "famous"}\''))

    assert await store.get_many([NUMBER]) == {}
