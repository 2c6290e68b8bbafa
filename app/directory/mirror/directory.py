"""The directory that looks into the index first, and asks Dataverse for whom the index does not know."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from cachetools import TTLCache

from app.dataverse.queries import SearchPlan
from app.directory.cached import CachedDirectory, DirectoryStatistics
from app.directory.limits import DirectoryLimits
from app.directory.lookup import LookupResult, Source, is_open
from app.directory.memory import CallerMemory
from app.directory.mirror.history import BoundedHistory
from app.directory.mirror.matching import MatchReader
from app.directory.mirror.plan import MirrorPlan
from app.directory.mirror.reads import Found, IndexReads
from app.directory.mirror.status import MirrorState, MirrorStatus
from app.directory.mirror.store import FoundRecord, Generation, MirrorStore
from app.routing.callers import Caller, CallerKind, CallerStatus, LookUp, Match, Selection
from app.routing.number_blocks import list_blocks
from app.single_flight import gather_or_cancel
from app.store.errors import StoreError

__all__ = ["MirrorCounts", "MirroredDirectory"]

_READ_SECONDS: Final = 0.3
"""A call waits so long for the index at most; what is left of its time is for Dataverse."""
_RESERVE_SECONDS: Final = 0.05
"""Kept back from a call's time when Dataverse is asked for cases or phone calls, so that the answer leaves in time."""
_MAX_PARENTS: Final = 1
"""Accounts above the caller's company that rules may read."""
_STRANGER_SECONDS: Final = 600.0
"""How long nobody is believed to be nobody who neither the index nor Dataverse knew: the index hears of news anyway."""

Identify = Callable[[LookUp, Selection, float], Caller]
"""Judges what was found; the time is until when the index has every change, in seconds since the epoch."""


@dataclass(slots=True, kw_only=True)
class MirrorCounts:
    """Look-ups in the index since the start, by what came of them."""

    hit: int = 0
    miss: int = 0
    """Nobody in the index has the number: Dataverse was asked."""
    stranger: int = 0
    """Nobody in the index has the number, and Dataverse said the same a while ago."""
    uncovered: int = 0
    """There is no index yet, or none with the columns that the rules read."""
    unread: int = 0
    """The store did not answer in time."""


