"""Settings as JSON documents."""

import asyncio

import pytest

from app.errors import PreconditionFailedError
from app.store.database import Database
from app.store.settings_documents import SettingsDocument, SettingsDocumentStore


@pytest.fixture
def store(database: Database) -> SettingsDocumentStore:
    """The store on either database."""
    return SettingsDocumentStore(database=database)


async def test_document_nobody_set_is_none(store: SettingsDocumentStore) -> None:
    """A name without a document gives nothing."""
    assert await store.get("calls") is None


async def test_document_changes_from_version_to_version(store: SettingsDocumentStore) -> None:
    """Each change names the version it was made from and gets a new one."""
    first = await store.put("calls", {"a": 1}, expected=None, author="ann", now=1.0)
    second = await store.put("calls", {"a": 2}, expected=first.version, author="bob", now=2.0)

    assert await store.get("calls") == second
    assert second == SettingsDocument(name="calls", document={"a": 2}, version=second.version, author="bob", at=2.0)
    assert second.version != first.version


@pytest.mark.parametrize("expected", [None, "stale"])
async def test_stale_change_is_refused(store: SettingsDocumentStore, expected: str | None) -> None:
    """A change made from another version, or from none, is refused and nothing is lost."""
    first = await store.put("calls", {"a": 1}, expected=None, author="ann", now=1.0)

    with pytest.raises(PreconditionFailedError):
        await store.put("calls", {"a": 2}, expected=expected, author="bob", now=2.0)

    assert await store.get("calls") == first


@pytest.mark.parametrize("first", [True, False], ids=["new", "existing"])
async def test_of_two_changes_at_once_one_is_refused(store: SettingsDocumentStore, *, first: bool) -> None:
    """Two who write at once from the same state: one succeeds."""
    expected = None if first else (await store.put("calls", {}, expected=None, author="ann", now=1.0)).version

    outcomes = await asyncio.gather(
        *(store.put("calls", {"by": who}, expected=expected, author=who, now=2.0) for who in ("ann", "bob")),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} == {SettingsDocument, PreconditionFailedError}
