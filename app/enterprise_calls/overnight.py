"""The overnight run: calls whose customer was saved later that office day, and the end of waiting in vain."""

from collections import Counter
from collections.abc import Callable

from app.enterprise_calls.store import EnterpriseCallStore
from app.enterprise_calls.sync import CallSync
from app.operations.jobs import Progress

__all__ = ["OvernightRun"]

_AT_ONCE = 100


class OvernightRun:
    """Decides every call that waits once more.

    Each call notes when it was tried, so that a run that was interrupted goes on where it was.
    """

    def __init__(self, *, sync: CallSync, store: EnterpriseCallStore, clock: Callable[[], float]) -> None:
        self._sync = sync
        self._store = store
        self._clock = clock

    async def count(self, *, due: float) -> int:
        """Count the calls that the run of this time has not looked at. Raises StoreError."""
        return await self._store.count_pending(not_tried_since=due)

    async def run(self, progress: Progress, *, due: float, until: float) -> dict[str, object]:
        """Go through them, the oldest first, until the time is over; what is left then waits for the next night.

        `due` is when the run was to begin. Raises what CallSync raises; begin it again then.
        """
        await self._sync.catch_up()
        outcomes: Counter[str] = Counter()
        done, left = 0, True
        while self._clock() < until and await progress.note(done):
            waiting = await self._store.list_pending(not_tried_since=due, limit=_AT_ONCE)
            if not waiting:
                left = False
                break
            tally = await self._sync.settle_late(waiting, tried_at=max(due, self._clock()))
            outcomes += tally.outcomes
            done += len(waiting)
        if not left:
            await self._store.advance(overnight=due)
        return {"calls": done, "complete": not left, "outcomes": dict(sorted(outcomes.items()))}
