"""Sets, shows and deletes switches."""

from collections.abc import Callable

from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.routing.registry import SWITCHES
from app.rulesets.live_data import LiveRuleData
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.switches.store import StoredSwitch, SwitchStore

__all__ = ["Switches"]


class Switches:
    """What administrators do with switches. What changes one raises StoreError."""

    def __init__(
        self,
        *,
        store: SwitchStore,
        live_data: LiveRuleData,
        live_ruleset: LiveRuleset,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._live_data = live_data
        self._live_ruleset = live_ruleset
        self._clock = clock

    @property
    def now(self) -> float:
        """The moment, in seconds since the epoch."""
        return self._clock()

    async def list_all(self) -> list[StoredSwitch]:
        """List the switches by name; the last known ones while the store is away."""
        await self._live_data.try_refresh(switches_only=True)
        return list(self._live_data.switches.values())

    async def show(self, name: str) -> StoredSwitch:
        """Show a switch, the last known state while the store is away; raises NotFoundError."""
        await self._live_data.try_refresh(switches_only=True)
        found = self._live_data.switches.get(name)
        if found is None:
            raise NotFoundError(f'no switch is called "{name}"')
        return found

    async def put(self, name: str, *, on: bool, reason: str, off_at: float | None, author: str) -> StoredSwitch:
        """Set a switch, and make it if there is none; the next call is decided by it.

        Raises InvalidInputError for one that goes off before now, and ConflictError for one too many.
        """
        now = self._clock()
        if off_at is not None and off_at <= now:
            raise InvalidInputError("off_at is over; give a moment that is still to come, or leave it out")
        switch = StoredSwitch(name=name, on=on, reason=reason, off_at=off_at, author=author, at=now)
        await self._store.put(switch)
        await self._live_data.try_refresh(switches_only=True)
        return switch

    async def delete(self, name: str, *, author: str) -> None:
        """Delete a switch; raises NotFoundError, and ConflictError for one that the live ruleset tests."""
        rules = self._live_ruleset.current()
        if SWITCHES + name in rules.facts_used:
            raise ConflictError(f'revision {rules.revision} tests the switch "{name}"; publish rules without it first')
        await self._store.delete(name, author=author, now=self._clock())
        await self._live_data.try_refresh(switches_only=True)
