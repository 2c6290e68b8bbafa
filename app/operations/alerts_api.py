"""`/admin/alerts`: what is wrong, since when, and who has seen it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.auth.access import OperatorDep, StatusReaderDep
from app.operations.alert_store import Alert, AlertState
from app.operations.deps import OperationsDep
from app.web.parameters import AlertId
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/alerts", tags=["Operations"])


class AlertBody(BaseModel):
    """One trouble from its beginning to its end."""

    id: str
    key: str = Field(description="What it is about; at most one alert of a key is open.", examples=["silence:SALES"])
    kind: str
    state: AlertState
    detail: dict[str, Any] = Field(description="`message` for people, and the numbers behind it.")
    opened_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    cleared_at: datetime | None

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """Take an alert of the store."""
        return cls(
            id=alert.id,
            key=alert.key,
            kind=alert.kind,
            state=alert.state,
            detail=dict(alert.detail),
            opened_at=datetime.fromtimestamp(alert.opened_at, UTC),
            acknowledged_by=alert.acknowledged_by,
            acknowledged_at=_read_time(alert.acknowledged_at),
            cleared_at=_read_time(alert.cleared_at),
        )


@router.get("", summary="List alerts", responses=problems(422, 503))
async def list_alerts(
    _reader: StatusReaderDep,
    operations: OperationsDep,
    *,
    open_only: Annotated[bool, Query(alias="open", description="Only what is wrong now.")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[AlertBody]:
    """List alerts, the newest first."""
    return [AlertBody.of(alert) for alert in await operations.alerts.list_alerts(open_only=open_only, limit=limit)]


@router.post("/{alert_id}/acknowledge", summary="Acknowledge an alert", responses=problems(404, 503))
async def acknowledge_alert(alert_id: AlertId, who: OperatorDep, operations: OperationsDep) -> AlertBody:
    """Note that you have seen it; the first to do so stays noted, and the audit tells. It stays until it is over."""
    return AlertBody.of(await operations.alerts.acknowledge(alert_id, who=who.name))


def _read_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
