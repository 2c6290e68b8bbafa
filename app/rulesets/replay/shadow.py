"""Lets one draft decide live calls in a shadow run: after they were answered, without effect, counted and kept."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import structlog
from pydantic import BaseModel, ConfigDict, Field

from app.errors import AppError, ConflictError, NotFoundError
from app.observability.metrics import Metrics
from app.routing.decisions import DecisionRecord
from app.routing.rule_data import RuleData
from app.routing.ruleset import Ruleset
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.replay.replayer import FindProfile, Replayer
from app.rulesets.replay.result import PlaceNames, ReplayResult, Slices
from app.rulesets.replay.shadow_store import ShadowCounts, ShadowResults, ShadowResultStore
from app.rulesets.repository import RulesetRepository
from app.store.journal import Journal
from app.store.settings_documents import SettingsDocumentStore, Versioned, VersionedDocument

__all__ = ["ShadowMark", "ShadowRun"]

log = structlog.get_logger()

_MAX_WAITING = 2_000
"""Answered calls that may wait to be looked at; more are counted and left out."""
_ROUND_SECONDS = 0.25
_REFRESH_ROUNDS = 4
_SAVE_ROUNDS = 8


class ShadowMark(BaseModel):
    """The draft in the shadow; one for the whole installation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    draft: str | None = None
    queues: tuple[str, ...] = Field(default=(), max_length=200)
    """Only calls in these queues; empty for all."""


@dataclass(frozen=True, slots=True)
class _Running:
    """A draft in one version, ready to decide."""

    draft: str
    version: str
    queues: frozenset[str]
    replayer: Replayer
    names: PlaceNames


