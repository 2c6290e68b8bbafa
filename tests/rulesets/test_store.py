"""Drafts and revisions of rulesets."""

import asyncio
import uuid

import pytest

from app.errors import AppError, ConflictError, InvalidInputError, NotFoundError, PreconditionFailedError
from app.rulesets.store import Document, Draft, Revision, RulesetStore
from app.store.database import Database

FIRST: Document = {"destinations": {}, "rules": [{"id": "a"}]}
SECOND: Document = {"rules": [{"id": "b", "name": "Größe"}], "destinations": {}}


@pytest.fixture
def store(database: Database) -> RulesetStore:
    """The store on either database."""
    return RulesetStore(database=database)


async def start_draft(store: RulesetStore, document: Document = FIRST) -> Draft:
    """Start a draft on whatever is current."""
    return await store.drafts.create(
        str(uuid.uuid4()),
        name="summer",
        document=document,
        based_on=await store.current_number(),
        author="ann",
        now=1.0,
    )


async def publish(store: RulesetStore, document: Document) -> Revision:
    """Publish a document on whatever is current."""
    return await store.publish_document(
        document, expected=await store.current_number(), comment="", author="ann", now=1.0
    )


async def test_nothing_is_current_at_first(store: RulesetStore) -> None:
    """A new database has no revision."""
    assert await store.current() is None
    assert await store.current_number() is None


async def test_published_draft_becomes_the_current_revision(store: RulesetStore) -> None:
    """Publishing turns the draft into revision 1, word for word, and the draft is gone."""
    draft = await start_draft(store)

    published = await store.publish(
        draft.id, version=draft.version, expected=None, comment="first", author="bob", now=2.0
    )

    assert (published.head.number, published.head.comment, published.head.author, published.head.at) == (
        1,
        "first",
        "bob",
        2.0,
    )
    assert published.document == FIRST
    assert await store.current() == published
    assert await store.revision(1) == published
    assert await store.drafts.list_heads() == []


async def test_document_keeps_the_order_of_its_members(store: RulesetStore) -> None:
    """A ruleset reads back in the order it was written in."""
    await publish(store, SECOND)

    current = await store.current()

    assert current is not None
    assert list(current.document) == ["rules", "destinations"]


async def test_checksum_tells_documents_apart_by_content(store: RulesetStore) -> None:
    """The same rules in another order of members have the same checksum; other rules do not."""
    first = await publish(store, FIRST)
    same = await publish(store, dict(reversed(list(FIRST.items()))))
    other = await publish(store, SECOND)

    assert first.head.checksum == same.head.checksum
    assert first.head.checksum != other.head.checksum


async def test_stale_draft_is_not_published(store: RulesetStore) -> None:
    """A draft changed since it was read is refused, and neither draft nor revisions change."""
    draft = await start_draft(store)
    changed = await store.drafts.update(
        draft.id, version=draft.version, name="summer", document=SECOND, author="bob", now=2.0
    )

    with pytest.raises(PreconditionFailedError):
        await store.publish(draft.id, version=draft.version, expected=None, comment="", author="ann", now=3.0)

    assert await store.drafts.get(draft.id) == changed
    assert await store.current() is None


async def test_draft_on_an_old_revision_is_not_published(store: RulesetStore) -> None:
    """A publisher who has not seen the newest revision is refused, and the draft is still there."""
    draft = await start_draft(store)
    await publish(store, SECOND)

    with pytest.raises(ConflictError):
        await store.publish(draft.id, version=draft.version, expected=None, comment="", author="ann", now=3.0)

    assert await store.drafts.get(draft.id) == draft
    assert await store.current_number() == 1


async def test_of_two_publishers_exactly_one_wins(store: RulesetStore) -> None:
    """Drafts published at once on the same revision give one revision and refusals, and the others stay drafts."""
    drafts = [await start_draft(store) for _ in range(6)]

    async def try_publish(draft: Draft) -> type[AppError] | int:
        try:
            published = await store.publish(
                draft.id, version=draft.version, expected=None, comment="", author="ann", now=2.0
            )
        except AppError as error:
            return type(error)
        return published.head.number

    outcomes = await asyncio.gather(*map(try_publish, drafts))

    assert sorted(outcomes, key=str) == [1, *[ConflictError] * 5]
    assert len(await store.drafts.list_heads()) == 5
    assert await store.current_number() == 1


