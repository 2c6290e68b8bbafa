"""Turns troubles into alerts: each is told once, and once more when it is over."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from app.errors import AppError
from app.operations.alert_rule import Check, FiringAlert
from app.operations.alert_store import Alert, AlertStore
from app.operations.signed_hooks import HookMessage
from app.store.errors import StoreError

__all__ = ["AlertMonitor"]

log = structlog.get_logger()

_CALM_SECONDS = 60.0
"""A trouble that has not been seen for so long is over."""


class AlertMonitor:
    """Looks for troubles every few seconds and keeps the list of alerts in step with them.

    Troubles of this process carry its name in their key; shared ones are looked for by the leader only. While the
    store is away, which is a trouble itself, alerts are told from memory. A trouble counts as over when it has not
    been seen for a while, so that one that comes and goes is one alert.
    """

    def __init__(
        self,
        *,
        checks: Sequence[Check],
        alerts: AlertStore,
        lead: Callable[[], Awaitable[bool]],
        instance: str,
        send: Callable[[HookMessage], None],
        clock: Callable[[], float],
    ) -> None:
        """`instance` names this process among those on the same database; `clock` gives seconds since the epoch."""
        self._checks = tuple(checks)
        self._alerts = alerts
        self._lead = lead
        self._instance = instance
        self._send = send
        self._clock = clock
        self._seen_at: dict[str, float] = {}
        self._told_without_store: set[str] = set()

    async def run(self, every: float) -> None:
        """Evaluate for ever, every so many seconds."""
        while True:
            await self.evaluate()
            await asyncio.sleep(every)

    async def evaluate(self) -> None:
        """Look once, open and clear alerts, and tell about each change. Raises nothing the store raises."""
        found, judged = await self._look()
        now = self._clock()
        self._seen_at.update(dict.fromkeys(found, now))
        try:
            known = {alert.key: alert for alert in await self._alerts.list_open()}
            for key in found.keys() - known.keys():
                await self._open(key, *found[key], now)
            for key in known.keys() | self._told_without_store:
                if key not in found and self._is_over(key, judged, now):
                    await self._clear(key, now)
        except StoreError:
            self._tell_from_memory(found, now)

    async def _look(self) -> tuple[dict[str, tuple[str, FiringAlert]], frozenset[str]]:
        """Return the troubles by key, with their kind, and the beginnings of the keys that could be judged."""
        leads = await self._try_to_lead()
        found: dict[str, tuple[str, FiringAlert]] = {}
        judged = set()
        for check in self._checks:
            if check.shared and not leads:
                continue
            prefix = f"{check.kind}:" if check.shared else f"{check.kind}:{self._instance}"
            try:
                alerts = await check.find()
            except AppError as error:
                log.info("alert.not_evaluated", kind=check.kind, error=error.code)
                continue
            judged.add(prefix)
            found |= {self._name(prefix, trouble): (check.kind, trouble) for trouble in alerts}
        return found, frozenset(judged)

    async def _try_to_lead(self) -> bool:
        try:
            return await self._lead()
        except AppError:
            return False

    @staticmethod
    def _name(prefix: str, trouble: FiringAlert) -> str:
        return prefix + trouble.subject if prefix.endswith(":") else ":".join(filter(None, (prefix, trouble.subject)))

    def _is_over(self, key: str, judged: frozenset[str], now: float) -> bool:
        """Tell whether a trouble nobody sees now may be called over; one seen by a predecessor gets its time too."""
        if not any(key == prefix or key.startswith(prefix if prefix[-1] == ":" else f"{prefix}:") for prefix in judged):
            return False
        return now - self._seen_at.setdefault(key, now) >= _CALM_SECONDS

    async def _open(self, key: str, kind: str, trouble: FiringAlert, now: float) -> None:
        detail = {"message": trouble.message, **trouble.facts}
        alert = await self._alerts.open(key, kind=kind, detail=detail, now=now)
        if alert is None or key in self._told_without_store:
            return
        log.warning("alert.opened", kind=kind, detail=trouble.message)
        self._send(_word("alert.opened", alert, now))

    async def _clear(self, key: str, now: float) -> None:
        self._seen_at.pop(key, None)
        alert = await self._alerts.clear(key, now=now)
        if alert is not None:
            log.info("alert.cleared", kind=alert.kind)
            self._send(_word("alert.cleared", alert, now))
        elif key in self._told_without_store:
            self._send(_word_unkept("alert.cleared", key, {}, now))
        self._told_without_store.discard(key)

    def _tell_from_memory(self, found: Mapping[str, tuple[str, FiringAlert]], now: float) -> None:
        for key in found.keys() - self._told_without_store:
            kind, trouble = found[key]
            self._told_without_store.add(key)
            log.warning("alert.opened", kind=kind, detail=trouble.message, kept=False)
            self._send(_word_unkept("alert.opened", key, {"message": trouble.message, **trouble.facts}, now))


def _word(event: str, alert: Alert, now: float) -> HookMessage:
    data = {"id": alert.id, "key": alert.key, "kind": alert.kind, "opened_at": alert.opened_at, **alert.detail}
    return HookMessage(id=f"msg_{alert.id}_{event.rpartition('.')[2]}", type=event, at=now, data=data)


def _word_unkept(event: str, key: str, facts: Mapping[str, object], now: float) -> HookMessage:
    """Word what could not be kept in the store."""
    data = {"id": None, "key": key, "kind": key.partition(":")[0], **facts}
    return HookMessage(id=f"msg_{uuid.uuid4()}", type=event, at=now, data=data)
