"""Has calls read by the clock, and tells how it goes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.enterprise_calls.jobs import SyncJobs
from app.enterprise_calls.office_days import OfficeDays
from app.enterprise_calls.rules import SyncOutcome
from app.enterprise_calls.store import EnterpriseCallStore, SyncState
from app.enterprise_calls.sync import AUTHOR, CallSync
from app.errors import AppError
from app.observability.enterprise_call_readings import EnterpriseCallReadings
from app.operations.alert_rules import AlertRule, FiringAlert
from app.operations.jobs import JobRunner
from app.operations.store import JobState
from app.settings import Settings

__all__ = ["TICK_SECONDS", "SyncStatus", "SyncWatch"]

TICK_SECONDS = 60.0
_OFFICE_SECONDS = 15 * 60.0
_OTHER_SECONDS = 3 * 3600.0
"""In and outside office hours: some twenty requests to Enreach for a thousand calls of a usual month."""
_TOLERATED_SECONDS = 3600.0
"""A run may be so late before somebody is called."""
_RETRY_SECONDS = 600.0
"""Between two tries of an overnight run that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """How the synchronisation goes."""

    state: str
    """`running`, `stopped` by settings, or `failing`."""
    reason: str
    """Why it is not running; empty when it is."""
    position: float | None
    lag_seconds: float | None
    next_run_at: float | None
    counts: Mapping[str, Mapping[str, int]]
    pending: int
    runs: Sequence[Mapping[str, Any]]


class SyncWatch:
    """One process of all on a database reads; each of them can tell."""

    def __init__(
        self,
        *,
        sync: CallSync,
        jobs: SyncJobs,
        runner: JobRunner,
        store: EnterpriseCallStore,
        lead: Callable[[], Awaitable[bool]],
        read_settings: Callable[[], Settings],
        clock: Callable[[], float],
    ) -> None:
        """`lead` tells whether this process reads."""
        self.readings: EnterpriseCallReadings | None = None
        """The state at the last tick, for metrics."""
        self._sync = sync
        self._jobs = jobs
        self._runner = runner
        self._store = store
        self._lead = lead
        self._read_settings = read_settings
        self._clock = clock
        self._failure = ""
        self._overnight: tuple[str, float] | None = None

    async def tick(self) -> None:
        """Read what is due, and begin the overnight run when it is time; raises AppError when that fails now."""
        if not self._sync.explain_stop() and await self._lead():
            try:
                await self._read_due()
                await self._begin_overnight()
                self._failure = ""
            except AppError as error:
                self._failure = f"{error.title}: {error.detail}"
                raise
            finally:
                await self.refresh()
        else:
            await self.refresh()

    async def refresh(self) -> None:
        """Take the readings for metrics. Raises StoreError."""
        status = await self.describe()
        self.readings = EnterpriseCallReadings(
            running=status.state == "running",
            lag_seconds=status.lag_seconds,
            counts=status.counts,
            written=dict(self._sync.written),
        )

    async def describe(self) -> SyncStatus:
        """Tell how it goes. Raises StoreError."""
        stop, state, counts = self._sync.explain_stop(), await self._store.read_state(), await self._store.count()
        return SyncStatus(
            state="stopped" if stop else "failing" if self._failure else "running",
            reason=stop or self._failure,
            position=None if state is None else state.position,
            lag_seconds=None if state is None else max(0.0, self._clock() - state.position),
            next_run_at=None if stop else self._clock() if state is None else self._find_next(state),
            counts=counts,
            pending=sum(counts.get(SyncOutcome.PENDING, {}).values()),
            runs=() if state is None else state.runs,
        )

    def list_rules(self) -> tuple[AlertRule, ...]:
        """Return what to tell somebody."""
        return (
            AlertRule("enterprise_calls_stopped", self._find_stopped, shared=True),
            AlertRule("enterprise_calls_behind", self._find_behind, shared=True),
            AlertRule("enterprise_calls_nothing_synced", self._find_nothing_synced, shared=True),
        )

    async def _find_stopped(self) -> Sequence[FiringAlert]:
        """Fire while calls should be synchronised and cannot be."""
        reason = self._sync.explain_stop() or self._failure
        if not reason or not self._read_settings().phone_call_sync.enabled:
            return ()
        return (FiringAlert(subject="", message=f"Calls are not synchronised: {reason}.", facts={"reason": reason}),)

    async def _find_behind(self) -> Sequence[FiringAlert]:
        """Fire while calls are read much later than they should be."""
        state = None if self._sync.explain_stop() else await self._store.read_state()
        late = 0.0 if state is None else self._clock() - self._find_next(state)
        if late <= _TOLERATED_SECONDS:
            return ()
        message = f"Calls have not been read from Enreach for {late / 60:.0f} minutes longer than usual."
        return (FiringAlert(subject="", message=message, facts={"late_seconds": round(late)}),)

    async def _find_nothing_synced(self) -> Sequence[FiringAlert]:
        """Fire when no call of a whole office day has become an activity."""
        state = None if self._sync.explain_stop() else await self._store.read_state()
        day = self._days.find_last_day(self._clock())
        if state is None or day is None or state.since > day.start:
            return ()
        latest = await self._store.find_latest(SyncOutcome.SYNCED)
        if latest is not None and latest >= day.start:
            return ()
        message = (
            "No call of the last office day became an activity: look at privacy_field and privacy_work_values, and at "
            "the reasons in /admin/enterprise-calls."
        )
        return (FiringAlert(subject="", message=message, facts={"since": day.start}),)

    @property
    def _days(self) -> OfficeDays:
        return OfficeDays.of(self._read_settings().phone_call_sync)

    def _find_next(self, state: SyncState) -> float:
        """Return when calls are to be read next."""
        open_now = self._days.is_open(self._clock())
        return state.position + (_OFFICE_SECONDS if open_now else _OTHER_SECONDS)

    async def _read_due(self) -> None:
        state = await self._store.read_state()
        if state is None or self._find_next(state) <= self._clock():
            await self._jobs.note("enterprise-calls", await self._sync.catch_up(), AUTHOR)

    async def _begin_overnight(self) -> None:
        window, state = self._days.find_window(self._clock()), await self._store.read_state()
        if window is None or state is None or state.overnight >= window.start or await self._is_under_way():
            return
        job = await self._jobs.start_overnight(who=AUTHOR, due=window.start, until=window.end)
        self._overnight = (job.id, self._clock())

    async def _is_under_way(self) -> bool:
        """Tell whether an overnight run of this process goes on, or failed a moment ago."""
        if self._overnight is None:
            return False
        job_id, begun = self._overnight
        is_running = (await self._runner.show(job_id)).state is JobState.RUNNING
        return is_running or self._clock() < begun + _RETRY_SECONDS
