"""Alerts: what is wrong is told once, and once more when it is over; administrators list and acknowledge it."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from app.errors import AppError, NotFoundError
from app.operations.alert_rules import AlertRule, FiringAlert
from app.operations.signed_hooks import HookMessage
from app.operations.store import Alert, AlertStore
from app.store.audit import AuditStore
from app.store.errors import StoreError

__all__ = ["AlertList", "AlertMonitor"]

log = structlog.get_logger()

_CALM_SECONDS = 60.0
"""An alert that has not been firing for so long is over."""


class AlertList:
    """The alerts as administrators see them."""

    def __init__(self, *, alerts: AlertStore, audit: AuditStore, clock: Callable[[], float]) -> None:
        self._alerts = alerts
        self._audit = audit
        self._clock = clock

    async def list_alerts(self, *, open_only: bool, limit: int) -> list[Alert]:
        """List alerts, the newest first. Raises StoreError."""
        return await self._alerts.list_recent(limit=limit, open_only=open_only)

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
    store is away, which is an alert itself, alerts are told from memory. An alert counts as over when it has not been
    firing for a while, so that something that comes and goes is one alert.
    """

    def __init__(
        self,
        *,
        rules: Sequence[AlertRule],
        alerts: AlertStore,
        lead: Callable[[], Awaitable[bool]],
        instance: str,
        send: Callable[[HookMessage], None],
        clock: Callable[[], float],
    ) -> None:
        """`instance` names this process among those on the same database; `clock` gives seconds since the epoch."""
        self._rules = tuple(rules)
        self._alerts = alerts
        self._lead = lead
        self._instance = instance
        self._send = send
        self._clock = clock
        self._fired_at: dict[str, float] = {}
        self._told_without_store: set[str] = set()
        self._not_evaluated: dict[str, str] = {}

    async def evaluate(self) -> None:
        """Evaluate once, open and clear alerts, and tell about each change. Raises nothing the store raises."""
        firing, evaluated = await self._find_firing()
        now = self._clock()
        self._fired_at.update(dict.fromkeys(firing, now))
        try:
            known = {alert.key for alert in await self._alerts.list_recent(open_only=True)}
            for key in firing.keys() - known:
                await self._open(key, *firing[key], now)
            for key in known | self._told_without_store:
                if key not in firing and self._is_over(key, evaluated, now):
                    await self._clear(key, now)
        except StoreError:
            self._tell_from_memory(firing, now)

    async def _find_firing(self) -> tuple[dict[str, tuple[str, FiringAlert]], frozenset[str]]:
        """Return what fires by key, with its kind, and the beginnings of the keys that could be evaluated."""
        leads = await self._try_to_lead()
        firing: dict[str, tuple[str, FiringAlert]] = {}
        evaluated = set()
        for rule in self._rules:
            if rule.shared and not leads:
                continue
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
        return firing, frozenset(evaluated)

    async def _try_to_lead(self) -> bool:
        try:
            return await self._lead()
        except AppError:
            return False

    def _is_over(self, key: str, evaluated: frozenset[str], now: float) -> bool:
        """Tell whether what does not fire now may be called over; what a predecessor saw gets its time too."""
        if not any(_begins_with(key, prefix) for prefix in evaluated):
            return False
        return now - self._fired_at.setdefault(key, now) >= _CALM_SECONDS

    async def _open(self, key: str, kind: str, firing: FiringAlert, now: float) -> None:
        alert = await self._alerts.open(key, kind=kind, detail=_describe(firing), now=now)
        if alert is None or key in self._told_without_store:
            return
        log.warning("alert.opened", kind=kind, detail=firing.message)
        self._send(_make_message("alert.opened", alert, now))

    async def _clear(self, key: str, now: float) -> None:
        self._fired_at.pop(key, None)
        alert = await self._alerts.clear(key, now=now)
        if alert is not None:
            log.info("alert.cleared", kind=alert.kind)
            self._send(_make_message("alert.cleared", alert, now))
        elif key in self._told_without_store:
            self._send(_make_unkept_message("alert.cleared", key, {}, now))
        self._told_without_store.discard(key)

    def _tell_from_memory(self, firing: Mapping[str, tuple[str, FiringAlert]], now: float) -> None:
        for key in firing.keys() - self._told_without_store:
            kind, alert = firing[key]
            self._told_without_store.add(key)
            log.warning("alert.opened", kind=kind, detail=alert.message, kept=False)
            self._send(_make_unkept_message("alert.opened", key, _describe(alert), now))


def _make_key(prefix: str, alert: FiringAlert) -> str:
    return prefix + alert.subject if prefix.endswith(":") else ":".join(filter(None, (prefix, alert.subject)))


def _begins_with(key: str, prefix: str) -> bool:
    return key == prefix or key.startswith(prefix if prefix.endswith(":") else f"{prefix}:")


def _describe(firing: FiringAlert) -> dict[str, object]:
    return {"message": firing.message, **firing.facts}


def _make_message(event: str, alert: Alert, now: float) -> HookMessage:
    data = {"id": alert.id, "key": alert.key, "kind": alert.kind, "opened_at": alert.opened_at, **alert.detail}
    return HookMessage(id=f"msg_{alert.id}_{event.rpartition('.')[2]}", type=event, at=now, data=data)


def _make_unkept_message(event: str, key: str, facts: Mapping[str, object], now: float) -> HookMessage:
    data = {"id": None, "key": key, "kind": key.partition(":")[0], **facts}
    return HookMessage(id=f"msg_{uuid.uuid4()}", type=event, at=now, data=data)
