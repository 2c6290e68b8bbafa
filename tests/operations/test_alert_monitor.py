"""Alarms: every trouble told once, and once more when it is over."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from app.errors import AppError
from app.operations.alert_monitor import AlertMonitor
from app.operations.alert_rule import Check, FiringAlert
from app.operations.alert_store import AlertStore
from app.operations.signed_hooks import HookMessage
from app.store.database import Database, open_database
from app.store.errors import StoreUnavailableError
from app.store.upgrade import upgrade

TROUBLE = FiringAlert(subject="", message="Dataverse fails.", facts={"breaker": "open"})


class World:
    """One check whose troubles a test decides, and everything that was told."""

    def __init__(self, store: AlertStore, *, shared: bool = False, instance: str = "one") -> None:
        self.store = store
        self.now = 1000.0
        self.alerts: Sequence[FiringAlert] = ()
        self.blind = False
        self.leads = True
        self.told: list[HookMessage] = []
        self.alert_monitor = AlertMonitor(
            checks=[Check("breaker_open", self._find, shared=shared)],
            alerts=store,
            lead=self._lead,
            instance=instance,
            send=self.told.append,
            clock=lambda: self.now,
        )

    async def _find(self) -> Sequence[FiringAlert]:
        if self.blind:
            raise AppError("cannot tell")
        return self.alerts

    async def _lead(self) -> bool:
        return self.leads

    async def pass_time(self, seconds: float, *alerts: FiringAlert) -> list[str]:
        """Let time pass, evaluate, and return what was told meanwhile."""
        self.now += seconds
        self.alerts = alerts
        before = len(self.told)
        await self.alert_monitor.evaluate()
        return [notice.type for notice in self.told[before:]]


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


async def test_trouble_is_told_once_and_again_when_it_is_over(store: AlertStore) -> None:
    """As long as a trouble lasts nothing is repeated; after a minute without it the end is told."""
    world = World(store)
    assert await world.pass_time(0, TROUBLE) == ["alert.opened"]
    assert await world.pass_time(5, TROUBLE) == []
    assert await world.pass_time(5) == []
    assert await world.pass_time(56) == ["alert.cleared"]
    assert await world.pass_time(5, TROUBLE) == ["alert.opened"]
    opened, cleared, _ = world.told
    assert opened.data == {
        "id": opened.data["id"],
        "key": "breaker_open:one",
        "kind": "breaker_open",
        "opened_at": 1000.0,
        "message": "Dataverse fails.",
        "breaker": "open",
    }
    assert (opened.id, cleared.id) == (f"msg_{opened.data['id']}_opened", f"msg_{opened.data['id']}_cleared")


async def test_trouble_that_comes_and_goes_is_one_alert(store: AlertStore) -> None:
    """A trouble that returns within the minute never ended."""
    world = World(store)
    await world.pass_time(0, TROUBLE)
    for _ in range(5):
        assert await world.pass_time(40) == []
        assert await world.pass_time(10, TROUBLE) == []


async def test_trouble_nobody_can_judge_stays(store: AlertStore) -> None:
    """While a check cannot tell, its alert is neither repeated nor cleared."""
    world = World(store)
    await world.pass_time(0, TROUBLE)
    world.blind = True
    assert await world.pass_time(500) == []
    assert len(await store.list_open()) == 1


async def test_successor_ends_what_its_predecessor_opened(store: AlertStore) -> None:
    """After a restart an alert that is over is cleared, and one that lasts is not told again."""
    await World(store).pass_time(0, TROUBLE)
    successor = World(store)
    assert await successor.pass_time(100, TROUBLE) == []
    assert await successor.pass_time(10) == []
    assert await successor.pass_time(60) == ["alert.cleared"]


async def test_processes_do_not_clear_each_others_alerts(store: AlertStore) -> None:
    """What is wrong with one process is not over because another one is fine."""
    await World(store, instance="one").pass_time(0, TROUBLE)
    other = World(store, instance="one-more")
    assert [await other.pass_time(100) for _ in range(3)] == [[], [], []]
    assert [alert.key for alert in await store.list_open()] == ["breaker_open:one"]


async def test_shared_troubles_are_the_leaders(store: AlertStore) -> None:
    """What concerns all processes is told by the leader alone."""
    silent = FiringAlert(subject="SALES", message="Silence.", facts={})
    follower = World(store, shared=True)
    follower.leads = False
    assert await follower.pass_time(0, silent) == []
    leader = World(store, shared=True)
    assert await leader.pass_time(0, silent) == ["alert.opened"]
    assert [alert.key for alert in await store.list_open()] == ["breaker_open:SALES"]


async def test_store_that_is_away_is_told_from_memory(store: AlertStore, database: Database) -> None:
    """Without the store alerts are told once all the same, kept when it is back, and cleared as usual."""
    world = World(store)
    real = world.alert_monitor._alerts
    world.alert_monitor._alerts = AwayStore(database=database)
    assert await world.pass_time(0, TROUBLE) == ["alert.opened"]
    assert await world.pass_time(5, TROUBLE) == []
    world.alert_monitor._alerts = real
    assert await world.pass_time(5, TROUBLE) == []
    assert [alert.key for alert in await store.list_open()] == ["breaker_open:one"]
    await world.pass_time(5)
    assert await world.pass_time(60) == ["alert.cleared"]


async def test_store_trouble_that_ends_with_the_store_is_told_over(store: AlertStore, database: Database) -> None:
    """An alert that could never be kept is still told to be over."""
    world = World(store)
    real = world.alert_monitor._alerts
    world.alert_monitor._alerts = AwayStore(database=database)
    await world.pass_time(0, TROUBLE)
    world.alert_monitor._alerts = real
    await world.pass_time(5)
    assert await world.pass_time(60) == ["alert.cleared"]
    assert await world.pass_time(60) == []


class AwayStore(AlertStore):
    """A store that is away."""

    async def list_open(self) -> list[object]:  # type: ignore[override]
        """Fail."""
        raise StoreUnavailableError("away")
