"""Looks calls up: what became of each, and why."""

from collections.abc import Callable
from dataclasses import dataclass

from app.auth.principals import Principal
from app.enterprise_calls.store import EnterpriseCallStore, StoredCall
from app.enterprise_calls.sync import CallSync
from app.errors import NotFoundError
from app.observability.redaction import redact_number
from app.store.audit import AuditStore

__all__ = ["CallLog", "ShownCall", "show_number"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCall:
    """One call as it may be shown."""

    call: StoredCall
    others: tuple[StoredCall, ...] = ()
    """The parts of other users in the same call."""
    revealed: bool = False
    """Whether the full number may be shown."""


class CallLog:
    """Shows calls that were classified as work; of all others nothing is kept. Everything raises StoreError."""

    def __init__(
        self, *, store: EnterpriseCallStore, sync: CallSync, audit: AuditStore, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._sync = sync
        self._audit = audit
        self._clock = clock

    async def show(self, call_id: str, *, reveal_to: Principal | None = None) -> ShownCall:
        """Find a call; who sees its full number leaves an audit record. Raises NotFoundError."""
        found = await self._store.find(call_id)
        if not found:
            raise NotFoundError(
                "no work call with this id is known: Enreach has not told of it yet, or it is not classified as work, "
                "or it is older than what is kept"
            )
        if reveal_to is not None:
            await self._audit.add(
                at=self._clock(),
                who=reveal_to.name,
                what="enterprise_call.revealed",
                target=f"enterprise-call/{found[0].event.id}",
            )
        return ShownCall(call=found[0], others=tuple(found[1:]), revealed=reveal_to is not None)

    async def retry(self, call_id: str, *, who: str) -> ShownCall:
        """Read a call from Enreach anew, decide it as if it had never been decided, and show what became of it.

        Leaves an audit record. Raises NotFoundError, also when it is not work any more, and what CallSync raises.
        """
        await self.show(call_id)
        await self._sync.retry((await self._store.find(call_id))[0].event.call_id)
        shown = await self.show(call_id)
        target = f"enterprise-call/{shown.call.event.id}"
        await self._audit.add(
            at=self._clock(),
            who=who,
            what="enterprise_call.retried",
            target=target,
            after={"outcome": shown.call.outcome, "reason": shown.call.reason},
        )
        return shown


def show_number(call: StoredCall, *, revealed: bool = False) -> str | None:
    """Return the other party's number as it may be shown."""
    number = call.event.number
    return number if revealed or number is None else redact_number(number)
