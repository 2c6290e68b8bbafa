"""Which Enreach user an owner is, at hand while calls are decided."""

from collections.abc import Mapping

from app.users.store import EnreachIdStore

__all__ = ["EnreachIdCache"]


class EnreachIdCache:
    """A copy of the ids in the store, renewed after every change and every few seconds.

    A decision must not wait for the database; another replica's change is seen with the next renewal.
    """

    def __init__(self, *, store: EnreachIdStore) -> None:
        self._store = store
        self._agents: Mapping[str, str] = {}

    def agent_of(self, user_id: str) -> str | None:
        """Return the Enreach user id of a Dynamics user."""
        return self._agents.get(user_id)

    async def refresh(self) -> None:
        """Read all ids again; raises StoreError, and then keeps what it had."""
        kept = await self._store.load()
        self._agents = {user: entry.enreach_id for user, entry in kept.items() if entry.enreach_id}
