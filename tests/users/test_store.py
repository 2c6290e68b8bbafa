"""Enreach ids of Dynamics users."""

import pytest

from app.store.database import Database
from app.users.store import EnreachIdStore, StoredEnreachId


@pytest.fixture
def store(database: Database) -> EnreachIdStore:
    """The store on either database."""
    return EnreachIdStore(database=database)


async def test_ids_and_overrides_are_set_apart(store: EnreachIdStore) -> None:
    """Setting ids leaves e-mail overrides alone, and the other way round."""
    await store.put_email("u-1", "ann@example.com", now=1.0)
    await store.put_enreach_ids({"u-1": "e-1", "u-2": "e-2"}, now=2.0)

    assert await store.load() == {
        "u-1": StoredEnreachId(user_id="u-1", enreach_id="e-1", email="ann@example.com", updated_at=2.0),
        "u-2": StoredEnreachId(user_id="u-2", enreach_id="e-2", email=None, updated_at=2.0),
    }


async def test_id_is_taken_away_without_the_override(store: EnreachIdStore) -> None:
    """None removes one of the two."""
    await store.put_enreach_ids({"u-1": "e-1"}, now=1.0)
    await store.put_email("u-1", "ann@example.com", now=2.0)
    await store.put_enreach_ids({"u-1": None}, now=3.0)

    assert await store.load() == {
        "u-1": StoredEnreachId(user_id="u-1", enreach_id=None, email="ann@example.com", updated_at=3.0)
    }


async def test_two_thousand_ids_are_set_at_once(store: EnreachIdStore) -> None:
    """An update of everybody is one transaction."""
    await store.put_enreach_ids({f"u-{number}": f"e-{number}" for number in range(2000)}, now=1.0)

    assert len(await store.load()) == 2000
