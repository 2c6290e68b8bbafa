"""Settings documents and their versions."""

import asyncio

import pytest
from alembic import command
from sqlalchemy import text

from app.errors import PreconditionFailedError
from app.store.audit import AuditNote, AuditStore
from app.store.database import Database, open_database
from app.store.settings_documents import DocumentChange, SettingsDocument, SettingsDocumentStore
from app.store.upgrade import _make_config, upgrade


@pytest.fixture
def store(database: Database) -> SettingsDocumentStore:
    """The store on either database."""
    return SettingsDocumentStore(database=database)


async def put(store: SettingsDocumentStore, value: int, expected: int, author: str = "ann") -> SettingsDocument:
    """Write a version of the document `calls`."""
    change = DocumentChange(name="calls", document={"a": value}, expected=expected)
    return (await store.put([change], author=author, now=float(value)))[0]


async def test_document_nobody_set_is_none(store: SettingsDocumentStore) -> None:
    """A name without a document gives nothing."""
    assert (await store.get("calls"), await store.list_newest()) == (None, {})


async def test_every_version_of_a_document_stays(store: SettingsDocumentStore) -> None:
    """Each change names the version it was made from and adds one; each of them can be read."""
    first, second, third = await put(store, 1, 0), await put(store, 2, 1, "bob"), await put(store, 3, 2)

    page = await store.page("calls", limit=2, after=None)
    rest = await store.page("calls", limit=2, after=page.next)
    assert second == SettingsDocument(name="calls", version=2, document={"a": 2}, author="bob", at=2.0)
    assert (await store.get("calls"), await store.get("calls", 1), await store.get("calls", 4)) == (third, first, None)
    assert (page.items, rest.items, rest.next) == ((third, second), (first,), None)
    assert (await store.list_newest(), await store.list_since("calls", 1)) == ({"calls": 3}, [second, third])


@pytest.mark.parametrize("expected", [0, 2, 7])
async def test_stale_change_is_refused(store: SettingsDocumentStore, expected: int) -> None:
    """A change made from another version, or from none, is refused and nothing is lost."""
    first = await put(store, 1, 0)

    with pytest.raises(PreconditionFailedError):
        await put(store, 2, expected)

    assert await store.get("calls") == first


async def test_several_documents_are_written_together_or_not_at_all(store: SettingsDocumentStore) -> None:
    """One stale change among them leaves everything as it is, the audit too."""
    await put(store, 1, 0)
    changes = [
        DocumentChange(name="others", document={}, expected=0),
        DocumentChange(name="calls", document={}, expected=0),
    ]
    note = AuditNote(at=1.0, who="ann", what="settings.imported", target="settings")

    with pytest.raises(PreconditionFailedError):
        await store.put(changes, author="ann", now=2.0, notes=[note])

    assert await store.list_newest() == {"calls": 1}
    assert (await AuditStore(database=store._database).page(limit=5)).items == ()


@pytest.mark.parametrize("first", [True, False], ids=["new", "existing"])
async def test_of_two_changes_at_once_one_is_refused(store: SettingsDocumentStore, *, first: bool) -> None:
    """Two who write at once from the same state: one succeeds."""
    expected = 0 if first else (await put(store, 1, 0)).version

    outcomes = await asyncio.gather(*(put(store, 2, expected, who) for who in ("ann", "bob")), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {SettingsDocument, PreconditionFailedError}


async def test_what_was_set_before_versions_were_kept_is_the_first_one(empty_url: str) -> None:
    """An upgrade keeps documents, authors and times."""
    database = open_database(empty_url)
    async with database.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_make_config(sync), "0003"))
        await connection.execute(text("""INSERT INTO settings_documents VALUES ('calls', '{"a": 1}', 'v', 'ann', 5)"""))

    await upgrade(database)

    found = await SettingsDocumentStore(database=database).get("calls")
    await database.close()
    assert found == SettingsDocument(name="calls", version=1, document={"a": 1}, author="ann", at=5.0)
