"""Lets one draft decide live calls in the shadow: after they were answered, without effect, counted and kept."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from app.calls.route_call import DecisionSink
from app.errors import AppError, NotFoundError
from app.routing.decisions import DecisionRecord
from app.routing.wire import ResponseProfile
from app.rulesets.comparison import Comparer
from app.rulesets.difference_counts import DifferenceCounts
from app.rulesets.draft_store import DraftStore
from app.rulesets.effects import Names
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.loading import load_rules
from app.rulesets.replay import Slices
from app.rulesets.shadow_repository import ShadowRepository

__all__ = ["DivergenceCounter", "Shadow", "ShadowedLog"]

log = structlog.get_logger()

_MAX_WAITING = 2_000
"""Answered calls that may wait to be looked at; more are counted and left out."""
_TURN_SECONDS = 0.25
_REFRESH_TURNS = 4
_SAVE_TURNS = 8


class DivergenceCounter(Protocol):
    """Counts for monitoring."""

    def count_divergence(self) -> None:
        """Count a call that the shadow would have decided otherwise."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A draft in one version, ready to decide, and what it found in this process since the last time it was saved."""

    draft: str
    version: str
    queues: frozenset[str]
    comparer: Comparer
    names: Names


class Shadow:
    """Decides answered calls again by the draft that is in the shadow.

    A call only pays for putting its record into a queue of limited length. The draft is followed: when somebody edits
    it, its newest version decides, and counting starts anew.
    """

    def __init__(
        self,
        *,
        results: ShadowRepository,
        drafts: DraftStore,
        live_ruleset: LiveRuleset,
        profile: ResponseProfile,
        counter: DivergenceCounter,
        clock: Callable[[], float],
    ) -> None:
        self._results = results
        self._drafts = drafts
        self._live_ruleset = live_ruleset
        self._profile = profile
        self._counter = counter
        self._clock = clock
        self._running: _Running | None = None
        self._tally: DifferenceCounts | None = None
        self._waiting: deque[DecisionRecord] = deque()
        self._dropped = 0

    def watch(self, record: DecisionRecord) -> None:
        """Note an answered call; costs well below a microsecond when no draft is in the shadow, and never fails."""
        running = self._running
        if running is None or (running.queues and (record.queue_id or "").casefold() not in running.queues):
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
        else:
            self._waiting.append(record)

    async def run(self) -> None:
        """Work for ever, four times a second; trouble with the store is logged once until it is over."""
        turn, troubled = 0, False
        while True:
            try:
                if turn % _REFRESH_TURNS == 0:
                    await self.refresh()
                await self.work_off()
                if turn % _SAVE_TURNS == 0:
                    await self.save()
                troubled = False
            except AppError as error:
                if not troubled:
                    log.warning("shadow.failed", error=error.code)
                troubled = True
            turn += 1
            await asyncio.sleep(_TURN_SECONDS)

    async def refresh(self) -> None:
        """Take over which draft is in the shadow, in its newest version; raises StoreError."""
        mark = (await self._results.read()).mark
        if mark.draft is None:
            await self._change(None)
            return
        try:
            draft = await self._drafts.get(mark.draft)
        except NotFoundError:
            await self._change(None)
            return
        queues = frozenset(queue.casefold() for queue in mark.queues)
        running = self._running
        if running is not None and (running.draft, running.version) == (draft.id, draft.version):
            if running.queues != queues:
                self._running = _Running(draft.id, draft.version, queues, running.comparer, running.names)
            return
        try:
            rules = await load_rules(draft.document)
        except AppError as error:
            log.warning("shadow.draft_unusable", draft=draft.id, error=error.code)
            await self._change(None)
            return
        await self._change(
            _Running(
                draft.id,
                draft.version,
                queues,
                Comparer(rules, self._profile),
                Names(rules.ruleset, self._live_ruleset.current().ruleset),
            )
        )

    async def work_off(self) -> None:
        """Decide the calls that wait, giving way to calls that come meanwhile."""
        slices = Slices()
        # Saving, which may happen at any rest, puts a new tally in the place of the old one.
        while self._waiting and (running := self._running) and (tally := self._tally):
            if tally.add(running.comparer, self._waiting.popleft()):
                self._counter.count_divergence()
            await slices.rest()

    async def save(self) -> None:
        """Add what was found since the last time to what is stored; raises StoreError."""
        running, tally = self._running, self._tally
        if running is None or tally is None or not (tally.calls or tally.skipped or self._dropped):
            return
        dropped, self._dropped = self._dropped, 0
        self._tally = DifferenceCounts(running.names)
        try:
            await self._results.add_results(running.draft, running.version, tally, dropped, now=self._clock())
        except AppError:
            if self._running is running:
                self._tally.load(tally.document())
                self._dropped += dropped
            raise

    async def aclose(self) -> None:
        """Save what was found, at the end of the process."""
        try:
            await self.work_off()
            await self.save()
        except AppError as error:
            log.warning("shadow.not_saved", error=error.code)

    async def _change(self, running: _Running | None) -> None:
        if running is None and self._running is None:
            return
        await self.work_off()
        await self.save()
        self._waiting.clear()
        self._running = running
        self._tally = None if running is None else DifferenceCounts(running.names)
        log.info("shadow.changed", draft=None if running is None else running.draft)


class ShadowedLog:
    """A decision log that shows the shadow what it kept."""

    def __init__(self, *, decision_log: DecisionSink, shadow: Shadow) -> None:
        self._decision_log = decision_log
        self._shadow = shadow

    def append(self, record: DecisionRecord) -> bool:
        """Keep one record, then let the shadow note it."""
        kept = self._decision_log.append(record)
        self._shadow.watch(record)
        return kept
