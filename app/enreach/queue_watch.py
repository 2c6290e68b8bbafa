"""Reads the states of all queues from the Enreach API again and again, beside calls (Enreach contract, section 4.2)."""

from collections.abc import Callable, Mapping

from app.enreach.client import EnreachClient
from app.enreach.records import EnreachQueue, OpenStatus
from app.routing.queue_states import QueueState

__all__ = ["QueueWatch"]

_OPEN = {OpenStatus.OPEN: True, OpenStatus.CLOSED: False}


class QueueWatch:
    """Keeps what Enreach told last; a call reads it and never waits."""

    def __init__(self, *, client: EnreachClient, seconds: float, max_age: float, clock: Callable[[], float]) -> None:
        """`seconds` is how often to ask, `max_age` (seconds) how long an answer counts; `clock` is since the epoch."""
        self.seconds = seconds
        self._client = client
        self._max_age = max_age
        self._clock = clock
        self.states: Mapping[str, QueueState] = {}
        """By the queue's id in lower case."""

    async def refresh(self) -> None:
        """Ask once, with one request; raises EnreachError, and what was told before grows old."""
        at = self._clock()
        queues = await self._client.list_queues()
        self.states = {queue.id.casefold(): state for queue in queues if (state := self._read(queue, at)) is not None}

    def _read(self, queue: EnreachQueue, at: float) -> QueueState | None:
        status = queue.status
        if status is None:
            return None
        return QueueState(
            at=at,
            max_age=self._max_age,
            open=_OPEN.get(status.open_status),
            length=status.queue_length,
            longest_wait=status.max_wait_seconds,
            free_agents=status.free_agents,
        )