class ShadowRun:
    """Decides answered calls again by the draft that is in the shadow.

    A call only pays for putting its record into a queue of limited length. The draft is followed: when somebody edits
    it, its newest version decides, and counting starts anew. Mark and results are shared by all processes.
    """

    def __init__(
        self,
        *,
        settings: SettingsDocumentStore,
        results: ShadowResultStore,
        repository: RulesetRepository,
        live_ruleset: LiveRuleset,
        find_profile: FindProfile,
        metrics: Metrics,
        journal: Journal,
        read_data: Callable[[], RuleData],
        clock: Callable[[], float],
    ) -> None:
        """`journal` shows the records of calls, as long as a draft is in the shadow."""
        self._mark = VersionedDocument(
            store=settings, name="shadow", model=ShadowMark, what="shadow.changed", target="shadow"
        )
        self._results = results
        self._repository = repository
        self._live_ruleset = live_ruleset
        self._find_profile = find_profile
        self._metrics = metrics
        self._journal = journal
        self._read_data = read_data
        self._clock = clock
        self._running: _Running | None = None
        self._found: ReplayResult | None = None
        """What this process found since the last time it was saved."""
        self._waiting: deque[DecisionRecord] = deque()
        self._dropped = 0
        self._saving = asyncio.Lock()

    async def show(self) -> Versioned[ShadowMark]:
        """Tell which draft is in the shadow; raises StoreError."""
        return await self._mark.read()

    async def read_results(self, draft: str) -> ShadowResults | None:
        """Return what was found for a draft in the version that ran last; `None` before the first call."""
        await self.save()
        return await self._results.get(draft)

    async def enter(
        self, draft_id: str, queues: tuple[str, ...], *, version: str, author: str
    ) -> Versioned[ShadowMark]:
        """Put a draft into the shadow, for calls in some queues or all.

        Raises NotFoundError, InvalidInputError for rules that cannot run, PreconditionFailedError, StoreError.
        """
        await self._repository.load((await self._repository.find_draft(draft_id)).document)
        return await self._set(ShadowMark(draft=draft_id, queues=queues), version=version, author=author)

    async def leave(self, draft_id: str, *, version: str, author: str) -> Versioned[ShadowMark]:
        """Take the draft out; raises ConflictError when it is not in there, PreconditionFailedError, StoreError."""
        if (await self._mark.read()).value.draft != draft_id:
            raise ConflictError("this draft is not in the shadow")
        return await self._set(ShadowMark(), version=version, author=author)

    def _watch(self, record: DecisionRecord) -> None:
        """Note an answered call; fire drills are none."""
        running = self._running
        if running is None or record.drill is not None:
            return
        if running.queues and (record.queue_id or "").casefold() not in running.queues:
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
        else:
            self._waiting.append(record)

    async def run(self) -> None:
        """Work for ever, four times a second; a store that fails is logged once until it works again."""
        rounds, failing = 0, False
        while True:
            try:
                if rounds % _REFRESH_ROUNDS == 0:
                    await self.refresh()
                await self.work_off()
                if rounds % _SAVE_ROUNDS == 0:
                    await self.save()
                failing = False
            except AppError as error:
                if not failing:
                    log.warning("shadow.failed", error=error.code)
                failing = True
            rounds += 1
            await asyncio.sleep(_ROUND_SECONDS)

    async def refresh(self) -> None:
        """Take over which draft is in the shadow, in its newest version; raises StoreError."""
        mark = (await self._mark.read()).value
        try:
            draft = None if mark.draft is None else await self._repository.find_draft(mark.draft)
        except NotFoundError:
            draft = None
        if draft is None:
            await self._change(None)
            return
        queues = frozenset(queue.casefold() for queue in mark.queues)
        running = self._running
        if running is not None and (running.draft, running.version) == (draft.id, draft.version):
            self._running = replace(running, queues=queues)
            return
        try:
            rules = await self._repository.load(draft.document)
        except AppError as error:
            log.warning("shadow.draft_unusable", draft=draft.id, error=error.code)
            await self._change(None)
            return
        names = PlaceNames(rules.ruleset, self._live_ruleset.current().ruleset)
        replayer = Replayer(rules, self._find_profile, self._read_data)
        await self._change(_Running(draft.id, draft.version, queues, replayer, names))

    async def work_off(self) -> None:
        """Decide the calls that wait, giving way to calls that come meanwhile."""
        slices = Slices()
        # Saving, which may happen at any rest, puts a new result in the place of the old one.
        while self._waiting and (running := self._running) and (found := self._found):
            if found.add(running.replayer, self._waiting.popleft()):
                self._metrics.count_divergence()
            await slices.rest()

    async def save(self) -> None:
        """Add what was found since the last time to what is stored; raises StoreError."""
        # One at a time: results of an older version, written late, would take the place of those of the newer one.
        async with self._saving:
            await self._save()

    async def aclose(self) -> None:
        """Save what was found, at the end of the process."""
        try:
            await self.work_off()
            await self.save()
        except AppError as error:
            log.warning("shadow.not_saved", error=error.code)

    async def _save(self) -> None:
        running, found = self._running, self._found
        if running is None or found is None or not (found.calls or found.skipped or self._dropped):
            return
        dropped, self._dropped = self._dropped, 0
        self._found = ReplayResult(running.names)
        document = found.document()

        def count(before: ShadowCounts) -> ShadowCounts:
            total = ReplayResult(PlaceNames(Ruleset()))
            for part in (asdict(before), document):
                total.load({**part, "diffs": []})
            known = ShadowCounts.__dataclass_fields__
            counts = {name: value for name, value in total.document().items() if name in known}
            return ShadowCounts(dropped=before.dropped + dropped, **counts)

        try:
            await self._results.add(
                running.draft, running.version, count=count, diffs=document["diffs"], now=self._clock()
            )
        except AppError:
            if self._running is running:
                self._found.load(document)
                self._dropped += dropped
            raise

    async def _set(self, mark: ShadowMark, *, version: str, author: str) -> Versioned[ShadowMark]:
        written = await self._mark.write(mark, version=version, author=author, now=self._clock())
        await self.refresh()
        return written

    async def _change(self, running: _Running | None) -> None:
        if running is None and self._running is None:
            return
        await self.work_off()
        await self.save()
        self._waiting.clear()
        self._running = running
        self._journal.on_append = None if running is None else self._watch
        self._found = None if running is None else ReplayResult(running.names)
        log.info("shadow.changed", draft=None if running is None else running.draft)
