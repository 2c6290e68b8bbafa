"""Alerts."""

import asyncio
from dataclasses import replace

import pytest

from app.operations.alert_store import Alert, AlertState, AlertStore
from app.store.database import Database


@pytest.fixture
def store(database: Database) -> AlertStore:
    """The store on either database."""
    return AlertStore(database=database)


async def test_alert_is_raised_once_until_it_clears(store: AlertStore) -> None:
    """The same trouble is raised again only after it had ended."""
    first = await store.open("silence:sales", kind="silence", detail={"minutes": 30}, now=1.0)
    again = await store.open("silence:sales", kind="silence", detail={"minutes": 31}, now=2.0)
    cleared = await store.clear("silence:sales", now=3.0)
    second = await store.open("silence:sales", kind="silence", detail={"minutes": 30}, now=4.0)

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
    assert await store.list_open() == [second]
    assert await store.list_recent(limit=9) == [second, cleared]


async def test_processes_that_notice_at_once_raise_one_alert(store: AlertStore) -> None:
    """Exactly one of several gets the alert to send on."""
    raised = await asyncio.gather(*(store.open("breaker", kind="breaker", detail={}, now=1.0) for _ in range(5)))

    assert sum(alert is not None for alert in raised) == 1


async def test_first_acknowledgement_stays(store: AlertStore) -> None:
    """Who saw it first is kept."""
    alert = await store.open("breaker", kind="breaker", detail={}, now=1.0)
    assert alert is not None

    await store.acknowledge(alert.id, who="ann", now=2.0)
    found = await store.acknowledge(alert.id, who="bob", now=3.0)

    assert found == replace(alert, acknowledged_by="ann", acknowledged_at=2.0)


async def test_nothing_to_clear_or_acknowledge_is_none(store: AlertStore) -> None:
    """An alert that never was gives nothing."""
    assert await store.clear("breaker", now=1.0) is None
    assert await store.acknowledge("no-such-id", who="ann", now=1.0) is None
