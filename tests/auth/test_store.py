"""What is kept about keys."""

from dataclasses import replace

import pytest

from app.auth.store import ApiKeyStore, KeyUseStore, StoredKey
from app.errors import ConflictError
from app.settings import Role
from app.store.database import Database

KEY = StoredKey(
    id="k-1",
    label="ci",
    role=Role.VOICE_API_USER,
    salt="00ff",
    digest="not-a-real-digest",
    created_by="ann",
    created_at=1.0,
)
NEXT = replace(KEY, id="k-2", digest="not-a-real-digest-either", created_at=10.0)


@pytest.fixture
def store(database: Database) -> ApiKeyStore:
    """The store on either database."""
    return ApiKeyStore(database=database)


async def test_key_comes_back_as_it_was_kept(store: ApiKeyStore) -> None:
    """Every member of a key survives the database, and an id nobody has finds nothing."""
    key = replace(KEY, expires_at=99.0)
    await store.add(key)

    assert [await store.get("k-1"), await store.get("k-9")] == [key, None]


async def test_newest_key_is_listed_first(store: ApiKeyStore) -> None:
    """Keys are listed from the newest to the oldest, those of one moment by their id."""
    third = replace(KEY, id="k-3", label="reports")
    for key in (third, KEY, replace(NEXT, label="backup")):
        await store.add(key)

    assert [key.id for key in await store.list_all()] == ["k-2", "k-1", "k-3"]


async def test_label_belongs_to_one_valid_key(store: ApiKeyStore) -> None:
    """A second key of a label is refused while the first one is valid, and nothing is kept of it."""
    await store.add(KEY)

    with pytest.raises(ConflictError, match="rotate it, or choose another label"):
        await store.add(NEXT)

    assert await store.list_all() == [KEY]


@pytest.mark.parametrize("ending", [{"revoked_at": 5.0}, {"expires_at": 10.0}], ids=["revoked", "expired"])
async def test_label_is_free_again_after_its_key_has_ended(store: ApiKeyStore, ending: dict[str, float]) -> None:
    """A key that is revoked, or expires the moment the new one begins, no longer holds its label."""
    ended = replace(KEY, **ending)
    await store.add(ended)

    await store.add(NEXT)

    assert await store.list_all() == [NEXT, ended]


async def test_rotated_key_lives_on_until_the_overlap_ends(store: ApiKeyStore) -> None:
    """A rotation keeps the new key and lets the old one end at the given time, under the same label."""
    await store.add(KEY)

    assert await store.replace("k-1", NEXT, until=20.0)
    assert await store.list_all() == [NEXT, replace(KEY, expires_at=20.0)]


@pytest.mark.parametrize(
    "ending", [{"revoked_at": 5.0}, {"expires_at": 10.0}, {"id": "k-0"}], ids=["revoked", "expired", "unknown"]
)
async def test_key_that_has_ended_is_not_rotated(store: ApiKeyStore, ending: dict[str, float | str]) -> None:
    """Rotating a key that is revoked, expired or unknown changes nothing and says so."""
    ended = replace(KEY, **ending)  # type: ignore[arg-type] # members by name
    await store.add(ended)

    assert not await store.replace("k-1", NEXT, until=20.0)
    assert await store.list_all() == [ended]


async def test_key_is_revoked_once(store: ApiKeyStore) -> None:
    """The first revocation counts; a later one, or one of an unknown key, changes nothing."""
    await store.add(KEY)

    revoked = [
        await store.revoke("k-1", now=5.0),
        await store.revoke("k-1", now=6.0),
        await store.revoke("k-9", now=6.0),
    ]

    assert revoked == [True, False, False]
    assert await store.get("k-1") == replace(KEY, revoked_at=5.0)


async def test_latest_use_is_noted(store: ApiKeyStore) -> None:
    """Each use replaces the one before; an unknown key is no trouble."""
    await store.add(KEY)

    await store.touch("k-1", now=7.0)
    await store.touch("k-1", now=8.0)
    await store.touch("k-9", now=9.0)

    assert await store.list_all() == [replace(KEY, last_used=8.0)]


@pytest.mark.parametrize(
    ("key", "now", "valid"),
    [
        pytest.param(KEY, 1e12, True, id="for ever"),
        pytest.param(replace(KEY, expires_at=20.0), 19.9, True, id="before its end"),
        pytest.param(replace(KEY, expires_at=20.0), 20.0, False, id="at its end"),
        pytest.param(replace(KEY, revoked_at=5.0), 2.0, False, id="revoked"),
    ],
)
def test_key_is_valid_until_it_ends(key: StoredKey, now: float, *, valid: bool) -> None:
    """A key opens until its expiry, exclusive, and never once it is revoked."""
    assert key.is_valid(now) is valid


def test_secrets_stay_out_of_representations() -> None:
    """What a log or a traceback would show of a key tells neither its salt nor its digest."""
    assert (KEY.salt in repr(KEY), KEY.digest in repr(KEY)) == (False, False)


async def test_newest_use_of_each_key_is_kept(database: Database) -> None:
    """A later time replaces an earlier one, never the other way round, whichever process saves last."""
    store = KeyUseStore(database=database)

    await store.save({})
    await store.save({"main": 5.0, "old": 1.0})
    await store.save({"main": 3.0, "old": 2.0, "new": 4.0})

    assert await store.load() == {"main": 5.0, "old": 2.0, "new": 4.0}
