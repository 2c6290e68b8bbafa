"""Runs that administrators start and watch, and the overnight run."""

import math
from collections.abc import Callable

from app.enterprise_calls.overnight import OvernightRun
from app.enterprise_calls.store import EnterpriseCallStore
from app.enterprise_calls.sync import CallSync, SyncTally
from app.errors import ConflictError
from app.operations.jobs import JobRunner, Progress
from app.operations.store import Job

__all__ = ["SyncJobs"]

_RUN, _OVERNIGHT = "enterprise-calls", "enterprise-calls-overnight"
_HOURS_AT_ONCE = 6
_BY_HAND_SECONDS = 90 * 60.0
"""How long an overnight run by hand may take: as long as the usual one."""


class SyncJobs:
    """Starts them, as jobs. Everything raises ConflictError while the synchronisation is stopped, and StoreError."""

    def __init__(
        self,
        *,
        sync: CallSync,
        overnight: OvernightRun,
        store: EnterpriseCallStore,
        jobs: JobRunner,
        clock: Callable[[], float],
    ) -> None:
        self._sync = sync
        self._overnight = overnight
        self._store = store
        self._jobs = jobs
        self._clock = clock

    async def start_run(self, since: float | None, until: float | None, *, dry_run: bool, who: str) -> Job:
        """Read the calls that began between two times; without the first, what has changed since the last time."""
        self._require_running(dry_run=dry_run)
        end = self._clock() if until is None else until
        windows = 1 if since is None else max(1, math.ceil((end - since) / (_HOURS_AT_ONCE * 3600)))

        async def work(progress: Progress) -> object:
            if since is None and not dry_run:
                tally = await self._sync.catch_up()
            else:
                begin = end - 86_400 if since is None else since
                tally = await self._sync.run(begin, end, dry_run=dry_run, report=progress.note)
            if not dry_run:
                await self.note(_RUN, tally, who)
            await progress.note(windows)
            return {"dry_run": dry_run, **tally.describe()}

        return await self._jobs.start(_RUN, work, author=who, total=windows)

    async def start_overnight(self, *, who: str, due: float | None = None, until: float | None = None) -> Job:
        """Begin the overnight run that was due then, or one by hand now."""
        self._require_running()
        now = self._clock()
        begun = now if due is None else due
        end = now + _BY_HAND_SECONDS if until is None else until

        async def work(progress: Progress) -> object:
            result = await self._overnight.run(progress, due=begun, until=end)
            await self._store.note_run({"kind": _OVERNIGHT, "at": self._clock(), "who": who, **result})
            return result

        return await self._jobs.start(_OVERNIGHT, work, author=who, total=await self._overnight.count(due=begun))

    async def note(self, kind: str, tally: SyncTally, who: str) -> None:
        """Keep what a run did among the latest ones. Raises StoreError."""
        await self._store.note_run({"kind": kind, "at": self._clock(), "who": who, **tally.describe()})

    def _require_running(self, *, dry_run: bool = False) -> None:
        if reason := self._sync.explain_stop(dry_run=dry_run):
            raise ConflictError(f"calls are not synchronised: {reason} (settings group phone-call-sync)")
