"""The brake on guessing: whoever keeps sending wrong credentials waits longer for each refusal.

A right credential is never held up, so that nobody can lock out a queue or an administrator behind the same address.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address

from app.auth.networks import Address

__all__ = ["GuessBrake"]

_FREE = 50
"""Wrong credentials of one address that are answered at once."""
_PACE = 0.25
"""Seconds between the refusals of one address after that, and in which one more is free again."""
_MAX_WAIT = 2.0
"""Seconds that one refusal is held back at most."""
_MAX_WAITING = 500
"""Refusals held back at one time; more are sent at once, since they would hold connections."""
_MAX_ADDRESSES = 10_000
_RECENT = 300.0
"""Seconds for which an address that was slowed down counts as guessing."""
_HOME_BITS = 64
"""Bits of an IPv6 address that one customer of a network chooses freely (RFC 6177)."""


class GuessBrake:
    """Counts wrong credentials by address, and holds their refusals back once there are many."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds of a clock that never goes back."""
        self._monotonic = monotonic
        self._next_due: OrderedDict[int | None, float] = OrderedDict()
        self._slowed: OrderedDict[int | None, float] = OrderedDict()
        self._waiting = 0

    async def hold_back(self, address: Address | None) -> None:
        """Note one wrong credential, and return when it may be refused."""
        wait = self.note(address)
        if wait <= 0 or self._waiting >= _MAX_WAITING:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(wait)
        finally:
            self._waiting -= 1

    def note(self, address: Address | None) -> float:
        """Note one wrong credential; return for how many seconds its refusal is to be held back."""
        now, source = self._monotonic(), _find_source(address)
        due = max(self._next_due.pop(source, now), now) + _PACE
        _keep(self._next_due, source, due)
        wait = due - now - _FREE * _PACE
        if wait > 0:
            self._slowed.pop(source, None)
            _keep(self._slowed, source, now)
        return min(wait, _MAX_WAIT)

    def count_guessing(self) -> int:
        """Count the addresses that were slowed down within the last five minutes."""
        since = self._monotonic() - _RECENT
        return sum(at >= since for at in self._slowed.values())


def _find_source(address: Address | None) -> int | None:
    """Return what stands for the address: of IPv6 its network, since its holder may choose the rest."""
    if address is None:
        return None
    return int(address) >> _HOME_BITS if isinstance(address, IPv6Address) else int(address)


def _keep(times: OrderedDict[int | None, float], source: int | None, time: float) -> None:
    times[source] = time
    if len(times) > _MAX_ADDRESSES:
        times.popitem(last=False)
