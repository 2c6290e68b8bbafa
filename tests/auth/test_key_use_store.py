"""Last-used times of webhook keys."""

from app.auth.key_use_store import KeyUseStore
from app.store.database import Database


async def test_newest_use_of_each_key_is_kept(database: Database) -> None:
    """A later time replaces an earlier one, never the other way round, whichever process saves last."""
    store = KeyUseStore(database=database)

    await store.save({})
    await store.save({"main": 5.0, "old": 1.0})
    await store.save({"main": 3.0, "old": 2.0, "new": 4.0})

    assert await store.load() == {"main": 5.0, "old": 2.0, "new": 4.0}
