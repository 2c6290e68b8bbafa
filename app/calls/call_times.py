"""When each queue called, for whoever watches for silence."""

from sqlalchemy import select

from app.calls.decision_filter import DecisionFilter
from app.store.database import Database
from app.store.tables import decisions

__all__ = ["CallTimes"]

_NAMELESS = decisions.c.queue_id.is_(None)


class CallTimes:
    """Reads the times of real calls from the decision log, along its index by queue; fire drills do not count.

    A queue that does not tell its id, as those with the older payload, goes by its target id.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_queues(self, since: float) -> list[str]:
        """List the queues that called from then on, in seconds since the epoch. Raises StoreError."""
        conditions = DecisionFilter(since=since, drill=False).list_conditions()
        by_id = select(decisions.c.queue_id).where(decisions.c.queue_id.is_not(None), *conditions)
        by_target = select(decisions.c.target_id).where(_NAMELESS, decisions.c.target_id.is_not(None), *conditions)
        async with self._database.read() as connection:
            return sorted((await connection.execute(by_id.union(by_target))).scalars())

    async def list_latest(self, queue_id: str, *, since: float, limit: int) -> list[float]:
        """List the times of the latest calls of a queue, newest first. Raises StoreError."""
        by_id = DecisionFilter(since=since, queue_id=queue_id, drill=False).list_conditions()
        by_target = DecisionFilter(since=since, target_id=queue_id, drill=False).list_conditions()
        query = select(decisions.c.at).order_by(decisions.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            if times := list((await connection.execute(query.where(*by_id))).scalars()):
                return times
            return list((await connection.execute(query.where(_NAMELESS, *by_target))).scalars())
