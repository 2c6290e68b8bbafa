"""The audit."""

import pytest

from app.store.audit import AuditEntry, AuditStore
from app.store.database import Database


@pytest.fixture
def store(database: Database) -> AuditStore:
    """The store on either database."""
    return AuditStore(database=database)


async def test_entries_come_back_newest_first(store: AuditStore) -> None:
    """What was done is listed whole, in pages without gap."""
    await store.add(at=1.0, who="ann", what="draft.created", target="draft/1", after={"name": "summer"})
    await store.add(at=2.0, who="bob", what="draft.deleted", target="draft/1", before={"name": "summer"})

    first = await store.page(limit=1)
    second = await store.page(limit=1, after=first.next)

    assert [*first.items, *second.items] == [
        AuditEntry(
            id=2, at=2.0, who="bob", what="draft.deleted", target="draft/1", before={"name": "summer"}, after=None
        ),
        AuditEntry(
            id=1, at=1.0, who="ann", what="draft.created", target="draft/1", before=None, after={"name": "summer"}
        ),
    ]
    assert second.next is None


@pytest.mark.parametrize("wanted", [{"who": "bob"}, {"what": "b"}, {"target": "t/2"}])
async def test_entries_are_found_by_person_action_and_target(store: AuditStore, wanted: dict[str, str]) -> None:
    """Each condition finds the entry that fits."""
    await store.add(at=1.0, who="ann", what="a", target="t/1")
    await store.add(at=2.0, who="bob", what="b", target="t/2")

    assert [entry.id for entry in (await store.page(limit=9, **wanted)).items] == [2]
