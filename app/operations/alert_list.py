"""The alerts as administrators see them."""

from collections.abc import Callable

from app.errors import NotFoundError
from app.operations.alert_store import Alert, AlertStore
from app.store.audit import AuditStore

__all__ = ["AlertList"]


class AlertList:
    """Lists alerts and notes who has seen them."""

    def __init__(self, *, alerts: AlertStore, audit: AuditStore, clock: Callable[[], float]) -> None:
        self._alerts = alerts
        self._audit = audit
        self._clock = clock

    async def list_alerts(self, *, open_only: bool, limit: int) -> list[Alert]:
        """List alerts, the newest first. Raises StoreError."""
        if open_only:
            return (await self._alerts.list_open())[:limit]
        return await self._alerts.list_recent(limit=limit)

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
