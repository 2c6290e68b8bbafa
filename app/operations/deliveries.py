"""Has every receiver told of every alert, once, however long the receiver or this process is away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import delete, exists, func, select, update

from app.errors import NotFoundError
from app.operations.alert_rules import FiringAlert
from app.operations.alerts import make_message
from app.operations.hook_sender import HookFailedError
from app.operations.receivers import ReceiverTeller
from app.operations.signed_hooks import HookMessage
from app.operations.store import Alert, AlertState, AlertStore
from app.settings import Settings
from app.settings.alerts import AlertReceiver
from app.store.database import Database
from app.store.tables import alert_deliveries, alert_receivers, alerts

__all__ = ["AlertDeliveries", "DeliveryStore", "ReceiverState", "TestDelivery"]

log = structlog.get_logger()

_SECONDS: Final = 15.0
"""For one receiver and one message."""
_MAX_PAUSE_SECONDS: Final = 600.0
_AT_ONCE: Final = 20
_ALERTS_LOOKED_AT: Final = 500
_GIVE_UP_SECONDS: Final = 30 * 86_400.0
"""What a receiver could not be told for so long is no news."""
_UNDELIVERED_SECONDS: Final = 900.0
_DIRECT_AT_ONCE: Final = 20
_ALERT_ID_FROM, _ALERT_ID_LENGTH = 5, 36
"""Where the id of the alert stands in that of a message (`make_message`); SQL counts from 1."""


class DeliveryState(StrEnum):
    """How far a message to one receiver is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"
    """The receiver refused it for good, or was away for a month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverState:
    """How a receiver took what it was told."""

    name: str
    kind: str
    since: float | None
    """When it was first told of, in seconds since the epoch; `None` until the next round."""
    waiting: int
    """Messages it has not taken yet."""
    delivered_at: float | None
    failed_at: float | None
    error: str | None
    """Why the last attempt failed; `None` when it did not."""


@dataclass(frozen=True, slots=True)
class TestDelivery:
    """What came of a test message."""

    __test__ = False

    receiver: str
    delivered: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class _Delivery:
    id: str
    message: HookMessage


class DeliveryStore:
    """Keeps what receivers were told. Every method raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_receivers(self) -> dict[str, dict[str, Any]]:
        """Return what is known of every receiver, by name."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(alert_receivers))).mappings()
            return {row["name"]: dict(row) for row in rows}

    async def begin(self, names: Sequence[str], *, now: float) -> None:
        """Note receivers that were not there before."""
        values = [{"name": name, "since": now, "failures": 0, "due_at": now} for name in names]
        async with self._database.write() as connection:
            await connection.execute(self._database.insert(alert_receivers).on_conflict_do_nothing(), values)

    async def add(self, receiver: str, messages: Sequence[HookMessage], *, done: bool = False) -> None:
        """Note messages for a receiver, as `done` when it has them; one that is noted already stays as it is."""
        rows = [
            {
                "id": message.id,
                "receiver": receiver,
                "state": DeliveryState.DELIVERED if done else DeliveryState.WAITING,
                "message": orjson.loads(orjson.dumps({"type": message.type, "data": message.data})),
                "at": message.at,
                "done_at": message.at if done else None,
            }
            for message in messages
        ]
        async with self._database.write() as connection:
            await connection.execute(self._database.insert(alert_deliveries).on_conflict_do_nothing(), rows)

    async def list_known(self, receiver: str, ids: Sequence[str]) -> set[str]:
        """List which of these messages are noted for a receiver."""
        table = alert_deliveries.c
        query = select(table.id).where(table.receiver == receiver, table.id.in_(ids))
        async with self._database.read() as connection:
            return set((await connection.execute(query)).scalars())

    async def list_waiting(self, receiver: str) -> list[_Delivery]:
        """List what a receiver has not been told, oldest first, some of it."""
        table = alert_deliveries.c
        query = select(table.id, table.message, table.at).where(
            table.receiver == receiver, table.state == DeliveryState.WAITING
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(table.at, table.id).limit(_AT_ONCE))).all()
        return [
            _Delivery(row.id, HookMessage(id=row.id, type=row.message["type"], at=row.at, data=row.message["data"]))
            for row in rows
        ]

    async def count_waiting(self) -> dict[str, tuple[int, float]]:
        """Return for each receiver that waits how many messages do, and since when the oldest (epoch seconds)."""
        table = alert_deliveries.c
        query = select(table.receiver, func.count(), func.min(table.at)).where(table.state == DeliveryState.WAITING)
        async with self._database.read() as connection:
            return {row[0]: (row[1], row[2]) for row in await connection.execute(query.group_by(table.receiver))}

    async def end(self, receiver: str, message_id: str, state: DeliveryState, *, now: float) -> None:
        """Note what came of a message."""
        table = alert_deliveries.c
        ours = (table.receiver == receiver) & (table.id == message_id)
        async with self._database.write() as connection:
            await connection.execute(update(alert_deliveries).where(ours).values(state=state, done_at=now))

    async def note(self, receiver: str, **values: object) -> None:
        """Note how a receiver took it."""
        async with self._database.write() as connection:
            await connection.execute(update(alert_receivers).where(alert_receivers.c.name == receiver).values(**values))

    async def forget_others(self, names: Sequence[str]) -> None:
        """Forget the receivers that are not among these."""
        async with self._database.write() as connection:
            await connection.execute(delete(alert_receivers).where(alert_receivers.c.name.not_in(names)))
            await connection.execute(delete(alert_deliveries).where(alert_deliveries.c.receiver.not_in(names)))

    async def purge_before(self, time: float) -> int:
        """Delete messages that were done with before that time, and return how many.

        Those about an alert that is still there stay, or it would be told again.
        """
        old = alert_deliveries.c.done_at < time
        needed = exists().where(func.substr(alert_deliveries.c.id, _ALERT_ID_FROM, _ALERT_ID_LENGTH) == alerts.c.id)
        async with self._database.write() as connection:
            return (await connection.execute(delete(alert_deliveries).where(old, ~needed))).rowcount


class AlertDeliveries:
    """Compares the alerts with what each receiver was told, and tells the rest in order.

    Alerts are in the store before anybody is told, so that what a process could not tell before it died is told by the
    next one. A receiver may be told twice when a process dies between telling and noting it, and when several processes
    tell what the database is away for before either can note it; the id is the same.
    """

    def __init__(
        self,
        *,
        alerts: AlertStore,
        store: DeliveryStore,
        teller: ReceiverTeller,
        read_settings: Callable[[], Settings],
        lead: Callable[[], Awaitable[bool]],
        clock: Callable[[], float],
    ) -> None:
        self._alerts = alerts
        self._store = store
        self._teller = teller
        self._read_settings = read_settings
        self._lead = lead
        self._clock = clock
        self._told: list[tuple[str, HookMessage]] = []
        """Receiver and message that were told while the store was away, which does not know it yet."""
        self._noted: tuple[Sequence[Alert], Mapping[str, AlertReceiver]] | None = None
        """Alerts and receivers as they were when every message about them was noted."""
        self._direct: set[asyncio.Task[None]] = set()

    async def run_once(self) -> None:
        """Tell every receiver what is due; raises StoreError."""
        settings, receivers = self._read_settings(), self._read_settings().alerts.receivers
        while self._told:
            name, message = self._told[0]
            await self._store.add(name, [message], done=True)
            self._told.pop(0)
        if not receivers or not await self._lead():
            return
        known = await self._store.list_receivers()
        if new := sorted(receivers.keys() - known.keys()):
            await self._store.begin(new, now=self._clock())
            known = await self._store.list_receivers()
        recent = await self._alerts.list_recent(limit=_ALERTS_LOOKED_AT)
        due = [name for name in receivers if known[name]["due_at"] <= self._clock()]
        if self._noted != (recent, receivers):
            for name, receiver in receivers.items():
                await self._note_new(name, receiver, recent, known[name]["since"])
            self._noted = (recent, receivers)
        # All end before the next round begins, or it would tell again what is being told.
        serving = (self._serve(name, settings, known[name]) for name in due)
        for failure in await asyncio.gather(*serving, return_exceptions=True):
            if failure is not None:
                raise failure

    async def announce(self, message: HookMessage) -> None:
        """Have every receiver that wants summaries told of one, once; raises StoreError."""
        for name, receiver in self._read_settings().alerts.receivers.items():
            if receiver.digest:
                await self._store.add(name, [message])

    def send_unstored(self, message: HookMessage) -> None:
        """Tell every receiver at once and once: the store, which would remember it, is away."""
        if len(self._direct) < _DIRECT_AT_ONCE:
            task = asyncio.create_task(self._tell_all(message))
            self._direct.add(task)
            task.add_done_callback(self._direct.discard)

    async def list_states(self) -> list[ReceiverState]:
        """Tell how every receiver took it; raises StoreError."""
        known, waiting = await self._store.list_receivers(), await self._store.count_waiting()
        return [
            _describe(name, receiver, known.get(name, {}), waiting.get(name, (0, 0.0))[0])
            for name, receiver in sorted(self._read_settings().alerts.receivers.items())
        ]

    async def test(self, name: str) -> TestDelivery:
        """Tell a receiver that this is a test, and note what came of it; raises NotFoundError and StoreError."""
        settings, now = self._read_settings(), self._clock()
        if name not in settings.alerts.receivers:
            raise NotFoundError("there is no such receiver; they are in the settings alerts")
        message = HookMessage(
            id=f"msg_test_{name}_{int(now * 1000)}",
            type="alert.test",
            at=now,
            data={"kind": "test", "key": f"test:{name}", "message": "This is a test; nothing is wrong."},
        )
        await self._store.begin([name], now=now)
        failure = await self._try(name, settings, message)
        await self._note_outcome(name, failure, failures=0)
        return TestDelivery(name, failure is None, None if failure is None else failure.detail)

    async def find_undelivered(self) -> Sequence[FiringAlert]:
        """Fire while a receiver has not taken messages for a quarter of an hour; raises StoreError."""
        waiting, known, now = await self._store.count_waiting(), await self._store.list_receivers(), self._clock()
        return [
            FiringAlert(
                subject=name,
                message=f"The receiver {name} has not taken {count} messages about alerts; its state says why.",
                facts={"receiver": name, "waiting": count},
            )
            for name, (count, at) in waiting.items()
            if name in self._read_settings().alerts.receivers
            and name in known
            and now - max(at, known[name]["since"]) >= _UNDELIVERED_SECONDS
        ]

    async def aclose(self) -> None:
        """End what is being told."""
        for task in self._direct:
            task.cancel()
        await asyncio.gather(*self._direct, return_exceptions=True)

    async def _note_new(self, name: str, receiver: AlertReceiver, recent: Sequence[Alert], since: float) -> None:
        wanted = [alert for alert in recent if receiver.alerts is None or alert.kind in receiver.alerts]
        oldest = max(since, self._clock() - _GIVE_UP_SECONDS)
        messages = [message for alert in wanted for message in _list_messages(alert, oldest)]
        known = await self._store.list_known(name, [message.id for message in messages]) if messages else set()
        if new := [message for message in messages if message.id not in known]:
            await self._store.add(name, new)

    async def _serve(self, name: str, settings: Settings, known: Mapping[str, Any]) -> None:
        """Tell a receiver in order, until one message fails or it has taken as long as one may: others wait for it."""
        until, failures = asyncio.get_running_loop().time() + _SECONDS, known["failures"]
        for delivery in await self._store.list_waiting(name):
            if asyncio.get_running_loop().time() > until:
                return
            if self._clock() - max(delivery.message.at, known["since"]) > _GIVE_UP_SECONDS:
                await self._store.end(name, delivery.id, DeliveryState.GIVEN_UP, now=self._clock())
                continue
            failure = await self._try(name, settings, delivery.message)
            await self._note_outcome(name, failure, failures=failures)
            if failure is not None and not failure.lasting:
                return
            state = DeliveryState.DELIVERED if failure is None else DeliveryState.GIVEN_UP
            await self._store.end(name, delivery.id, state, now=self._clock())
            failures = 0

    async def _try(self, name: str, settings: Settings, message: HookMessage) -> HookFailedError | None:
        try:
            async with asyncio.timeout(_SECONDS):
                await self._teller.tell(name, settings, message)
        except TimeoutError:
            failure = HookFailedError(f"no answer within {_SECONDS:.0f} seconds")
        except HookFailedError as error:
            failure = error
        else:
            log.info("alert.delivered", receiver=name, type=message.type)
            return None
        log.warning("alert.undelivered", receiver=name, type=message.type, reason=failure.detail)
        return failure

    async def _note_outcome(self, name: str, failure: HookFailedError | None, *, failures: int) -> None:
        now = self._clock()
        if failure is None:
            await self._store.note(name, failures=0, due_at=now, delivered_at=now, error=None)
            return
        pause = 0.0 if failure.lasting else min(_MAX_PAUSE_SECONDS, 2.0 ** min(failures, 10))
        values = {"failures": failures + 1, "due_at": now + pause, "failed_at": now, "error": failure.detail}
        await self._store.note(name, **values)

    async def _tell_all(self, message: HookMessage) -> None:
        settings = self._read_settings()
        for name, receiver in settings.alerts.receivers.items():
            wanted = receiver.alerts is None or message.data.get("kind") in receiver.alerts
            if wanted and await self._try(name, settings, message) is None:
                self._told.append((name, message))


def _list_messages(alert: Alert, oldest: float) -> Iterator[HookMessage]:
    """Make what a receiver should know of an alert: that it is open, or what happened since it is a receiver."""
    if alert.state is AlertState.OPEN or alert.opened_at >= oldest:
        yield make_message("alert.opened", alert, alert.opened_at)
    if alert.cleared_at is not None and alert.cleared_at >= oldest:
        yield make_message("alert.cleared", alert, alert.cleared_at)


def _describe(name: str, receiver: AlertReceiver, row: dict[str, Any], waiting: int) -> ReceiverState:
    return ReceiverState(
        name=name,
        kind=receiver.kind,
        since=row.get("since"),
        waiting=waiting,
        delivered_at=row.get("delivered_at"),
        failed_at=row.get("failed_at"),
        error=row.get("error"),
    )
