"""Who was recognised only because a call was searched for: noted at once, written behind the call."""

from collections.abc import Callable, Iterable
from typing import Final

from app.numbers.store import Find, NumberStore, RecordKey
from app.routing.callers import Match
from app.store.errors import StoreError

__all__ = ["SearchFinds"]

_MAX: Final = 10_000


class SearchFinds:
    """Keeps the latest finds until they are written; while the database is away, the first so many."""

    def __init__(self, *, store: NumberStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._pending: dict[RecordKey, Find] = {}

    def note(self, e164: str, matches: Iterable[Match]) -> None:
        """Note the records that a search found for a number."""
        for match in matches:
            key = RecordKey(match.kind.value, match.id)
            if key in self._pending or len(self._pending) < _MAX:
                self._pending[key] = Find(key, e164, self._clock())

    async def erase(self, e164: str) -> int:
        """Forget who was found by a number, written or not; returns how many were written. Raises StoreError."""
        self._pending = {key: find for key, find in self._pending.items() if find.e164 != e164}
        return await self._store.erase_finds(e164)

    async def save(self) -> None:
        """Write what was noted; what the database does not take is kept for the next time. Raises StoreError."""
        finds, self._pending = self._pending, {}
        try:
            await self._store.save_finds(list(finds.values()))
        except StoreError:
            self._pending = finds | self._pending
            raise
