"""Alerts: what is wrong is told once, and once more when it is over; administrators list and acknowledge it."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from app.errors import AppError, NotFoundError
from app.operations.alert_rules import AlertRule, FiringAlert
from app.operations.signed_hooks import HookMessage
from app.operations.store import Alert, AlertState, AlertStore
from app.store.audit import AuditStore
from app.store.errors import StoreError

__all__ = ["AlertList", "AlertMonitor", "make_message"]

log = structlog.get_logger()

_CALM_SECONDS = 60.0
"""An alert that has not been firing for so long is over."""
_STORE_SECONDS = 4.0
"""How long the store may take for one evaluation before alerts are told without it."""

_Firing = tuple[str, FiringAlert]
"""A kind, and what fires of it."""


class AlertList:
    """The alerts as administrators see them."""

    def __init__(
        self,
        *,
        alerts: AlertStore,
        list_unstored: Callable[[], list[Alert]],
        audit: AuditStore,
        clock: Callable[[], float],
    ) -> None:
        """`list_unstored` gives the open alerts that this process could not store."""
        self._alerts = alerts
        self._list_unstored = list_unstored
        self._audit = audit
        self._clock = clock

    async def list_alerts(self, *, open_only: bool, limit: int) -> list[Alert]:
        """List alerts, the newest first; what could not be stored comes before the others. Raises StoreError."""
        stored = await self._alerts.list_recent(limit=limit, open_only=open_only)
        return [*self._list_unstored(), *stored][:limit]

    async def acknowledge(self, alert_id: str, *, who: str) -> Alert:
        """Note that somebody has seen an alert; the first stays. Raises NotFoundError and StoreError."""
        now = self._clock()
        alert = await self._alerts.acknowledge(alert_id, who=who, now=now)
        if alert is None:
            raise NotFoundError("there is no such alert")
        if (alert.acknowledged_by, alert.acknowledged_at) == (who, now):
            await self._audit.add(
                at=now, who=who, what="alert.acknowledged", target=f"alert/{alert_id}", after={"key": alert.key}
            )
        return alert


class AlertMonitor:
    """Evaluates the alert rules and keeps the list of alerts in step with them.

    Alerts about this process carry its name in their key; shared ones are evaluated by the leader only. While the
    store cannot be used, which is an alert itself, alerts are told from memory. An alert counts as over when it has
    not been firing for a while, so that something that comes and goes is one alert.
    """

    def __init__(
        self,
        *,
        rules: Sequence[AlertRule],
        alerts: AlertStore,
        check_store: Callable[[], Awaitable[bool]],
        lead: Callable[[], Awaitable[bool]],
        instance: str,
        send: Callable[[HookMessage], None],
        send_unstored: Callable[[HookMessage], None],
        clock: Callable[[], float],
    ) -> None:
        """`check_store` tells whether the store can be written, and `instance` names this process among those on it.

        `send` is told of everything, `send_unstored` of what the store could not take. `clock` gives seconds since the
        epoch.
        """
        self._rules = tuple(rules)
        self._alerts = alerts
        self._check_store = check_store
        self._lead = lead
        self._instance = instance
        self._send = send
        self._send_unstored = send_unstored
        self._clock = clock
        self._fired_at: dict[str, float] = {}
        self._stored: set[str] = set()
        """Keys that were open in the store when it was read last."""
        self._unstored: dict[str, Alert] = {}
        """What was told while the store could not take it."""
        self._not_evaluated: dict[str, str] = {}

    def add_rules(self, *rules: AlertRule) -> None:
        """Evaluate the rules of a capability from now on."""
        self._rules = (*self._rules, *rules)

    def list_unstored(self) -> list[Alert]:
        """List the alerts that are open and not in the store, the newest first."""
        return sorted(self._unstored.values(), key=lambda alert: alert.opened_at, reverse=True)

    async def evaluate(self) -> None:
        """Evaluate once, open and clear alerts, and tell about each change. Raises nothing the store raises."""
        usable = await self._check_store()
        firing, evaluated = await self._find([rule for rule in self._rules if not rule.shared])
        if usable:
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    await self._update_store(firing, evaluated)
            except (StoreError, TimeoutError):
                usable = False
        if not usable:
            self._tell_from_memory(firing)

    async def _update_store(self, firing: dict[str, _Firing], evaluated: set[str]) -> None:
        if await self._lead():
            shared, also_evaluated = await self._find([rule for rule in self._rules if rule.shared])
            firing, evaluated = firing | shared, evaluated | also_evaluated
        now = self._clock()
        self._fired_at.update(dict.fromkeys(firing, now))
        self._stored = {alert.key for alert in await self._alerts.list_recent(open_only=True)}
        for key in firing.keys() - self._stored:
            await self._open(key, *firing[key], now)
        for key in self._stored | self._unstored.keys():
            if key not in firing and self._is_over(key, evaluated, now):
                await self._clear(key, now)

    async def _find(self, rules: Sequence[AlertRule]) -> tuple[dict[str, _Firing], set[str]]:
        """Return what fires by key, and the beginnings of the keys that could be evaluated."""
        firing: dict[str, _Firing] = {}
        evaluated = set()
        for rule in rules:
            prefix = f"{rule.kind}:" if rule.shared else f"{rule.kind}:{self._instance}"
            try:
                found = await rule.find()
            except AppError as error:
                if self._not_evaluated.get(rule.kind) != error.code:
                    log.info("alert.not_evaluated", kind=rule.kind, error=error.code)
                self._not_evaluated[rule.kind] = error.code
                continue
            self._not_evaluated.pop(rule.kind, None)
            evaluated.add(prefix)
            firing |= {_make_key(prefix, alert): (rule.kind, alert) for alert in found}
        return firing, evaluated

    def _is_over(self, key: str, evaluated: set[str], now: float) -> bool:
        """Tell whether what does not fire now may be called over; what a predecessor saw gets its time too."""
        if not any(_begins_with(key, prefix) for prefix in evaluated):
            return False
        return now - self._fired_at.setdefault(key, now) >= _CALM_SECONDS

    async def _open(self, key: str, kind: str, firing: FiringAlert, now: float) -> None:
        known = self._unstored.get(key)
        if known is None:
            alert = await self._alerts.open(key, kind=kind, detail=_describe(firing), now=now)
        else:
            alert = await self._alerts.open(key, kind=kind, detail=known.detail, now=known.opened_at, alert_id=known.id)
            del self._unstored[key]
        self._stored.add(key)
        if alert is not None and known is None:
            self._tell_opened(alert)

    async def _clear(self, key: str, now: float) -> None:
        if (known := self._unstored.get(key)) is not None:
            # Receivers are told of what is in the store: also that something is over which was told without it.
            await self._alerts.open(key, kind=known.kind, detail=known.detail, now=known.opened_at, alert_id=known.id)
        alert = await self._alerts.clear(key, now=now)
        self._fired_at.pop(key, None)
        self._unstored.pop(key, None)
        self._stored.discard(key)
        if alert is not None:
            log.info("alert.cleared", kind=alert.kind)
            self._send(make_message("alert.cleared", alert, now))

    def _tell_from_memory(self, firing: Mapping[str, _Firing]) -> None:
        now = self._clock()
        self._fired_at.update(dict.fromkeys(firing, now))
        for key in firing.keys() - self._unstored.keys() - self._stored:
            kind, found = firing[key]
            self._unstored[key] = Alert(
                id=str(uuid.uuid4()),
                key=key,
                kind=kind,
                state=AlertState.OPEN,
                detail=_describe(found),
                opened_at=now,
                acknowledged_by=None,
                acknowledged_at=None,
                cleared_at=None,
            )
            message = self._tell_opened(self._unstored[key])
            self._send_unstored(message)

    def _tell_opened(self, alert: Alert) -> HookMessage:
        log.warning("alert.opened", kind=alert.kind, detail=alert.detail["message"])
        message = make_message("alert.opened", alert, alert.opened_at)
        self._send(message)
        return message


def _make_key(prefix: str, alert: FiringAlert) -> str:
    return prefix + alert.subject if prefix.endswith(":") else ":".join(filter(None, (prefix, alert.subject)))


def _begins_with(key: str, prefix: str) -> bool:
    return key == prefix or key.startswith(prefix if prefix.endswith(":") else f"{prefix}:")


def _describe(firing: FiringAlert) -> dict[str, object]:
    return {"message": firing.message, **firing.facts}


def make_message(event: str, alert: Alert, now: float) -> HookMessage:
    """Make what receivers are told of an alert that opened or cleared `now`; its id is always the same."""
    opened_at = datetime.fromtimestamp(alert.opened_at, UTC)
    data = {"id": alert.id, "key": alert.key, "kind": alert.kind, "opened_at": opened_at, **alert.detail}
    return HookMessage(id=f"msg_{alert.id}_{event.rpartition('.')[2]}", type=event, at=now, data=data)
