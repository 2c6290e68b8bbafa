"""Forgets what is older than it may become."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from app.errors import AppError

__all__ = ["Purge", "Retention"]

log = structlog.get_logger()

_DAY = 86_400.0

Purge = Callable[[float], Awaitable[int]]
"""Deletes what is from before that time (seconds since the epoch) and returns how many; may raise AppError."""


class Retention:
    """Deletes old decisions, callers, alerts and the like, once a day and at the start, in one of all processes."""

    def __init__(
        self,
        *,
        purges: Mapping[str, Purge],
        days: int,
        lead: Callable[[], Awaitable[bool]],
        clock: Callable[[], float],
    ) -> None:
        """`purges` by what they delete; `days` is how long it is kept (1 to 3650)."""
        self._purges = dict(purges)
        self._days = days
        self._lead = lead
        self._clock = clock

    async def run(self) -> dict[str, int]:
        """Delete, and return how much of what; one kind that fails does not keep the others. Raises nothing."""
        try:
            if not await self._lead():
                return {}
        except AppError as error:
            log.warning("retention.not_run", error=error.code)
            return {}
        before = self._clock() - self._days * _DAY
        purged = {name: await self._purge(name, purge, before) for name, purge in self._purges.items()}
        log.info("retention.done", days=self._days, **purged)
        return purged

    @staticmethod
    async def _purge(name: str, purge: Purge, before: float) -> int:
        try:
            return await purge(before)
        except (AppError, OSError) as error:
            log.warning("retention.failed", what=name, error=type(error).__name__)
            return 0
