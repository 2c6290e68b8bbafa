"""What administrators confirmed by hand."""

from dataclasses import replace

import pytest

from app.store.database import Database
from app.store.settings_documents import EVERYBODY, Confirmation, ConfirmationStore

ANN = Confirmation(subject="u-1", item="web_phone", who="admin", at=1.0, note="seen in Voice Center")
ALL = Confirmation(subject=EVERYBODY, item="web_phone", who="admin", at=2.0)
STEP = Confirmation(subject="u-1", item="back_end", who="admin", at=3.0)


@pytest.fixture
async def store(database: Database) -> ConfirmationStore:
    """The store on either database, with two confirmations of one item and two about one subject."""
    store = ConfirmationStore(database=database)
    for confirmation in (ANN, ALL, STEP):
        await store.put(confirmation)
    return store


async def test_item_is_read_by_subject(store: ConfirmationStore) -> None:
    """All confirmations of an item come back whole, each under what it is about."""
    assert await store.list_of("web_phone") == {"u-1": ANN, EVERYBODY: ALL}


async def test_subject_is_read_by_item(store: ConfirmationStore) -> None:
    """All confirmations about a subject come back whole; those for everybody are not among them."""
    assert await store.list_about("u-1") == {"web_phone": ANN, "back_end": STEP}


async def test_unconfirmed_is_empty(store: ConfirmationStore) -> None:
    """What nobody confirmed is an empty answer."""
    assert [await store.list_of("front_end"), await store.list_about("u-9")] == [{}, {}]


async def test_latest_confirmation_counts(store: ConfirmationStore) -> None:
    """Confirming again replaces who, when and note, for that subject and item alone."""
    again = replace(ANN, who="bo", at=4.0, note="")

    await store.put(again)

    assert await store.list_of("web_phone") == {"u-1": again, EVERYBODY: ALL}
    assert await store.list_about("u-1") == {"web_phone": again, "back_end": STEP}


async def test_confirmation_is_taken_back_once(store: ConfirmationStore) -> None:
    """Taking back removes one confirmation and says whether there was one."""
    removed = [await store.remove("u-1", "web_phone"), await store.remove("u-1", "web_phone")]

    assert removed == [True, False]
    assert await store.list_of("web_phone") == {EVERYBODY: ALL}
    assert await store.list_about("u-1") == {"back_end": STEP}
