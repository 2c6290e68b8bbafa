"""Alerts: everything that is wrong is told once, and once more when it is over."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import AppError
from app.operations.alert_rules import AlertRule, FiringAlert
from app.operations.alerts import AlertMonitor
from app.operations.signed_hooks import HookMessage
from app.operations.store import AlertStore
from app.store.database import Database, open_database
from app.store.upgrade import upgrade

FIRING = FiringAlert(subject="", message="Dataverse fails.", facts={"breaker": "open"})


class World:
    """One alert rule whose outcome a test decides, and everything that was told."""

    def __init__(self, store: AlertStore, *, shared: bool = False, instance: str = "one") -> None:
        self.store = store
        self.now = 1000.0
        self.alerts: Sequence[FiringAlert] = ()
        self.blind = False
        self.leads = True
        self.writable = True
        self.told: list[HookMessage] = []
        self.told_unstored: list[HookMessage] = []
        self.alert_monitor = AlertMonitor(
            rules=[AlertRule("breaker_open", self._find, shared=shared)],
            alerts=store,
            check_store=self._check_store,
            lead=self._lead,
            instance=instance,
            send=self.told.append,
            send_unstored=self.told_unstored.append,
            clock=lambda: self.now,
        )

    async def _find(self) -> Sequence[FiringAlert]:
        if self.blind:
            raise AppError("cannot tell")
        return self.alerts

    async def _check_store(self) -> bool:
        return self.writable

    async def _lead(self) -> bool:
        return self.leads

    async def pass_time(self, seconds: float, *alerts: FiringAlert) -> list[str]:
        """Let time pass, evaluate, and return what was told meanwhile."""
        self.now += seconds
        self.alerts = alerts
        before = len(self.told)
        await self.alert_monitor.evaluate()
        return [message.type for message in self.told[before:]]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database with its tables."""
    database = open_database(f"sqlite:///{tmp_path}/test.db")
    await upgrade(database)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> AlertStore:
    """The alerts in it."""
    return AlertStore(database=database)


async def test_alert_is_told_once_and_again_when_it_is_over(store: AlertStore) -> None:
    """As long as it fires nothing is repeated; after a minute without it the end is told."""
    world = World(store)
    assert await world.pass_time(0, FIRING) == ["alert.opened"]
    assert await world.pass_time(5, FIRING) == []
    assert await world.pass_time(5) == []
    assert await world.pass_time(56) == ["alert.cleared"]
    assert await world.pass_time(5, FIRING) == ["alert.opened"]
    opened, cleared, _ = world.told
    assert opened.data == {
        "id": opened.data["id"],
        "key": "breaker_open:one",
        "kind": "breaker_open",
        "opened_at": datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC),
        "message": "Dataverse fails.",
        "breaker": "open",
    }
    assert (opened.id, cleared.id) == (f"msg_{opened.data['id']}_opened", f"msg_{opened.data['id']}_cleared")


async def test_what_comes_and_goes_is_one_alert(store: AlertStore) -> None:
    """What returns within the minute never ended."""
    world = World(store)
    await world.pass_time(0, FIRING)
    for _ in range(5):
        assert await world.pass_time(40) == []
        assert await world.pass_time(10, FIRING) == []


async def test_alert_nobody_can_evaluate_stays(store: AlertStore) -> None:
    """While a rule cannot be evaluated, its alert is neither repeated nor cleared."""
    world = World(store)
    await world.pass_time(0, FIRING)
    world.blind = True
    assert await world.pass_time(500) == []
    assert len(await store.list_recent(open_only=True)) == 1


async def test_successor_ends_what_its_predecessor_opened(store: AlertStore) -> None:
    """After a restart an alert that is over is cleared, and one that lasts is not told again."""
    await World(store).pass_time(0, FIRING)
    successor = World(store)
    assert await successor.pass_time(100, FIRING) == []
    assert await successor.pass_time(10) == []
    assert await successor.pass_time(60) == ["alert.cleared"]


async def test_processes_do_not_clear_each_others_alerts(store: AlertStore) -> None:
    """What is wrong with one process is not over because another one is fine."""
    await World(store, instance="one").pass_time(0, FIRING)
    other = World(store, instance="one-more")
    assert [await other.pass_time(100) for _ in range(3)] == [[], [], []]
    assert [alert.key for alert in await store.list_recent(open_only=True)] == ["breaker_open:one"]


async def test_shared_alerts_are_the_leaders(store: AlertStore) -> None:
    """What concerns all processes is told by the leader alone."""
    silent = FiringAlert(subject="SALES", message="Silence.", facts={})
    follower = World(store, shared=True)
    follower.leads = False
    assert await follower.pass_time(0, silent) == []
    leader = World(store, shared=True)
    assert await leader.pass_time(0, silent) == ["alert.opened"]
    assert [alert.key for alert in await store.list_recent(open_only=True)] == ["breaker_open:SALES"]


@pytest.mark.parametrize("noticed", ["by-the-check", "by-the-store"])
async def test_alerts_are_told_while_the_store_is_away(store: AlertStore, database: Database, noticed: str) -> None:
    """They are told once all the same, listed, kept under their id when it is back, and cleared as usual."""
    world = World(store)
    set_away(world, database, noticed, away=True)
    assert await world.pass_time(0, FIRING) == ["alert.opened"]
    assert await world.pass_time(5, FIRING) == []
    [listed] = world.alert_monitor.list_unstored()
    set_away(world, database, noticed, away=False)
    assert await world.pass_time(5, FIRING) == []
    kept = await store.list_recent(open_only=True)
    await world.pass_time(5)
    assert await world.pass_time(60) == ["alert.cleared"]
    assert (kept, world.alert_monitor.list_unstored()) == ([listed], [])
    assert [message.data["id"] for message in world.told] == [listed.id] * 2


async def test_alert_that_ends_with_the_stores_absence_is_told_over(store: AlertStore, database: Database) -> None:
    """An alert that could never be kept is still told to be over."""
    world = World(store)
    set_away(world, database, "by-the-check", away=True)
    await world.pass_time(0, FIRING)
    set_away(world, database, "by-the-check", away=False)
    await world.pass_time(5)
    assert await world.pass_time(60) == ["alert.cleared"]
    assert await world.pass_time(60) == []


async def test_alerts_told_before_are_not_told_again_without_the_store(store: AlertStore, database: Database) -> None:
    """What is open in the store is known when the store goes away."""
    world = World(store)
    assert await world.pass_time(0, FIRING) == ["alert.opened"]
    set_away(world, database, "by-the-check", away=True)
    assert await world.pass_time(5, FIRING) == []


def set_away(world: World, database: Database, noticed: str, *, away: bool) -> None:
    """Let the store go away or come back, as the check of it notices or only whoever uses it."""
    if noticed == "by-the-check":
        world.writable = not away
    elif away:
        database.suspend("away")
    else:
        database.resume()
