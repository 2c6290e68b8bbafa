"""The decision log."""

from typing import Any

import pytest

from app.calls.store import DecisionFilter, DecisionStore
from app.routing.callers import CallerStatus, Cause
from app.routing.decisions import DecisionRecord, Outcome
from app.store.database import Database
from tests.support.records import NOON, make_record

EVERYTHING = DecisionFilter()


@pytest.fixture
def store(database: Database) -> DecisionStore:
    """The store on either database."""
    return DecisionStore(database=database)


async def test_record_comes_back_as_it_was(store: DecisionStore) -> None:
    """A record read back equals the record that was added, down to the order of its stages."""
    record = make_record()

    await store.add([record])

    found = await store.get(record.id)
    assert found == record
    assert found is not None
    assert list(found.waterfall) == ["parse", "lookup", "rules", "total"]


async def test_unknown_id_is_none(store: DecisionStore) -> None:
    """An id that nobody has gives nothing."""
    assert await store.get("no-such-id") is None


async def test_adding_twice_changes_nothing(store: DecisionStore) -> None:
    """A record added again, alone or among new ones, is there once and as it was first."""
    first, second = make_record(), make_record(NOON + 1)
    await store.add([first])

    await store.add([make_record(id=first.id, rule="other"), second])

    assert await store.get(first.id) == first
    assert await store.count(EVERYTHING) == 2


async def test_text_no_database_can_hold_is_kept_readable(store: DecisionStore) -> None:
    """NUL and lone surrogates, which a caller may send, become replacement characters instead of an error."""
    record = make_record(caller_raw="a\0b\ud800", facts={"call.parameters.DYN_X": "c\0\udc00"})

    await store.add([record])

    found = await store.get(record.id)
    assert found is not None
    assert found.caller_raw == "a\ufffdb\ufffd"
    assert found.facts == {"call.parameters.DYN_X": "c\ufffd\ufffd"}


async def test_numbers_beyond_64_bits_are_kept_as_text(store: DecisionStore) -> None:
    """An integer no JSON reader can hold becomes text."""
    record = make_record(facts={"call.parameters.DYN_X": 10**30})

    await store.add([record])

    found = await store.get(record.id)
    assert found is not None
    assert found.facts == {"call.parameters.DYN_X": "1" + "0" * 30}


async def test_pages_go_from_new_to_old_without_gap(store: DecisionStore) -> None:
    """Following the cursor shows every record once, the newest first."""
    records = [make_record(NOON + second) for second in range(5)]
    await store.add(records)

    first = await store.page(EVERYTHING, limit=2)
    second = await store.page(EVERYTHING, limit=2, after=first.next)
    third = await store.page(EVERYTHING, limit=2, after=second.next)

    assert [item.id for item in (*first.items, *second.items, *third.items)] == [each.id for each in records[::-1]]
    assert third.next is None


async def test_full_last_page_has_no_next(store: DecisionStore) -> None:
    """A page that ends exactly at the last record says so."""
    await store.add([make_record(), make_record(NOON + 1)])

    page = await store.page(EVERYTHING, limit=2)

    assert (len(page.items), page.next) == (2, None)


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        (DecisionFilter(since=NOON + 50), {"at": NOON + 50}),
        (DecisionFilter(until=NOON), {"at": NOON - 1}),
        (DecisionFilter(queue_id="queue-2"), {"queue_id": "queue-2"}),
        (DecisionFilter(target_id="OTHER"), {"target_id": "OTHER"}),
        (DecisionFilter(outcome=Outcome.NO_CHANGE), {"outcome": Outcome.NO_CHANGE}),
        (DecisionFilter(rule="owner"), {"rule": "owner"}),
        (DecisionFilter(caller_status=CallerStatus.UNAVAILABLE), {"caller_status": CallerStatus.UNAVAILABLE}),
        (DecisionFilter(caller_cause=Cause.TIMEOUT), {"caller_cause": Cause.TIMEOUT}),
        (DecisionFilter(revision=8), {"revision": 8}),
        (DecisionFilter(call_id="call-2"), {"call_id": "call-2"}),
        (DecisionFilter(caller_e164="+4687654321"), {"caller_e164": "+4687654321"}),
        (DecisionFilter(drill=True), {"drill": "timeout"}),
        (DecisionFilter(queue_id="queue-2", rule="owner"), {"queue_id": "queue-2", "rule": "owner"}),
    ],
    ids=lambda value: "" if isinstance(value, DecisionFilter) else "-".join(value),
)
async def test_filter_finds_exactly_what_fits(
    store: DecisionStore, wanted: DecisionFilter, changes: dict[str, Any]
) -> None:
    """Each condition finds the one record that fits and not the ordinary one."""
    fitting = make_record(**{"at": NOON + 1, **changes})
    await store.add([make_record(), fitting])

    assert [item.id for item in (await store.page(wanted, limit=10)).items] == [fitting.id]
    assert await store.count(wanted) == 1


