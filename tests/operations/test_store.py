"""Jobs and alerts in the database."""

import asyncio
from dataclasses import replace

import pytest

from app.operations.alerts import make_message
from app.operations.deliveries import DeliveryStore
from app.operations.store import Alert, AlertState, AlertStore, JobState, JobStore
from app.store.database import Database


@pytest.fixture
def store(database: Database) -> JobStore:
    """The store on either database."""
    return JobStore(database=database)


async def test_job_goes_from_start_to_result(store: JobStore) -> None:
    """A job tells its progress while it runs and its result at the end."""
    job = await store.start("replay", author="ann", total=40, now=1.0)

    assert await store.progress(job.id, done=10, now=2.0)
    running = await store.get(job.id)
    assert await store.finish(job.id, {"changed": 3}, now=3.0)

    assert running == replace(job, done=10, updated_at=2.0)
    assert await store.get(job.id) == replace(
        job, state=JobState.DONE, done=10, result={"changed": 3}, updated_at=3.0, finished_at=3.0
    )


async def test_cancel_is_heard_at_the_next_progress(store: JobStore) -> None:
    """Somebody asks, the job hears it, and ends as cancelled with what it had."""
    job = await store.start("replay", author="ann", total=40, now=1.0)

    assert await store.request_cancel(job.id)
    assert not await store.progress(job.id, done=10, now=2.0)
    assert await store.cancel(job.id, {"changed": 1}, now=3.0)

    found = await store.get(job.id)
    assert found is not None
    assert (found.state, found.result, found.cancel_requested) == (JobState.CANCELLED, {"changed": 1}, True)


async def test_ended_job_does_not_change(store: JobStore) -> None:
    """Nothing that comes late alters an outcome."""
    job = await store.start("replay", author="ann", total=1, now=1.0)
    await store.fail(job.id, "the CRM went away", now=2.0)
    ended = await store.get(job.id)

    late = [
        await store.finish(job.id, {}, now=3.0),
        await store.fail(job.id, "other", now=3.0),
        await store.progress(job.id, done=1, now=3.0),
        await store.request_cancel(job.id),
    ]

    assert late == [False] * 4
    assert await store.get(job.id) == ended


async def test_silent_jobs_are_given_up(store: JobStore) -> None:
    """A job whose process died is failed; one that lives goes on."""
    silent = await store.start("replay", author="ann", total=1, now=1.0)
    alive = await store.start("bulk-enable", author="ann", total=1, now=1.0)
    await store.note_alive([alive.id], now=100.0)

    assert await store.fail_silent(before=50.0, now=101.0) == 1

    found = await store.get(silent.id)
    assert found is not None
    assert (found.state, found.error) == (JobState.FAILED, "the process that ran it has ended")
    assert await store.progress(alive.id, done=1, now=102.0)


async def test_jobs_are_listed_from_new_to_old(store: JobStore) -> None:
    """A list is of one kind or of all but some, and has a limit."""
    jobs = [await store.start(kind, author="ann", total=None, now=at) for at, kind in enumerate(["a", "b", "a"])]

    assert await store.list_recent(limit=2) == [jobs[2], jobs[1]]
    assert await store.list_recent(limit=9, kind="a") == [jobs[2], jobs[0]]
    assert await store.list_recent(limit=9, without={"a"}) == [jobs[1]]
    assert await store.list_recent(limit=9, kind="a", without={"a"}) == []


async def test_old_jobs_are_purged_and_running_ones_kept(store: JobStore) -> None:
    """Only what has ended is deleted."""
    ended = await store.start("a", author="ann", total=None, now=1.0)
    running = await store.start("a", author="ann", total=None, now=1.0)
    await store.finish(ended.id, None, now=2.0)

    assert await store.purge_before(10.0) == 1
    assert await store.list_recent(limit=9, kind="a") == [running]


@pytest.fixture
def alerts(database: Database) -> AlertStore:
    """The alerts on either database."""
    return AlertStore(database=database)


async def test_alert_is_raised_once_until_it_clears(alerts: AlertStore) -> None:
    """The same is raised again only after it had ended."""
    first = await alerts.open("silence:sales", kind="silence", detail={"minutes": 30}, now=1.0)
    again = await alerts.open("silence:sales", kind="silence", detail={"minutes": 31}, now=2.0)
    cleared = await alerts.clear("silence:sales", now=3.0)
    second = await alerts.open("silence:sales", kind="silence", detail={"minutes": 30}, now=4.0)

    assert first is not None
    assert first == Alert(
        id=first.id,
        key="silence:sales",
        kind="silence",
        state=AlertState.OPEN,
        detail={"minutes": 30},
        opened_at=1.0,
        acknowledged_by=None,
        acknowledged_at=None,
        cleared_at=None,
    )
    assert again is None
    assert cleared == replace(first, state=AlertState.CLEARED, cleared_at=3.0)
    assert second is not None
    assert await alerts.list_recent(open_only=True) == [second]
    assert await alerts.list_recent(limit=9) == [second, cleared]


async def test_processes_that_notice_at_once_raise_one_alert(alerts: AlertStore) -> None:
    """Exactly one of several gets the alert to send on."""
    raised = await asyncio.gather(*(alerts.open("breaker", kind="breaker", detail={}, now=1.0) for _ in range(5)))

    assert sum(alert is not None for alert in raised) == 1


async def test_first_acknowledgement_stays(alerts: AlertStore) -> None:
    """Who saw it first is kept."""
    alert = await alerts.open("breaker", kind="breaker", detail={}, now=1.0)
    assert alert is not None

    await alerts.acknowledge(alert.id, who="ann", now=2.0)
    found = await alerts.acknowledge(alert.id, who="bob", now=3.0)

    assert found == replace(alert, acknowledged_by="ann", acknowledged_at=2.0)


async def test_nothing_to_clear_or_acknowledge_is_none(alerts: AlertStore) -> None:
    """An alert that never was gives nothing."""
    assert await alerts.clear("breaker", now=1.0) is None
    assert await alerts.acknowledge("no-such-id", who="ann", now=1.0) is None


async def test_what_was_told_of_an_open_alert_is_remembered(database: Database) -> None:
    """Messages are purged after their alert: without them it would be told again."""
    alerts, deliveries = AlertStore(database=database), DeliveryStore(database=database)
    alert = await alerts.open("silence:SALES", kind="silence", detail={"message": "silent"}, now=1.0)
    assert alert is not None
    await deliveries.add("ops", [make_message("alert.opened", alert, 1.0)], done=True)

    while_open = await deliveries.purge_before(1e9)
    await alerts.clear("silence:SALES", now=2.0)
    await alerts.purge_before(1e9)

    assert (while_open, await deliveries.purge_before(1e9)) == (0, 1)
    assert await deliveries.list_known("ops", [f"msg_{alert.id}_opened"]) == set()
