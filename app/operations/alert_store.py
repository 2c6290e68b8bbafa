"""Alerts: each is raised once, and once more only after it has cleared."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update

from app.store.database import Database
from app.store.tables import alerts

__all__ = ["Alert", "AlertState", "AlertStore"]


class AlertState(StrEnum):
    """Whether the trouble is still there."""

    OPEN = "open"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One trouble from its beginning to its end."""

    id: str
    key: str
    """What it is about, e.g. `silence:SALES_QUEUE`; at most one alert of a key is open."""
    kind: str
    state: AlertState
    detail: Mapping[str, object]
    """JSON without anything personal."""
    opened_at: float
    acknowledged_by: str | None
    acknowledged_at: float | None
    cleared_at: float | None


class AlertStore:
    """Keeps alerts, open and past."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def open(self, key: str, *, kind: str, detail: Mapping[str, object], now: float) -> Alert | None:
        """Raise an alert; `None` when it is open already, so that nobody is told twice."""
        values = {
            "id": str(uuid.uuid4()),
            "key": key,
            "kind": kind,
            "state": AlertState.OPEN,
            "detail": detail,
            "opened_at": now,
        }
        statement = self._database.insert(alerts).values(values).on_conflict_do_nothing().returning(alerts)
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
        return None if row is None else _read_alert(row)

    async def clear(self, key: str, *, now: float) -> Alert | None:
        """End the open alert of this key; `None` when there is none."""
        cleared = (
            update(alerts)
            .where(alerts.c.key == key, alerts.c.state == AlertState.OPEN)
            .values(state=AlertState.CLEARED, cleared_at=now)
            .returning(alerts)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(cleared)).mappings().one_or_none()
        return None if row is None else _read_alert(row)

    async def acknowledge(self, alert_id: str, *, who: str, now: float) -> Alert | None:
        """Note who has seen an alert, keeping the first who did; `None` when there is no such alert."""
        noted = (
            update(alerts)
            .where(alerts.c.id == alert_id, alerts.c.acknowledged_at.is_(None))
            .values(acknowledged_by=who, acknowledged_at=now)
        )
        async with self._database.write() as connection:
            await connection.execute(noted)
            found = await connection.execute(select(alerts).where(alerts.c.id == alert_id))
            row = found.mappings().one_or_none()
        return None if row is None else _read_alert(row)

    async def purge_before(self, time: float) -> int:
        """Delete alerts that were over before that time (seconds since the epoch), and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(alerts.delete().where(alerts.c.cleared_at < time))).rowcount

    async def list_open(self) -> list[Alert]:
        """List the open alerts, the newest first."""
        query = select(alerts).where(alerts.c.state == AlertState.OPEN).order_by(alerts.c.opened_at.desc(), alerts.c.id)
        async with self._database.read() as connection:
            return [_read_alert(row) for row in (await connection.execute(query)).mappings()]

    async def list_recent(self, *, limit: int) -> list[Alert]:
        """List alerts, open and past, the newest first."""
        query = select(alerts).order_by(alerts.c.opened_at.desc(), alerts.c.id).limit(limit)
        async with self._database.read() as connection:
            return [_read_alert(row) for row in (await connection.execute(query)).mappings()]


def _read_alert(row: Mapping[Any, Any]) -> Alert:
    return Alert(**{**row, "state": AlertState(row["state"])})