@pytest.mark.parametrize("time", [float("-inf"), -1e300, 1e300, float("inf"), float("nan")])
async def test_any_time_is_a_bound(store: DecisionStore, time: float) -> None:
    """Times beyond every calendar find all or nothing."""
    await store.add([make_record()])

    found = [await store.count(DecisionFilter(since=time)), await store.count(DecisionFilter(until=time))]

    assert set(found) <= {0, 1}


async def test_real_calls_exclude_drills(store: DecisionStore) -> None:
    """Asking for no drills leaves the pretended call out."""
    real = make_record()
    await store.add([real, make_record(NOON + 1, drill="timeout")])

    assert [item.id for item in (await store.page(DecisionFilter(drill=False), limit=10)).items] == [real.id]


async def test_rules_are_counted_since_a_time(store: DecisionStore) -> None:
    """Counting by rule takes real calls from then on, and those that no rule matched."""
    await store.add(
        [
            make_record(NOON - 1),
            make_record(NOON),
            make_record(NOON + 1),
            make_record(NOON + 2, rule=None),
            make_record(NOON + 3, drill="timeout"),
        ]
    )

    assert await store.count_by_rule(NOON) == {"vip": 2, None: 1}


async def test_stream_goes_from_old_to_new_across_chunks(store: DecisionStore) -> None:
    """A stream longer than one read shows every record once, in order."""
    records = [make_record(NOON + second) for second in range(600)]
    await store.add(records)

    assert [record async for record in store.stream(EVERYTHING)] == records


async def test_sample_is_spread_evenly(store: DecisionStore) -> None:
    """A sample has just so many records from the whole range, is the same every time, and part of larger ones."""
    records = [make_record(NOON + second, queue_id="q") for second in range(1000)]
    await store.add([*records, make_record(NOON, queue_id="other")])
    wanted = DecisionFilter(queue_id="q")

    async def take(sample: int) -> list[DecisionRecord]:
        return [record async for record in store.stream(wanted, sample=sample)]

    large, small = await take(400), await take(100)
    assert (len(large), len(small)) == (400, 100)
    assert await take(100) == small
    assert [record for record in large if record in small] == small
    assert [record for record in records if record in large] == large
    quarters = [sum(quarter <= (record.at - NOON) / 250 < quarter + 1 for record in large) for quarter in range(4)]
    assert all(60 < quarter < 140 for quarter in quarters)
    assert await take(5000) == records


async def test_purge_removes_what_is_old(store: DecisionStore) -> None:
    """Purging removes decisions from before a time, keeps the rest, and says how many went."""
    kept = make_record(NOON)
    await store.add([make_record(NOON - 2), make_record(NOON - 1), kept])

    assert await store.purge_before(NOON) == 2
    assert [item.id for item in (await store.page(EVERYTHING, limit=10)).items] == [kept.id]