async def test_same_draft_published_twice_at_once_is_one_revision(store: RulesetStore) -> None:
    """A double click publishes once."""
    draft = await start_draft(store)

    outcomes = await asyncio.gather(
        *(
            store.publish(draft.id, version=draft.version, expected=None, comment="", author="ann", now=2.0)
            for _ in range(2)
        ),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} == {Revision, NotFoundError}
    assert await store.current_number() == 1


async def test_rollback_is_a_new_revision_with_the_old_document(store: RulesetStore) -> None:
    """Rolling back adds a revision that names its origin; no number is used twice."""
    first = await publish(store, FIRST)
    await publish(store, SECOND)

    back = await store.roll_back(1, expected=2, comment="oops", author="bob", now=3.0)

    assert (back.head.number, back.head.rollback_of, back.document) == (3, 1, first.document)
    assert await store.current() == back
    assert await store.revision(1) == first


async def test_rollback_needs_the_newest_revision(store: RulesetStore) -> None:
    """A rollback decided on an older state is refused."""
    await publish(store, FIRST)
    await publish(store, SECOND)

    with pytest.raises(ConflictError):
        await store.roll_back(1, expected=1, comment="", author="bob", now=3.0)


async def test_rollback_to_nothing_is_not_found(store: RulesetStore) -> None:
    """A revision that never was cannot come back."""
    with pytest.raises(NotFoundError):
        await store.roll_back(1, expected=None, comment="", author="bob", now=3.0)


async def test_missing_revision_is_not_found(store: RulesetStore) -> None:
    """A revision that never was is named."""
    with pytest.raises(NotFoundError, match="no revision 5"):
        await store.revision(5)


async def test_revisions_are_listed_from_new_to_old(store: RulesetStore) -> None:
    """Pages of revisions follow each other without gap."""
    heads = [(await publish(store, FIRST)).head for _ in range(3)]

    first = await store.list_revisions(limit=2)
    second = await store.list_revisions(limit=2, after=first.next)

    assert [*first.items, *second.items] == heads[::-1]
    assert second.next is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 30, "\u0661"])
async def test_made_up_cursor_is_refused(store: RulesetStore, cursor: str) -> None:
    """A cursor that no page gave is the sender's mistake."""
    with pytest.raises(InvalidInputError):
        await store.list_revisions(limit=2, after=cursor)


async def test_draft_changes_get_new_versions(store: RulesetStore) -> None:
    """Every change gives a version never seen before, even back to the same document."""
    draft = await start_draft(store)
    versions = [draft.version]

    for document in (SECOND, FIRST, FIRST):
        draft = await store.drafts.update(
            draft.id, version=draft.version, name="summer", document=document, author="bob", now=2.0
        )
        versions.append(draft.version)

    assert len(set(versions)) == 4
    assert await store.drafts.get(draft.id) == draft
    assert (draft.author, draft.updated_at, draft.document) == ("bob", 2.0, FIRST)


async def test_second_editor_is_refused_and_nothing_is_lost(store: RulesetStore) -> None:
    """Of two who change the same version at once, one is refused and the other's change stays."""
    draft = await start_draft(store)

    outcomes = await asyncio.gather(
        *(
            store.drafts.update(draft.id, version=draft.version, name=name, document=SECOND, author=name, now=2.0)
            for name in ("ann", "bob")
        ),
        return_exceptions=True,
    )

    kept = [outcome for outcome in outcomes if isinstance(outcome, Draft)]
    refused = [type(outcome) for outcome in outcomes if not isinstance(outcome, Draft)]
    assert (kept, refused) == ([await store.drafts.get(draft.id)], [PreconditionFailedError])


async def test_draft_is_deleted_in_the_version_that_was_read_only(store: RulesetStore) -> None:
    """Throwing away a draft that changed meanwhile is refused."""
    draft = await start_draft(store)

    with pytest.raises(PreconditionFailedError):
        await store.drafts.delete(draft.id, version="other")
    await store.drafts.delete(draft.id, version=draft.version)

    with pytest.raises(NotFoundError):
        await store.drafts.get(draft.id)


async def test_missing_draft_is_not_found(store: RulesetStore) -> None:
    """Changing a draft that is gone says so."""
    with pytest.raises(NotFoundError):
        await store.drafts.update("gone", version="x", name="", document={}, author="ann", now=1.0)
