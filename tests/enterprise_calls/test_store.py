"""What is kept of work calls, on either database."""

from dataclasses import replace

from app.enterprise_calls.rules import CallEvent, Reason, Step, SyncOutcome
from app.enterprise_calls.store import EnterpriseCallStore, StoredCall, SyncState
from app.routing.numbers import NumberKind
from app.store.audit import AuditStore
from app.store.database import Database

EVENT = CallEvent(
    id="e-1",
    call_id="C-1",
    user_name="ann@x.example",
    started_at=1000.5,
    seconds=60.0,
    outgoing=False,
    answered=True,
    number="+358501234567",
    number_kind=NumberKind.E164,
)
CALL = StoredCall(
    event=EVENT,
    user_id="u-1",
    outcome=SyncOutcome.PENDING,
    reason=Reason.NO_MATCH,
    steps=(Step("counterpart", False, {"matches": 0}, "Nobody has this number."),),
    updated_at=2000.0,
)


async def test_call_comes_back_as_it_was_kept(database: Database) -> None:
    """Saving it again replaces it, and its id may be asked for in any case."""
    store = EnterpriseCallStore(database=database)
    await store.save([CALL, replace(CALL, event=replace(EVENT, id="e-2", started_at=None, number=None))])
    await store.save([replace(CALL, outcome=SyncOutcome.SYNCED, reason=Reason.WRITTEN)])

    assert (await store.load(["e-1"]))["e-1"] == replace(CALL, outcome=SyncOutcome.SYNCED, reason=Reason.WRITTEN)
    assert [call.event.id for call in await store.find(" c-1")] == ["e-2", "e-1"]
    assert await store.count() == {"pending": {"no_match": 1}, "synced": {"written": 1}}
    assert await store.list_users() == {"u-1"}
    assert await store.find_latest(SyncOutcome.SYNCED) == 2000.0


async def test_pages_follow_each_other(database: Database) -> None:
    """The latest first, also where many began at once."""
    store = EnterpriseCallStore(database=database)
    await store.save([replace(CALL, event=replace(EVENT, id=f"e-{number}")) for number in range(5)])

    first = await store.page(limit=3)
    second = await store.page(limit=3, after=first.next)

    assert [call.event.id for call in (*first.items, *second.items)] == ["e-4", "e-3", "e-2", "e-1", "e-0"]
    assert second.next is None


async def test_call_waits_until_it_was_tried(database: Database) -> None:
    """A night asks for calls it has not looked at."""
    store = EnterpriseCallStore(database=database)
    await store.save([CALL, replace(CALL, event=replace(EVENT, id="e-2"), tried_at=5000.0)])

    assert [call.event.id for call in await store.list_pending(not_tried_since=5000.0, limit=9)] == ["e-1"]
    assert await store.count_pending(not_tried_since=5001.0) == 2


async def test_withdrawn_call_leaves_the_id_of_its_activity_in_the_audit(database: Database) -> None:
    """Only of one that may be in Dynamics."""
    store = EnterpriseCallStore(database=database)
    await store.save([CALL, replace(CALL, event=replace(EVENT, id="e-2"), reason=Reason.WRITING)])

    assert await store.withdraw(["e-1", "e-2", "e-3"], now=1.0, who="sync") == ["e-2"]
    assert await store.load(["e-1", "e-2"]) == {}
    entries = (await AuditStore(database=database).page(limit=9)).items
    assert [(entry.what, entry.target) for entry in entries] == [("enterprise_calls.withdrawn", "phonecall/e-2")]


async def test_erased_number_stays_erased(database: Database) -> None:
    """A run that still holds the call does not bring it back."""
    store = EnterpriseCallStore(database=database)
    await store.save([CALL])

    assert await store.erase_number("+358501234567") == 1
    await store.save([CALL])

    kept = (await store.load(["e-1"]))["e-1"]
    assert (kept.reason, kept.event.number, kept.event.user_name, kept.user_id) == (Reason.ERASED, None, None, None)
    assert await store.erase_number("+358501234567") == 0
    assert await store.purge_before(1001.0) == 1


async def test_position_moves_forward_only(database: Database) -> None:
    """Whoever reads beside the leader takes nothing back, and the latest runs are kept."""
    store = EnterpriseCallStore(database=database)
    assert await store.read_state() is None
    await store.begin(position=100.0)
    await store.begin(position=50.0)
    await store.advance(position=200.0)
    await store.advance(position=150.0, overnight=10.0)
    for number in range(25):
        await store.note_run({"number": number})

    state = await store.read_state()
    assert state is not None
    assert replace(state, runs=()) == SyncState(since=100.0, position=200.0, overnight=10.0)
    assert [run["number"] for run in state.runs] == list(range(24, 4, -1))