class MirroredDirectory:
    """Answers from the index as long as it has what the rules read; behind it stands the directory that asks Dataverse.

    Whom the index does not know is looked up live: a record may be seconds old. What Dataverse says then counts; but
    when it cannot say anything now, the word of the index, nobody, is newer than any caller remembered from before.
    """

    def __init__(
        self,
        *,
        live: CachedDirectory,
        store: MirrorStore,
        status: MirrorStatus,
        identify: Identify,
        history: BoundedHistory,
        search: SearchPlan,
        region: str,
        limits: DirectoryLimits,
        monotonic: Callable[[], float],
    ) -> None:
        """`limits` says how long and how many callers are remembered; a change of the index makes it forget all."""
        self.counts = MirrorCounts()
        self._live = live
        self._store = store
        self._status = status
        self._identify = identify
        self._history = history
        self._search = search
        self._region = region
        self._memory = CallerMemory(limits=limits, monotonic=monotonic)
        self._strangers: TTLCache[str, bool] = TTLCache(limits.size, ttl=_STRANGER_SECONDS, timer=monotonic)
        self._reads = IndexReads(read=self._read_index)
        self._selection = Selection()
        self._reader: MatchReader | None = None
        self._fresh = 0
        self._version = 0
        self._monotonic = monotonic
        status.notify(self._look_again)

    @property
    def wanted(self) -> MirrorPlan:
        """What the index should hold for the settings and the live ruleset."""
        return MirrorPlan.make(self._search, self._selection, region=self._region)

    @property
    def required(self) -> MirrorPlan:
        """What of it the settings name."""
        return MirrorPlan.make(self._search, Selection(), region=self._region)

    def select(self, selection: Selection) -> None:
        """Say what the published rules need."""
        if selection != self._selection:
            self._selection = selection
            self._look_again()
        self._live.select(selection)

    def plan_anew(self, search: SearchPlan, *, region: str) -> None:
        """Take over other settings: what the index lacks is loaded, and callers are looked up live meanwhile."""
        self._search, self._region = search, region
        self._look_again()

    def outdate(self) -> None:
        """Have every caller judged anew."""
        self._look_again()
        self._strangers.clear()
        self._live.outdate()

    def recall(self, e164: str) -> LookupResult | None:
        """Return a caller whom the index told a moment ago, without waiting."""
        if self._reader is None or self._status.live is None:
            return self._live.recall(e164)
        result = self._memory.recall(e164, self._selection)
        self._fresh += result is not None
        return result

    def recall_old(self, e164: str) -> LookupResult | None:
        """Return the last known caller from memory, however old, without waiting."""
        entry = self._memory.get(e164)
        return self._live.recall_old(e164) if entry is None else LookupResult(entry.caller, Source.STALE)

    async def find(self, e164: str, *, until: float) -> LookupResult:
        """Return the caller as well as can be told before `until` (loop time). Never raises for either."""
        if (result := self.recall(e164)) is not None:
            return result
        reader, generation = self._reader, self._status.live
        if reader is None or generation is None:
            self.counts.uncovered += 1
            return await self._live.find(e164, until=until)
        return await self._find(e164, self._selection, reader, generation, until)

    async def find_for(self, selection: Selection, e164: str, *, until: float) -> LookupResult:
        """Return the caller with what other rules than the published ones need; what that adds is not remembered."""
        if selection == self._selection:
            return await self.find(e164, until=until)
        reader, generation = self._make_reader(selection), self._status.live
        if reader is None or generation is None:
            return await self._live.find_for(selection, e164, until=until)
        return await self._find(e164, selection, reader, generation, until)

    async def explain(self, numbers: Sequence[str]) -> Mapping[str, tuple[Caller, Sequence[Match]]]:
        """Tell who numbers of the index are taken for, and why, with the records that carry them; without their cases.

        Nothing where the index does not have what the rules read. Raises StoreError.
        """
        reader, generation = self._reader, self._status.live
        if reader is None or generation is None:
            return {}
        found = Found(await self._read_index(numbers))
        matches = {e164: reader.read(found, e164) for e164 in numbers}
        synced_at = generation.synced_at or 0.0
        return {
            e164: (self._identify(LookUp(matches=each), Selection(), synced_at), each) for e164, each in matches.items()
        }

    async def purge(self, e164: str | None) -> int:
        """Forget one number or all, but for the index, which repeats Dataverse; returns how many entries are gone.

        Raises what the store raises; memory is empty by then.
        """
        if e164 is None:
            self._strangers.clear()
        else:
            self._strangers.pop(e164, None)
        return self._memory.forget(e164) + await self._live.purge(e164)

    def statistics(self) -> DirectoryStatistics:
        """Return the counters of the directory behind, with what this one remembered."""
        statistics = self._live.statistics()
        return replace(statistics, fresh=statistics.fresh + self._fresh)

    async def aclose(self) -> None:
        """Leave no task and no connection behind."""
        await self._reads.aclose()
        await self._store.aclose()
        await self._live.aclose()

    async def _find(
        self, e164: str, selection: Selection, reader: MatchReader, generation: Generation, until: float
    ) -> LookupResult:
        started, version = self._monotonic(), self._version
        found = await self._read(e164, until)
        stages = {"mirror": self._monotonic() - started}
        if found is None:
            self.counts.unread += 1
            return await self._ask_live(e164, selection, until)
        matches = reader.read(found, e164)
        if not matches:
            return await self._find_elsewhere(e164, selection, reader, generation, until)
        self.counts.hit += 1
        caller = await self._judge(LookUp(matches=matches), selection, generation, until)
        if selection == self._selection and self._version == version:
            self._memory.remember(e164, caller, selection)
        return LookupResult(caller, Source.MIRROR, stages=stages)

    async def _find_elsewhere(
        self, e164: str, selection: Selection, reader: MatchReader, generation: Generation, until: float
    ) -> LookupResult:
        """Ask Dataverse for a number that the index does not have; whom Dataverse does not know may lie in a block."""
        follows = self._status.read().state is MirrorState.FOLLOWING
        if follows and e164 in self._strangers:
            self.counts.stranger += 1
            return LookupResult(await self._find_block(e164, selection, reader, generation, until), Source.MIRROR)
        self.counts.miss += 1
        await self._drop_refuted(e164, generation)
        result = await self._ask_live(e164, selection, until)
        if result.source in {Source.LIVE, Source.FRESH, Source.NEGATIVE}:
            if not is_open(result.caller):
                return result
            self._strangers[e164] = True
        elif not follows:
            return result
        caller = await self._find_block(e164, selection, reader, generation, until)
        if caller.status is CallerStatus.UNKNOWN and result.outage is None:
            return result
        return LookupResult(caller, Source.MIRROR, result.outage, result.stages)

    async def _find_block(
        self, e164: str, selection: Selection, reader: MatchReader, generation: Generation, until: float
    ) -> Caller:
        """Return the account with the longest number block that the number lies in, else nobody."""
        blocks = list_blocks(e164) if self._search.number_blocks else ()
        found = await gather_or_cancel(*(self._read(block.e164, until) for block in blocks))
        for block, each in zip(blocks, found, strict=True):
            matches = () if each is None else reader.read(each, block.e164)
            if accounts := tuple(match for match in matches if match.kind is CallerKind.ACCOUNT):
                return await self._judge(LookUp(matches=accounts, block=block), selection, generation, until)
        return Caller(status=CallerStatus.UNKNOWN, as_of=generation.synced_at)

    async def _drop_refuted(self, e164: str, generation: Generation) -> None:
        """Forget a caller whom Dataverse told before the index had every change, and who is in it no more."""
        known = self._live.recall_old(e164)
        if known is not None and (known.caller.as_of or 0.0) < (generation.synced_at or 0.0):
            with suppress(StoreError):
                await self._live.purge(e164)

    async def _judge(self, found: LookUp, selection: Selection, generation: Generation, until: float) -> Caller:
        complete = await self._history.add(found, selection, until=until - _RESERVE_SECONDS)
        return self._identify(complete, selection, generation.synced_at or 0.0)

    async def _ask_live(self, e164: str, selection: Selection, until: float) -> LookupResult:
        if selection == self._selection:
            return await self._live.find(e164, until=until)
        return await self._live.find_for(selection, e164, until=until)

    async def _read(self, e164: str, until: float) -> Found | None:
        now = asyncio.get_running_loop().time()
        return await self._reads.find(e164, until=min(until, now + _READ_SECONDS))

    async def _read_index(self, numbers: Sequence[str]) -> Sequence[FoundRecord]:
        generation = self._status.live
        if generation is None:
            raise LookupError("there is no index any more")
        depth = 1 + max(self._search.account_depth, _MAX_PARENTS)
        return await self._store.find(generation.number, numbers, depth=depth)

    def _look_again(self) -> None:
        """Forget what may have changed, and find out whether the index has what the rules read."""
        self._version += 1
        self._memory.forget(None)
        self._reader = self._make_reader(self._selection)

    def _make_reader(self, selection: Selection) -> MatchReader | None:
        """Make what reads matches with these columns; `None` when the index does not have them."""
        generation = self._status.live
        plan = MirrorPlan.make(self._search, selection, region=self._region)
        if generation is None or not generation.plan.serves(plan):
            return None
        return MatchReader(
            contact_columns=tuple(sorted(plan.contact_columns & generation.plan.contact_columns)),
            account_columns=tuple(sorted(plan.account_columns & generation.plan.account_columns)),
            account_depth=max(self._search.account_depth, selection.parents),
        )
