"""Knows which ruleset is live in this process, and takes over another one that is published."""

import gc
from collections.abc import Callable

import structlog

from app.errors import AppError
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.ruleset import Ruleset
from app.rulesets.repository import load_rules
from app.rulesets.store import RulesetStore
from app.web.limits import HeavyWork

__all__ = ["LiveRuleset"]

log = structlog.get_logger()

_LARGE_RULES = 300


class LiveRuleset:
    """Holds the compiled ruleset. A call keeps the one it started with; the next call gets the new one."""

    def __init__(
        self, *, store: RulesetStore, on_change: Callable[[CompiledRuleset], None], heavy_work: HeavyWork
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._heavy_work = heavy_work
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

    def start_with(self, rules: CompiledRuleset) -> None:
        """Begin with a revision that was live before, while the store is away."""
        self._current = rules
        self._on_change(rules)
        log.warning("live_ruleset.started_from_disk", revision=rules.revision, rules=len(rules.ruleset.rules))
