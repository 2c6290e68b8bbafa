"""Knows which ruleset is live in this process, and notices within a second when another one is published."""

import asyncio
import gc
from collections.abc import Callable

import structlog

from app.errors import AppError
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.ruleset import Ruleset
from app.rulesets.repository import load_rules
from app.rulesets.store import RulesetStore
from app.web.heavy_work import HeavyWork

__all__ = ["LiveRuleset"]

log = structlog.get_logger()

_LARGE_RULES = 300


class LiveRuleset:
    """Holds the compiled ruleset. A call keeps the one it started with; the next call gets the new one."""

    def __init__(
        self,
        *,
        store: RulesetStore,
        on_change: Callable[[CompiledRuleset], None],
        heavy_work: HeavyWork,
        interval: float,
    ) -> None:
        """`interval` is how often, in seconds, other processes' publishing is looked for (0.1 to 2)."""
        self._store = store
        self._on_change = on_change
        self._heavy_work = heavy_work
        self._interval = interval
        self._current = compile_ruleset(Ruleset(), revision=None)
        self._fingerprint: tuple[int, str] | None = None
        self._unreadable: tuple[int, str] | None = None

    def current(self) -> CompiledRuleset:
        """Return the live ruleset; before the first publishing an empty one, which changes nothing."""
        return self._current

    async def refresh(self) -> bool:
        """Take over the newest revision; tell whether it is another one. Raises StoreError.

        A revision this version of the program cannot read is refused and logged; the present one stays live.
        """
        newest = await self._store.current_fingerprint()
        if newest is None or newest in {self._fingerprint, self._unreadable}:
            return False
        number = newest[0]
        revision = await self._store.revision(number)
        try:
            compiled = await self._heavy_work.run_for_calls(load_rules, revision.document, revision=number)
        except AppError as error:
            self._unreadable = newest
            log.error("live_ruleset.revision_unreadable", revision=number, error=error.code)  # noqa: TRY400 - expected
            return False
        if number < (self._current.revision or 0):
            return False
        self._current, self._fingerprint = compiled, (number, revision.head.checksum)
        if len(compiled.ruleset.rules) >= _LARGE_RULES:
            # Looking through it for reference cycles would stop every thread for tenths of a second, time and again.
            gc.freeze()
        self._on_change(compiled)
        log.info("live_ruleset.revision_live", revision=number, rules=len(compiled.ruleset.rules))
        return True

    async def follow(self) -> None:
        """Refresh for ever; a store that fails is logged once until it works again."""
        failing = False
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.refresh()
                failing = False
            except AppError as error:
                if not failing:
                    log.warning("live_ruleset.refresh_failed", error=error.code)
                failing = True