async def test_erased_caller_is_gone_and_still_counts(store: DecisionStore) -> None:
    """Erasing a number leaves the decision with its rule and time, and nothing that says who called."""
    record = make_record(
        body='{"InitialTarget":"+358501234567"}',
        decision={"redirect_to": "358501234567", "extra_priority": 10},
        target_id="+358501234567",
        queue_id="from 358501234567",
    )
    other = make_record(NOON + 1, caller_e164="+358501234568")
    await store.add([record, other])

    assert await store.erase_number("+358501234567") == 1

    found = await store.get(record.id)
    assert found == make_record(
        id=record.id,
        caller_e164=None,
        caller_raw="erased",
        call_id=None,
        target_id="erased",
        queue_id="from erased",
        facts={
            "call.caller": "erased",
            "call.country": "FI",
            "call.parameters.DYN_Ref": "erased",
            "caller.name": "erased",
            "caller.vip": True,
            "caller.open_cases": {"unknown": "timeout", "detail": "Dataverse timed out at 1.2 s"},
            "account.name": None,
            "time.weekday": 3,
        },
        decision={"redirect_to": "erased", "extra_priority": 10},
        body='{"InitialTarget":"erased"}',
    )
    assert await store.get(other.id) == other
    assert await store.count_by_rule(NOON) == {"vip": 2}


async def test_erased_caller_is_gone_from_the_names_of_parameters(store: DecisionStore) -> None:
    """A number that stands in the name of a fact is erased as well."""
    record = make_record(facts={"call.parameters.DYN_+358501234567": "yes"})
    await store.add([record])

    await store.erase_number("+358501234567")

    found = await store.get(record.id)
    assert found is not None
    assert found.facts == {"call.parameters.DYN_erased": "erased"}


async def test_erased_number_is_gone_in_the_spelling_of_its_country(store: DecisionStore) -> None:
    """Whoever writes the number of an agent or of a queue as people dial it gives it away no less."""
    record = make_record(facts={"call.user_id": "0501234567", "call.called": "+358912345678"})
    await store.add([record])

    await store.erase_number("+358501234567")

    found = await store.get(record.id)
    assert found is not None
    assert found.facts == {"call.user_id": "0erased", "call.called": "+358912345678"}


async def test_erased_number_is_gone_where_it_was_called(store: DecisionStore) -> None:
    """A number that was called is erased too, and who called it stays."""
    facts = {"call.caller": "+4687654321", "call.called": "+358501234567", "caller.name": "Eva"}
    called = {"called_e164": "+358501234567", "called_raw": "050 123 4567"}
    record = make_record(caller_e164="+4687654321", caller_raw="+4687654321", facts=facts, **called)
    itself = make_record(NOON + 1, facts={"call.called": "+358501234567"}, **called)
    await store.add([record, itself])

    assert await store.erase_number("+358501234567") == 2

    found, own = await store.get(record.id), await store.get(itself.id)
    assert found is not None
    assert own is not None
    assert (found.called_e164, found.called_raw, found.caller_e164) == (None, "erased", "+4687654321")
    assert found.facts == facts | {"call.called": "erased"}
    assert (own.called_e164, own.called_raw, own.caller_e164, own.caller_raw) == (None, "erased", None, "erased")
    assert own.facts == {"call.called": "erased"}


async def test_erased_caller_stays_erased_when_added_again(store: DecisionStore) -> None:
    """A record that arrives once more after its caller was erased does not bring the caller back."""
    record = make_record()
    await store.add([record])
    await store.erase_number("+358501234567")

    await store.add([record])

    assert await store.count(DecisionFilter(caller_e164="+358501234567")) == 0


async def test_replay_can_leave_erased_callers_out(store: DecisionStore) -> None:
    """Decisions whose facts are incomplete can be told apart."""
    kept = make_record(NOON + 1, caller_e164="+358501234568")
    await store.add([make_record(), kept])
    await store.erase_number("+358501234567")

    assert [record async for record in store.stream(DecisionFilter(erased=False))] == [kept]


async def test_many_calls_of_one_number_are_erased(store: DecisionStore) -> None:
    """Erasure covers more decisions than one transaction takes."""
    await store.add([make_record(NOON + second) for second in range(300)])

    assert await store.erase_number("+358501234567") == 300
    assert await store.erase_number("+358501234567") == 0
