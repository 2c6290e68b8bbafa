"""Callers by what they typed in the IVR, such as a customer number."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cachetools import TTLCache

from app.directory.breaker import CircuitBreaker
from app.directory.limits import BreakerLimits, DirectoryLimits
from app.directory.live import LiveDirectory, LookUp
from app.directory.lookup import Outage
from app.routing.callers import Caller, CallerStatus, Selection

__all__ = ["TypedCallers"]

_LIMITS: Final = DirectoryLimits(look_ups_at_once=4, numbers_per_look_up=1, queue_length=100, breaker=BreakerLimits())
_KEPT_SECONDS: Final = 60.0
_SIZE: Final = 10_000
_TYPED: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z./-]{0,49}")
"""What is looked up: nothing that Dataverse could take for a wildcard."""


class TypedCallers:
    """Asks Dataverse with turns and a circuit breaker of its own, and remembers the answer for a minute."""

    def __init__(
        self, *, look_up: LookUp, monotonic: Callable[[], float], on_look_up: Callable[[str, float], None]
    ) -> None:
        """`look_up` takes what was typed in the place of numbers; `on_look_up` is told as by `LiveDirectory`."""
        self._directory = LiveDirectory(
            look_up=look_up,
            breaker=CircuitBreaker(limits=_LIMITS.breaker, monotonic=monotonic),
            limits=_LIMITS,
            monotonic=monotonic,
            on_look_up=on_look_up,
        )
        self._known: TTLCache[tuple[str, Selection], Caller] = TTLCache(_SIZE, ttl=_KEPT_SECONDS, timer=monotonic)

    async def find(self, typed: object, selection: Selection, *, until: float) -> Caller | None:
        """Return the one whom it identifies, if that is known before `until` (loop time); never raises for the CRM."""
        text = str(typed).strip()
        if _TYPED.fullmatch(text) is None:
            return None
        if (known := self._known.get((text, selection))) is None:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    answer = await self._directory.ask(text, selection, awaited_until=lambda: until)
                    if not isinstance(answer, Outage):
                        known = self._known[text, selection] = answer
        return known if known is not None and known.status is CallerStatus.IDENTIFIED else None

    def forget(self) -> None:
        """Look everybody up anew."""
        self._known.clear()

    async def aclose(self) -> None:
        """Give up what is under way."""
        await self._directory.aclose()
