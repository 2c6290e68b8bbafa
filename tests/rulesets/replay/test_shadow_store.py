"""What drafts in the shadow would have decided otherwise."""

import asyncio
from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import text

from app.calls.store import DecisionStore
from app.rulesets.replay.shadow_store import ShadowCounts, ShadowResults, ShadowResultStore
from app.store.database import Database, open_database
from app.store.json_text import dump_text
from app.store.upgrade import _make_config, upgrade
from tests.support.records import make_record

GROUP = {"before": "VIP", "after": "Sales", "fields": ["target"], "calls": 1}
ONE = ShadowCounts(calls=1, changed=1, groups=[GROUP], missing_facts={"account.columns.revenue": 1})


@pytest.fixture
def store(database: Database) -> ShadowResultStore:
    """The store on either database."""
    return ShadowResultStore(database=database)


def _diff(number: int = 0, *, at: float = 1.0) -> dict[str, object]:
    return {"decision": f"d{number}", "at": at, "before": {"to": "VIP"}, "after": {"to": "Sales"}}


async def _add(store: ShadowResultStore, *diffs: dict[str, object], draft: str = "a", version: str = "1") -> None:
    def count(before: ShadowCounts) -> ShadowCounts:
        return replace(ONE, calls=before.calls + 1)

    await store.add(draft, version, count=count, diffs=diffs, now=7.0)


async def test_results_add_up_by_draft(store: ShadowResultStore) -> None:
    """What one version of a draft found is added up; other drafts have their own."""
    assert await store.get("a") is None

    await _add(store, _diff(1))
    await _add(store, _diff(2))
    await _add(store, _diff(3), draft="b")

    found = ShadowResults(since=7.0, counts=replace(ONE, calls=2), diffs=[_diff(1), _diff(2)])
    assert await store.get("a") == found


async def test_another_version_begins_anew(store: ShadowResultStore) -> None:
    """What an older version of the draft found is gone."""
    await _add(store, _diff(1))
    await _add(store, _diff(2), version="2")

    assert await store.get("a") == ShadowResults(since=7.0, counts=ONE, diffs=[_diff(2)])


async def test_latest_calls_are_kept(store: ShadowResultStore) -> None:
    """Of each draft the latest 500 calls stay, however many come at once."""
    await _add(store, *(_diff(number) for number in range(300)))
    await _add(store, _diff(7), draft="b")
    await _add(store, *(_diff(number) for number in range(300, 1000)))

    found, other = await store.get("a"), await store.get("b")

    assert found is not None
    assert other is not None
    assert [diff["decision"] for diff in found.diffs] == [f"d{number}" for number in range(500, 1000)]
    assert len(other.diffs) == 1


async def test_processes_add_at_once(store: ShadowResultStore) -> None:
    """Nothing is lost when several processes add at the same moment, also the first time."""
    await asyncio.gather(*(_add(store, _diff(number)) for number in range(8)))

    found = await store.get("a")

    assert found is not None
    assert (found.counts.calls, len(found.diffs)) == (8, 8)


async def test_calls_of_a_number_are_erased(store: ShadowResultStore, database: Database) -> None:
    """Calls from an erased number are gone, also one that is added after its decision was erased."""
    calls = DecisionStore(database=database)
    mine, other = make_record(), make_record(caller_e164="+358501111111")
    await calls.add([mine, other])
    diffs = [{**_diff(), "decision": record.id} for record in (mine, other)]
    await _add(store, *diffs)

    erased = [await store.erase_number("+358501234567")]
    await calls.erase_number("+358501234567")
    await _add(store, diffs[0])
    erased.append(await store.erase_number("+358501234567"))

    found = await store.get("a")
    assert found is not None
    assert (erased, found.diffs) == ([1, 1], [diffs[1]])


async def test_old_results_are_purged(store: ShadowResultStore) -> None:
    """Calls from before a time go, and counts to which nothing was added since."""
    await _add(store, _diff(1, at=1.0), _diff(2, at=5.0))

    assert await store.purge_before(5.0) == 1
    found = await store.get("a")
    assert found is not None
    assert found.diffs == [_diff(2, at=5.0)]
    assert await store.purge_before(8.0) == 1
    assert await store.get("a") is None


async def test_results_of_the_older_schema_are_moved(empty_url: str) -> None:
    """What was found before the upgrade is still there after it."""
    diff = {**_diff(1), "queue_id": None, "target_id": "SALES", "fields": ["target"]}
    members = {"calls": 3, "changed": 1, "other_rule": 0, "skipped": 0, "dropped": 2, "groups": [GROUP]}
    document = {"draft": "a", "version": "1", "since": 5.0, "missing_facts": {}, "diffs": [diff], **members}
    database = open_database(empty_url)
    async with database.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_make_config(sync), "0002"))
        insert = "INSERT INTO settings_documents VALUES ('shadow_results', :document, 'v', 'shadow', 5)"
        await connection.execute(text(insert), {"document": dump_text(document)})

    await upgrade(database)

    found = await ShadowResultStore(database=database).get("a")
    counts = ShadowCounts(calls=3, changed=1, dropped=2, groups=[GROUP], missing_facts={})
    assert found == ShadowResults(since=5.0, counts=counts, diffs=[diff])
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM settings_versions"))).scalar_one() == 0
    await database.close()
