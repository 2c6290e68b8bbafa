"""When each queue called, for whoever watches for silence."""

from sqlalchemy import select

from app.store.database import Database
from app.store.decision_filter import DecisionFilter
from app.store.tables import decisions

__all__ = ["CallTimes"]


class CallTimes:
    """Reads the times of real calls from the decision log, along its index by queue; fire drills do not count."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_queues(self, since: float) -> list[str]:
        """List the queues that called from then on, in seconds since the epoch. Raises StoreError."""
        conditions = DecisionFilter(since=since, drill=False).list_conditions()
        query = select(decisions.c.queue_id).where(decisions.c.queue_id.is_not(None), *conditions).distinct()
        async with self._database.read() as connection:
            return sorted((await connection.execute(query)).scalars())

    async def list_latest(self, queue_id: str, *, since: float, limit: int) -> list[float]:
        """List the times of the latest calls of a queue, newest first. Raises StoreError."""
        conditions = DecisionFilter(since=since, queue_id=queue_id, drill=False).list_conditions()
        query = select(decisions.c.at).where(*conditions).order_by(decisions.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())
